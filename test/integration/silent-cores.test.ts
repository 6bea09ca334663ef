import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ClusterPlace, until } from './running-cluster.ts';

/*
 * Cores that crash or hang while a command needs them: it says for whom it waits, goes on with the others, and its summary
 * names who was lost. Times are the product's promises to a person, with room for a busy host.
 */
const CORES = 4;
let place: ClusterPlace;

beforeEach(async () => {
  place = new ClusterPlace();
  const launcher = place.launch('--detach', '--cores', String(CORES));
  await launcher.message('ready');
  expect((await launcher.ended).status).toBe(0);
});
afterEach(() => place.cleanUp());

interface Audit {
  readonly cores: number;
  readonly violations: readonly {
    readonly invariant: string;
    readonly cores: readonly number[];
    readonly memory?: string;
  }[];
  readonly absent: readonly { readonly core: number; readonly why: string }[];
}

test('measure passes over a hung core, says so while it waits, and shows nothing old', async () => {
  await until(
    'all pairs are measured',
    async () => (await place.ask<unknown[]>('links')).length === CORES * (CORES - 1),
  );
  await place.mkctl('hang', '3');
  const { status, stdout, stderr } = await place.mkctl('measure', '--json');
  expect(stderr).toMatch(/mkctl: waiting for the SKB \(measure\), which waits for core/);
  expect(stderr).toMatch(/mkctl: core 3 did not report: round trips from and to there are not measured/);
  expect(status).toBe(1);
  const pairs = (JSON.parse(stdout) as { from: number; to: number }[]).map(({ from, to }) => `${from}-${to}`);
  expect(pairs.sort()).toEqual(['0-1', '0-2', '1-0', '1-2', '2-0', '2-1']);
});

test('an operation that a hung core holds up names itself and that core, and so does one query over the logs', async () => {
  await place.mkctl('hang', '3');
  const { status, stderr } = await place.mkctl('bench', 'round', '--plan', 'unicast', '--phases', '2', '--count', '1');
  expect(status).not.toBe(0);
  expect(stderr).toMatch(/mkctl: waiting for core 0 \(round\), which waits for core 3/);
  const [, op] = /OPERATION_TIMEOUT: round (\d+\.\d+\.\d+): no answer from core 3/.exec(stderr) ?? [];
  expect(op).toBeDefined();
  const { stdout } = await place.mkctl('logs', '--event', 'operation_unanswered', '--json');
  expect(stdout.split('\n').filter((line) => line.includes(`"op":"${op}"`))).toHaveLength(1);
});

test('churn ends with a summary when a core crashes; audits name what is not there and accuse nobody who lived', async () => {
  const churn = place.mkctl('churn', '--seconds', '5', '--json');
  await until('the churn is under way', async () => (await place.ask<unknown[]>('caps', '--core', '2')).length > 0);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect((await place.mkctl('crash', '2')).status).toBe(0);
  const { stdout, stderr } = await churn;
  const report = JSON.parse(stdout) as { operations: number; wrong: unknown[]; lost: { core: number }[]; audit: Audit };
  expect({ stderr, ...report }).toMatchObject({ wrong: [], lost: [{ core: 2 }], audit: { cores: 3, violations: [] } });
  expect(report.operations).toBeGreaterThan(0);

  const dead = await place.mkctl('audit');
  expect(dead.status).toBe(1);
  expect(dead.stdout).toMatch(/^core 2 is not checked: its process has ended \(killed by SIGKILL\)$/m);
  expect(dead.stdout).toMatch(/capabilities on 3 cores: every invariant holds$/m);

  expect((await place.mkctl('restart', '2')).status).toBe(0);
  const { cores, absent, violations } = JSON.parse((await place.mkctl('audit', '--json')).stdout) as Audit;
  expect({ cores, absent }).toEqual({ cores: CORES, absent: [] });
  // What an earlier life of core 2 left to the others is its affair; nothing of theirs has leaked.
  expect(violations.filter(({ memory, cores: on }) => memory === 'leaked' || !on.includes(2))).toEqual([]);
});
