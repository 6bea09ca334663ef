import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { RunReport } from '@mk/machine/report/run-report';
import { Dialling } from '@mk/monitor-proto/endpoint/dialling';
import { runSim } from '@mk/sim/cli';
import type { SimTerminal } from '@mk/sim/io/terminal';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mk-sim-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the command; its status and output. */
function sim(args: Readonly<Record<string, unknown>>): { status: number; out: string; error: string } {
  const lines = { out: [] as string[], error: [] as string[] };
  const terminal: SimTerminal = {
    interactive: false,
    out: (text) => void lines.out.push(text),
    error: (text) => void lines.error.push(text),
    progress: () => undefined,
  };
  const status = runSim(args, {
    machinesDirectory: () => join(process.cwd(), 'packages', 'launcher', 'machines'),
    done: () => undefined,
    terminal,
  });
  return { status, out: lines.out.join('\n'), error: lines.error.join('\n') };
}

function plan(text: string): string {
  const path = join(folder, 'plan.yaml');
  writeFileSync(path, text);
  return path;
}

/** A scenario file with something wrong in it. */
function scenario(wrong: object): string {
  return JSON.stringify({ seed: 1, cores: 2, machine: 'flat', faults: [], load: [], faultsForNs: 0, ...wrong });
}

/** Runs with a bug planted in every kernel: a broken link stays broken. */
function withoutRedial<T>(run: () => T): T {
  const dialling = Dialling.prototype;
  const good = dialling.later;
  dialling.later = () => undefined;
  try {
    return run();
  } finally {
    dialling.later = good;
  }
}

describe('mk-launch sim', () => {
  test('runs seeds twice each, says the seed first, and ends with 0', () => {
    const { status, out, error } = sim({ seed: '7', seeds: '3' });
    expect({ status, error }).toEqual({ status: 0, error: '' });
    expect(out.split('\n')[0]).toBe('seed 7 to 9');
    expect(out).toContain('3 seeds, each twice with the same trace: all invariants held');
  });

  test('prints one JSON document with --json', () => {
    const { status, out } = sim({ seed: '7', json: true });
    expect(status).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ first_seed: 7, seeds: 1, failed: [], unknown: [] });
  });

  test('runs a fault plan on a shipped machine', () => {
    const path = plan(
      'seed: 42\nmachine: amd-4x4\ncores: 6\nfaults:\n  - at: 100ms\n    crash: { core: 5 }\n  - at: 300ms\n    restart: { core: 5 }\n  - at: 400ms\n    partition: { groups: [[0, 1], rest], for: 200ms }\n',
    );
    const runs = join(folder, 'runs');
    const { status, out } = sim({ plan: path, runs });
    expect({ status, first: out.split('\n')[0] }).toEqual({ status: 0, first: 'seed 42' });
    expect(out).toContain('HELD  plan ');
    expect(readdirSync(join(runs, 'latest')).sort()).toEqual(['plan.yaml', 'report.html', 'report.json', 'report.txt']);
    const report = JSON.parse(readFileSync(join(runs, 'latest', 'report.json'), 'utf8')) as RunReport;
    expect(report).toMatchObject({ world: 'virtual time', verdict: 'held', asked: { cores: 6, machine: 'amd-4x4' } });
    const [crash, partition] = report.faults;
    expect(crash).toMatchObject({ text: 'crash 5', began_ms: 100, ended_ms: 300 });
    expect(crash?.did.join()).toMatch(/went on without core 5/);
    expect(partition).toMatchObject({ text: 'partition 0,1 | rest for 200 ms', began_ms: 400 });
    expect(partition?.frames).toBeGreaterThan(0);
    expect(report.requests.map(({ what }) => what)).toContain('round');
  });

  test('a report that cannot be kept is said and changes no verdict', () => {
    const path = plan('cores: 2\nfaults: []\n');
    const { status, out, error } = sim({ plan: path, runs: join(path, 'runs'), once: true });
    expect({ status, error }).toEqual({ status: 0, error: expect.stringContaining('--runs DIR or MK_RUNS_DIR') });
    expect(out).toContain('HELD  plan ');
    expect(sim({ runs: 'x' })).toMatchObject({ status: 2, error: expect.stringContaining('--runs goes with --plan') });
  });

  test('a seed that fails ends with 1 and prints the command that repeats it; shrunk and replayed it fails as well', () => {
    const options = { weights: 'reset=5', for: '2s' };
    const seeds = Array.from({ length: 30 }, (_, i) => String(i + 1));
    const failing = withoutRedial(() => seeds.find((seed) => sim({ ...options, seed, once: true }).status === 1));
    expect(failing).toBeDefined();
    const prefix = join(folder, 'failed');
    const { status, out } = withoutRedial(() => sim({ ...options, seed: failing, shrink: true, trace: prefix }));
    expect(status).toBe(1);
    expect(out).toMatch(/FAILED/);
    expect(out).toContain(`repeat: mk-launch sim --replay ${prefix}.scenario.json`);
    const shrunk = JSON.parse(readFileSync(`${prefix}.scenario.json`, 'utf8')) as {
      faults: unknown[];
      load: unknown[];
    };
    expect(shrunk.faults.length).toBeLessThanOrEqual(6);
    expect(withoutRedial(() => sim({ replay: `${prefix}.scenario.json` })).status).toBe(1);
    expect(sim({ replay: `${prefix}.scenario.json` }).status).toBe(0); // without the bug nothing is wrong
    const trace = JSON.parse(readFileSync(`${prefix}.json`, 'utf8')) as { traceEvents: { ph: string }[] };
    expect(new Set(trace.traceEvents.map(({ ph }) => ph))).toEqual(
      new Set(['M', 'X', 's', 'f', ...trace.traceEvents.filter(({ ph }) => ph === 'i').map(() => 'i')]),
    );
    expect(readFileSync(`${prefix}.svg`, 'utf8')).toContain('Who said what to whom');
    expect(readFileSync(`${prefix}.log`, 'utf8').split('\n')[0]).toMatch(/^\{"time":/);
  });

  test('shootdown prints the table and writes the plot', () => {
    const out = join(folder, 'plot.svg');
    const result = sim({ scenario: 'shootdown', cores: '8', out });
    expect(result.status).toBe(0);
    expect(result.out).toContain('unicast 1730');
    expect(readFileSync(out, 'utf8')).toMatch(/^<svg /);
  });

  test.each([
    [{ scenario: 'shotdown' }, /unknown scenario shotdown/],
    [{ seeds: '0' }, /--seeds must be a whole number from 1/],
    [{ cores: '1' }, /--cores must be a whole number from 2/],
    [{ seed: '-3' }, /--seed must be a whole number/],
    [{ machine: 'amd-8x5' }, /amd-8x4/],
    [{ weights: 'crsh=2' }, /did you mean crash/],
    [{ weights: 'crash=many' }, /needs a weight/],
    [{ for: 'soon' }, /--for/],
    [{ plan: '/nowhere/plan.yaml' }, /no such file/],
    [{ replay: '/nowhere/run.json' }, /no such file/],
    [{ trace: '/dev/null/trace' }, /^mk-launch sim: \/dev\/null\/trace cannot be written/],
    [{ record: '/dev/null/run.ndjson', seeds: '3' }, /^mk-launch sim: \/dev\/null\/run.ndjson cannot be written/],
    [{ scenario: 'shootdown', machine: 'flat', cores: '2', out: '/dev/null/plot.svg' }, /^mk-launch sim: --out: /],
    [{ plan: '/dev/null' }, /is not a file/],
  ])('a mistake is one line and status 2: %j', (args, message) => {
    const { status, error } = sim(args);
    expect(status).toBe(2);
    expect(error).toMatch(message);
    expect(error.split('\n')).toHaveLength(1);
  });

  test.each([
    [{ scenario: 'shootdown', plan: 'p.yaml' }, 'shootdown takes no --plan: it has no seeds and no faults'],
    [{ scenario: 'unmap', seeds: '3' }, 'unmap takes no --seeds'],
    [{ scenario: 'share', seed: '3' }, 'share takes no --seed'],
    [{ scenario: 'disruption', out: 'x.svg' }, 'disruption draws nothing'],
    [{ out: 'x.svg' }, '--out draws shootdown, unmap and share'],
    [{ on: '0' }, '--on goes with run PROGRAM'],
    [{ op: '0.1.1' }, '--op goes with --trace or --trace-events'],
    [{ plan: 'p.yaml', weights: 'crash=1' }, '--weights has no effect with --plan'],
    [{ replay: 'p.json', seeds: '3' }, '--seeds has no effect with --replay'],
  ])('what would be ignored is refused: %j', (args, text) => {
    const { status, error } = sim(args);
    expect({ status, error }).toEqual({ status: 2, error: expect.stringContaining(text) });
  });

  test('a plan that names a core that is not there, or a way to misbehave that there is not, is refused before it runs', () => {
    expect(sim({ plan: plan('cores: 4\nfaults:\n  - at: 1s\n    crash: { core: 9 }\n') }).error).toMatch(
      /no core 9; the machine has 4/,
    );
    expect(
      sim({ plan: plan('cores: 4\nfaults:\n  - at: 1s\n    rogue: { core: 1, behaviour: sulk }\n') }).error,
    ).toMatch(/behaviour.*spam_remap/);
  });

  test.each([
    ['', /Unexpected end/],
    ['\ufeffname: x\r\n', /is not valid JSON/],
    ['[]', /it is not an object/],
    ['{}', /seed is missing/],
    ['['.repeat(100_000), /no scenario/],
    [scenario({ cores: 1e99 }), /cores does not have the right form/],
    [scenario({ cores: '__proto__' }), /cores does not have the right form/],
    [scenario({ faultsForNs: -1 }), /faultsForNs does not have/],
    [scenario({ faults: [{ atNs: 1, action: { type: 'constructor' } }] }), /faults\[0\] does not have/],
    [
      scenario({ faults: [{ atNs: 1, action: { type: 'rule', rule: { kind: 'link' } } }] }),
      /faults\[0\] does not have/,
    ],
    [scenario({ load: [{ atNs: 1, core: 0, verb: 'ping', args: null }] }), /load\[0\] does not have/],
    [scenario({ machine: '/nowhere.yaml' }), /no such file/],
  ])('--replay of a file that is none of its own: %#', (text, refusal) => {
    const path = join(folder, 'replay.json');
    writeFileSync(path, text);
    const { status, error } = sim({ replay: path });
    expect([status, error]).toEqual([2, expect.stringMatching(refusal)]);
    expect(error).not.toContain('\n');
  });
});
