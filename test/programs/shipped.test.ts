import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { SHIPPED } from '@mk/launcher/programs/shipped';
import { EXIT_STATUS } from '@mk/libmk/program/exit-status';
import type { QueueRow } from '@mk/programs/queue-bench';
import { fastMac } from '@mk/sim/engine/fast-mac';
import { flatMachine } from '@mk/sim/engine/machines';
import { runScenario, type RunOptions, type RunResult } from '@mk/sim/engine/run-scenario';
import { runTwice } from '@mk/sim/engine/run-twice';
import type { Scenario } from '@mk/sim/engine/scenario';
import { scenarioOf } from '@mk/sim/nemesis/nemesis';
import { VmPrograms } from '@mk/sim/programs/io/vm-programs';
import { unbounded } from '../../packages/sim/test/programs/unbounded.ts';
import { contextText, startedProgramText } from '../../scripts/bundle-program.mjs';

/** Shipped programs on virtual time: each seed twice, with faults where the program should survive them. */

const context = await contextText();
const sources = join(process.cwd(), 'packages', 'programs', 'src');
const TEXTS = new Map<string, Promise<string>>();
function textOf(name: string): Promise<string> {
  const known = TEXTS.get(name) ?? startedProgramText(join(sources, `${name}.ts`));
  TEXTS.set(name, known);
  return known;
}

function optionsFor(name: string, text: string): RunOptions {
  return {
    hmac: fastMac,
    machineOf: () => flatMachine(),
    program: { name, text, world: new VmPrograms(context), bounded: unbounded },
  };
}

function scenarioFor(name: string, seed: number, faulty: boolean, args: readonly string[]): Scenario {
  const cores = 4;
  const all = [0, 1, 2, 3];
  const each = SHIPPED.find((program) => program.name === name)!.domains === 'each';
  const program = { program: name, args, cores: all, on: each ? all : [0], limitNs: 300e9 };
  const quiet = { seed, cores, machine: 'flat', faults: [], load: [], faultsForNs: 0, program };
  return faulty ? { ...scenarioOf(seed, { cores }), load: [], program } : quiet;
}

async function nemesis(name: string, seed: number, mutate = (text: string) => text): Promise<RunResult> {
  return runScenario(scenarioFor(name, seed, true, []), optionsFor(name, mutate(await textOf(name))));
}

test('the list is what there is', () => {
  const files = readdirSync(sources).filter((name) => name.endsWith('.ts'));
  expect(SHIPPED.map(({ name }) => `${name}.ts`).sort()).toEqual(files.sort());
});

const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  ring: ['--rounds', '5'],
  pingpong: ['--rounds', '3'],
  churn: ['--operations', '6'],
  bank: ['--rounds', '16'],
  kv: ['--rounds', '3'],
  'map-reduce': ['--count', '6'],
  // its findings are checked in test/memory.
  litmus: ['--runs', '16'],
  'queue-bench': ['--milliseconds', '20'],
  'disruption-bench': ['--rounds', '3', '--pairs', '1'],
  shell: ['help', 'ps', 'spawn 1 1', 'ping 2', "set 'lamp' { lit: 1 }", "get 'lamp'", "del 'lamp'", 'names', 'exit'],
};

describe('every program that ships ends well, and twice with the same trace', () => {
  test.each(SHIPPED.map(({ name }) => name))('%s', async (name) => {
    const { violations, ends, output } = runTwice(
      scenarioFor(name, 7, false, ARGUMENTS[name] ?? []),
      optionsFor(name, await textOf(name)),
    );
    expect({ violations, output: output.length > 0 }).toEqual({ violations: [], output: true });
    for (const end of ends) expect(end).toMatchObject({ cause: 'exited', status: 0 });
  });
});

test('queue-bench: past saturation a queue that waits grows with the time, one that refuses stays short', async () => {
  const args = ['--milliseconds', '500', '--work', '5000', '--rows'];
  const { output } = runScenario(
    scenarioFor('queue-bench', 7, false, args),
    optionsFor('queue-bench', await textOf('queue-bench')),
  );
  const rows = output.map(({ text }) => JSON.parse(text) as QueueRow);
  const capacity = 200;
  for (const row of rows.filter(({ loop }) => loop === 'closed')) {
    // Little's law: as many wait as there are clients, each for that many times the work.
    expect(row.queue_most).toBe(row.clients);
    expect(Math.abs(row.p50_ns / (row.clients * 5_000_000) - 1)).toBeLessThan(0.1);
  }
  const last = (backpressure: boolean): QueueRow =>
    rows.findLast((row) => row.loop === 'open' && row.backpressure === backpressure)!;
  const [refusing, waiting] = [last(true), last(false)];
  for (const { done_per_second: done, offered_per_second: offered } of [refusing, waiting]) {
    expect(offered).toBeGreaterThan(1.8 * capacity);
    expect(Math.abs(done / capacity - 1)).toBeLessThan(0.25);
  }
  expect(refusing.refused).toBeGreaterThan(0.4 * capacity * 0.5);
  expect(refusing.queue_most).toBeLessThan(20);
  expect(waiting.refused).toBe(0);
  expect(waiting.queue_most).toBeGreaterThan(60);
  expect(waiting.p50_ns).toBeGreaterThan(2 * refusing.p50_ns);
});

test('a mutant of shared-frame ends with 1: it unmaps nothing, so nothing faults', async () => {
  const right = 'await mk.memory.unmap(region)';
  const text = await textOf('shared-frame');
  expect(text).toContain(right);
  const mutant = text.replace(right, 'await mk.memory.load32(region.address)');
  const { violations, output } = runScenario(
    scenarioFor('shared-frame', 7, false, []),
    optionsFor('shared-frame', mutant),
  );
  expect(violations).toMatchObject([{ invariant: 'PR2' }]);
  expect(output.map(({ text: said }) => said).join()).toContain('fault on 0 of 4 cores');
});

describe('a core crashes while it runs: the program says which it lost, and its status tells it; or it does without', () => {
  const crashed = async (name: string, victim: number, atNs: number, args: readonly string[]): Promise<RunResult> => {
    const action = { type: 'crash', cores: [victim] } as const;
    const scenario = { ...scenarioFor(name, 7, false, args), faults: [{ atNs, action }], faultsForNs: 40e9 };
    return runScenario(scenario, optionsFor(name, await textOf(name)));
  };
  const LONG: Readonly<Record<string, readonly string[]>> = {
    ring: ['--rounds', '2000'],
    pingpong: ['--rounds', '300'],
    churn: ['--operations', '30'],
    'unmap-bench': ['--rounds', '50'],
    'share-bench': ['--rounds', '300'],
    'queue-bench': ['--milliseconds', '20'],
    'disruption-bench': ['--rounds', '20', '--pairs', '2'],
    'shared-frame': [],
  };
  /** Its server and its clients are on other cores; it is through by then. */
  const doWithout = (name: string, victim: number, atNs: number): boolean =>
    (name === 'queue-bench' && victim === 3) || (name === 'shared-frame' && atNs === 4e6);

  test.each(
    Object.keys(LONG).flatMap((name) =>
      [1, 3].flatMap((victim) => [2e6, 4e6].map((at) => [name, victim, at] as const)),
    ),
  )('%s, core %d after %d ns', async (name, victim, atNs) => {
    const { violations, ends, output } = await crashed(name, victim, atNs, LONG[name] ?? []);
    const lines = output.map(({ text }) => text);
    expect({ violations, ends: ends.map(({ cause }) => cause) }).toEqual({ violations: [], ends: ['exited'] });
    const [end] = ends;
    const status = doWithout(name, victim, atNs) ? EXIT_STATUS.done : EXIT_STATUS.lost;
    expect({ name, status: end!.status }).toEqual({ name, status });
    if (status === EXIT_STATUS.lost) expect(lines.join('\n')).toMatch(new RegExp(`core ${victim}\\b`));
  });

  test('ring, pingpong and churn name it: seed 20261198 of the nemesis', async () => {
    for (const name of ['ring', 'pingpong', 'churn']) {
      const { violations, output } = await nemesis(name, 20261198);
      expect({ name, violations }).toEqual({ name, violations: [] });
      expect(output.map(({ text }) => text)).toContainEqual(expect.stringMatching(/core \d is lost: /));
    }
  });
});

describe('under the nemesis', () => {
  test.each(['bank', 'kv', 'map-reduce'])('%s keeps its promises in seeds 1 to 3', async (name) => {
    for (const seed of [1, 2, 3]) {
      const { violations } = await nemesis(name, seed);
      expect({ seed, violations }).toEqual({ seed, violations: [] });
    }
  });

  test.each([
    [
      'bank',
      'a transfer happens when one branch has promised',
      'votes.every((vote) => vote)',
      'votes.some((vote) => vote)',
    ],
    ['bank', 'a branch forgets what it had promised', 'promised.length === 0', 'true'],
  ])('a mutant of %s is caught: %s', async (name, _what, right, wrong) => {
    const mutate = (text: string): string => {
      expect(text).toContain(right);
      return text.replace(right, wrong);
    };
    let found: readonly string[] = [];
    for (let seed = 1; seed <= 6 && found.length === 0; seed += 1)
      found = (await nemesis(name, seed, mutate)).violations.map(({ invariant }) => invariant);
    expect(found.length).toBeGreaterThan(0);
  });

  test('a mutant of kv is caught: nobody takes the lock, and links are slow', async () => {
    const right = 'await mk.octopus.lock(name, { signal: giveUp.signal })';
    const text = await textOf('kv');
    expect(text).toContain(right);
    const rule = {
      kind: 'link',
      id: 'slow',
      from: 'all',
      to: 'all',
      both: true,
      settings: { delay_ns: 50e6 },
      for_ns: null,
    } as const;
    const slow = { ...scenarioFor('kv', 1, false, []), faults: [{ atNs: 0, action: { type: 'rule', rule } as const }] };
    const run = (tried: string) => runScenario({ ...slow, faultsForNs: 20e9 }, optionsFor('kv', tried)).violations;
    expect(run(text)).toEqual([]);
    const mutant = text.replace(right, '{ token: 1, release: async () => {} }');
    expect(run(mutant)).toMatchObject([
      { invariant: 'PR1', text: expect.stringContaining('increments were acknowledged') },
    ]);
  });
});
