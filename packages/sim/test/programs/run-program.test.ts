import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type vm from 'node:vm';
import type { RunReport } from '@mk/machine/report/run-report';
import { runSim } from '@mk/sim/cli';
import type { SimProgram } from '@mk/sim/commands/context';
import { fastMac } from '@mk/sim/engine/fast-mac';
import { flatMachine } from '@mk/sim/engine/machines';
import type { RunOptions } from '@mk/sim/engine/run-scenario';
import { runTwice } from '@mk/sim/engine/run-twice';
import type { Scenario } from '@mk/sim/engine/scenario';
import { VmPrograms } from '@mk/sim/programs/io/vm-programs';
import { contextText, programTextOf } from '../../../../scripts/bundle-program.mjs';
import { unbounded } from './unbounded.ts';

/** `mk-launch sim run`: a program's file on virtual time. */

const context = await contextText();
const bundled = (body: string): Promise<string> =>
  programTextOf(`import { start } from '@mk/libmk/program/program';\nstart(async (mk) => {\n${body}\n}, 'own');`);

const OWN = await bundled(`
  mk.console.log('args', mk.args.join(' '), 'cores', mk.env.CORES, 'chance', mk.randomInt(1e6));
  if (mk.args[0] === 'status') return 3;
  if (mk.args[0] === 'usage') { mk.console.error('own: there is no option --x'); return 2; }
  if (mk.args[0] === 'assert') mk.assert(mk.now() < 0, 'time stands still');
  if (mk.args[0] === 'always') { let n = 0; mk.always('no third', () => n < 3); for (;;) { await mk.sleep(1e6); n += 1; } }
  if (mk.args[0] === 'child') {
    const child = await mk.processes.spawn(null, { core: 1, args: ['assert'] });
    await child.wait();
  }
  if (mk.args[0] === 'slow') {
    const begun = mk.now();
    await mk.processes.spawn(null, { core: 1, args: ['nothing'] });
    mk.assert(mk.now() - begun < 1e8, 'a spawn in a tenth of a second');
  }
  if (mk.args[0] === 'waits') await mk.sleep(1e15);
`);

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'mk-run-program-'))));
afterAll(() => rmSync(folder, { recursive: true }));

function sim(
  args: Readonly<Record<string, unknown>>,
  more: Readonly<Partial<SimProgram>> = {},
): { status: number; out: string; error: string } {
  const lines = { out: [] as string[], error: [] as string[] };
  const terminal = {
    interactive: false,
    out: (text: string) => void lines.out.push(text),
    error: (text: string) => void lines.error.push(text),
    progress: () => undefined,
  };
  const program = {
    name: 'own',
    text: OWN,
    contextText: context,
    domains: 'named',
    inSources: (t: string) => t,
    ...more,
  } as const;
  const given = { scenario: 'run', program: './own.ts', ...args };
  const machines = { machinesDirectory: () => '', done: () => undefined, terminal };
  const status = runSim(given, machines, program);
  return { status, out: lines.out.join('\n'), error: lines.error.join('\n') };
}

describe('mk-launch sim run', () => {
  test('a program that ships says that its arguments are wrong: no invariant broke, the command was wrong', () => {
    const words = { cores: '2', once: true, args: ['usage'] };
    const { status, out, error } = sim(words, { wrongArguments: 2 });
    expect({ status, error }).toEqual({ status: 2, error: 'mk-launch sim: own: there is no option --x' });
    expect(out).not.toContain('repeat');
    expect(sim(words).status).toBe(1);
    expect(sim({ ...words, args: ['status'] }, { wrongArguments: 2 }).status).toBe(1);
  });

  test('prints what the program prints, with core and domain, and the hash of its trace: the same for the same seed', () => {
    const run = (seed: string): string => sim({ args: ['a', 'b'], seed, cores: '16', once: true }).out;
    const out = run('7');
    expect(out).toMatch(/^seed 7\n0\/0\.1\.1 {2}args a b cores 0,1,2,.*,15 chance \d+\n1 seed: all invariants held\n/);
    const hash = (text: string): string => /^trace ([0-9a-f]{16})$/m.exec(text)![1]!;
    expect(hash(run('7'))).toBe(hash(out));
    expect(hash(run('8'))).not.toBe(hash(out));
  });

  test('a domain on each core of --on; one JSON document', () => {
    const { status, out } = sim({ on: '1,3', json: true });
    const { runs, failed } = JSON.parse(out) as {
      runs: { domains: unknown; output: { text: string }[] }[];
      failed: [];
    };
    expect({ status, failed }).toEqual({ status: 0, failed: [] });
    expect(runs[0]!.domains).toMatchObject([
      { core: 1, domain: '1.1.1', cause: 'exited', status: 0 },
      { core: 3, domain: '3.1.1', cause: 'exited', status: 0 },
    ]);
    expect(runs[0]!.output.map(({ text }) => text)).toEqual([
      expect.stringContaining('cores 1,3'),
      expect.stringContaining('cores 1,3'),
    ]);
  });

  test.each([
    ['assert', 'PR1', 'ASSERTION_FAILED: time stands still'],
    ['always', 'PR1', 'INVARIANT_VIOLATED: no third'],
    ['child', 'PR1', 'own (1.1.1): ASSERTION_FAILED'],
    ['status', 'PR2', 'own (0.1.1) exited with 3'],
    ['waits', 'PR3', '1 of 1 domains of own did not end'],
  ])(
    'a program that fails (%s) ends the command with 1, the reason and the command that repeats it',
    (word, name, text) => {
      const { status, out } = sim({ args: [word], seed: '9', cores: '2', limit: '2s' });
      expect(status).toBe(1);
      expect(out).toMatch(new RegExp(`${name} \\(program\\) at .* ms: .*${text.replace(/[()]/g, '\\$&')}`));
      expect(out).toContain(`  repeat: mk-launch sim run ./own.ts --seed 9 --cores 2 --limit 2000ms -- ${word}`);
    },
  );

  test('fault plans, seeds, --shrink and --trace work with it; what was shrunk can be replayed', () => {
    const plan = join(folder, 'plan.yaml');
    writeFileSync(
      plan,
      'faults:\n  - { at: 0ms, link: { from: 0, to: 1, delay: 200ms, for: 1s } }\n  - { at: 1ms, link: { from: 2, to: 1, loss: 10%, for: 100ms } }\n',
    );
    const trace = join(folder, 'slow');
    const failed = sim({ args: ['slow'], cores: '3', plan, runs: folder, shrink: true, trace, once: true });
    expect(failed.status).toBe(1);
    expect(failed.out).toMatch(/seed 1: FAILED\n.*PR1 .*a spawn in a tenth of a second/);
    expect(failed.out).toMatch(/shrunk in \d+ runs to 1 faults and 0 requests:\n {4}0\.000 ms {2}link 0 -> 1/);
    expect(readdirSync(folder)).toEqual(expect.arrayContaining(['slow.json', 'slow.svg', 'slow.log']));
    expect(readFileSync(`${trace}.log`, 'utf8')).toContain('"event":"program_output"');
    const kept = JSON.parse(readFileSync(join(folder, 'latest', 'report.json'), 'utf8')) as RunReport;
    expect(kept).toMatchObject({ verdict: 'broke', expected: [{ name: 'workload', held: false }] });
    expect(kept.faults[0]).toMatchObject({ text: 'link 0 -> 1 delay 200 ms for 1 s', began_ms: 0 });
    const seeds = sim({ args: ['slow'], cores: '3', plan, runs: folder, once: true, seeds: '2', json: true });
    const { report } = JSON.parse(seeds.out) as { report: RunReport };
    const repeat = `mk-launch sim run ./own.ts --seed 1 --plan ${plan} --cores 3 -- slow`;
    expect(report.runs.map(({ seed, verdict }) => [seed, verdict])).toEqual([
      ['1', 'broke'],
      ['2', 'broke'],
    ]);
    expect(report).toMatchObject({ verdict: 'broke', asked: { seed: '1', repeat } });
    const replayed = sim({ scenario: 'nemesis', program: undefined, replay: `${trace}.scenario.json` });
    expect(replayed).toMatchObject({ status: 1, out: expect.stringContaining('a spawn in a tenth of a second') });
    expect(sim({ args: ['slow'], seeds: '2' }).status).toBe(0);
  });

  test('mistakes are one line', () => {
    expect(sim({ on: '9' })).toMatchObject({ status: 2, error: expect.stringContaining('there is no core 9') });
    expect(sim({ program: undefined })).toMatchObject({ status: 2, error: expect.stringContaining('needs a program') });
  });
});

const SCENARIO: Scenario = {
  seed: 1,
  cores: 2,
  machine: 'flat',
  faults: [],
  load: [],
  faultsForNs: 0,
  program: { program: 'own', args: [], cores: [0, 1], on: [0], limitNs: 60e9 },
};

function options(text: string, plant?: (realm: vm.Context) => void): RunOptions {
  return {
    hmac: fastMac,
    machineOf: () => flatMachine(),
    program: { name: 'own', text, world: new VmPrograms(context, plant), bounded: unbounded },
  };
}

describe('what a program may not do to the simulator', () => {
  test.each([
    "import('node:fs')",
    "import /* a */ // b\n ('node:fs')",
    "[...import('node:fs')]",
    'import.meta.url',
    "`${import\t('x')}`",
  ])('%s is refused: its error would be one of the host’s', (call) => {
    const { violations } = runTwice(SCENARIO, options(`(async () => { ${call}; })()`));
    expect(violations).toMatchObject([{ invariant: 'PR2', text: expect.stringContaining('import() or import.meta') }]);
  });

  test('a method called import is none', () => {
    expect(runTwice(SCENARIO, options(`({ 'import': () => 1 }).import(2);\n${OWN}`)).violations).toEqual([]);
  });
});

/** How long the program's three threads sleep: in each run they wake in a different order from the previous run. */
function unlikeTheRunBefore(): () => number {
  let calls = 0;
  return () => calls++ % 4;
}

/** The same, but only each fifth run differs, with the opposite order. */
function unlikeInEachFifthRun(): () => number {
  let calls = 0;
  return () => {
    const call = calls++;
    return Math.floor(call / 3) % 5 === 4 ? 2 - (call % 3) : 0;
  };
}

describe('what two runs of a seed do not agree on is seen, and the program named', () => {
  const program = bundled(`
    const order = [];
    await Promise.all(['a', 'b', 'c'].map(async (name) => { await mk.sleep(1e6 + (globalThis.unfair?.() ?? 0)); order.push(name); }));
    mk.console.log(globalThis.hostNow?.() ?? Date.now(), globalThis.hostRandom?.() ?? Math.random(), order.join(''));
  `);
  test.each([
    ['nothing planted', {}, 1, false],
    ['the host’s Date.now', { hostNow: () => performance.timeOrigin + performance.now() }, 1, true],
    ['the host’s Math.random', { hostRandom: () => Math.random() }, 1, true],
    ['threads woken in no order', { unfair: unlikeTheRunBefore() }, 1, true],
    ['threads woken in another order in each fifth run', { unfair: unlikeInEachFifthRun() }, 3, true],
  ])('%s', async (_name, planted, times, seen) => {
    const plant = (realm: vm.Context): void => void Object.assign(realm, planted);
    const text = await program;
    const results = Array.from({ length: times }, () => runTwice(SCENARIO, options(text, plant)).violations);
    const told = results.flat().filter(({ invariant }) => invariant === 'D0');
    expect(told.length > 0).toBe(seen);
    for (const violation of told)
      expect(violation.text).toMatch(/left the traces .*; turn \d+, at .* program own \(domain 0\.1\.1/);
  });
});
