import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { accessOf, callControl } from '@mk/libmk/io/control-call';
import { ClusterPlace, PATIENT, until } from './running-cluster.ts';

/*
 * Cores crash or hang while a command needs them: it says whom it waits for, continues with the others, and names the
 * lost ones in its summary. The times are the product's promises to people, with a margin for a busy host.
 */
const CORES = 4;
let place: ClusterPlace;

beforeEach(async () => {
  place = new ClusterPlace();
  const launcher = place.launch('--detach', '--cores', String(CORES), ...PATIENT);
  await launcher.message('ready');
  expect((await launcher.ended).status).toBe(0);
});
afterEach(() => place.cleanUp());

interface Audit {
  readonly cores: number;
  readonly violations: readonly {
    readonly invariant: string;
    readonly cores: readonly number[];
  }[];
  readonly reborn: readonly { readonly core: number }[];
  readonly absent: readonly { readonly core: number; readonly why: string }[];
}

test('measure passes over a hung core, says so while it waits, and shows nothing old', async () => {
  await until(
    'all pairs are measured',
    async () => (await place.ask<unknown[]>('links')).length === CORES * (CORES - 1),
  );
  // The SKB may know that core 3 is silent before the command asks; the slow link makes it wait for the others.
  await place.mkctl('link', '0', '1', '--delay', '150ms');
  await place.mkctl('hang', '3');
  const { status, stdout, stderr, waitedFor } = await place.mkctl('measure', '--json');
  expect(waitedFor.join('')).toMatch(/mkctl: waiting for the SKB \(measure\), which waits for core/);
  expect(stderr).toMatch(/mkctl: core 3 did not report: round trips from and to there are not measured/);
  expect(status).toBe(1);
  const pairs = (JSON.parse(stdout) as { from: number; to: number }[]).map(({ from, to }) => `${from}-${to}`);
  expect(pairs.sort()).toEqual(['0-1', '0-2', '1-0', '1-2', '2-0', '2-1']);
});

test('an operation that a hung core holds up names itself and that core, and so does one query over the logs', async () => {
  await place.mkctl('hang', '3');
  const round = ['bench', 'round', '--plan', 'unicast', '--phases', '2', '--count', '1'];
  const { status, stderr, waitedFor } = await place.mkctl(...round);
  expect(status).not.toBe(0);
  expect(waitedFor.join('')).toMatch(/mkctl: waiting for core 0 \(round\), which waits for core 3/);
  const [, op] = /OPERATION_TIMEOUT: round (\d+\.\d+\.\d+): no answer from core 3/.exec(stderr) ?? [];
  expect(op).toBeDefined();
  const { stdout } = await place.mkctl('logs', '--event', 'operation_unanswered', '--json');
  expect(stdout.split('\n').filter((line) => line.includes(`"op":"${op}"`))).toHaveLength(1);
});

test('churn ends with a summary when a core crashes; audits name what is not there and accuse nobody who lived', async () => {
  const churn = place.mkctl('churn', '--seconds', '10', '--json');
  // Asked and killed without waiting for a command to start, which on a slow host would outlast the churn.
  const victim = place.record()!.processes.find(({ name }) => name === 'core-2')!;
  const access = accessOf(place.record()!.secret, null);
  await until('core 2 holds what another core has sent it', async () =>
    ((await callControl(victim.address, access, 'caps')) as { owner: number }[]).some(({ owner }) => owner !== 2),
  );
  process.kill(victim.pid, 'SIGKILL');
  const { stdout, stderr } = await churn;
  const report = JSON.parse(stdout) as { operations: number; wrong: unknown[]; lost: { core: number }[]; audit: Audit };
  expect({ stderr, ...report }).toMatchObject({ wrong: [], lost: [{ core: 2 }], audit: { cores: 3, violations: [] } });
  expect(report.operations).toBeGreaterThan(0);

  const dead = await place.mkctl('audit');
  expect(dead.status).toBe(1);
  expect(dead.stdout).toMatch(/^core 2 is not checked: its process has ended \(killed by SIGKILL\)$/m);
  expect(dead.stdout).toMatch(/capabilities on 3 cores: every invariant holds/);

  expect((await place.mkctl('restart', '2')).status).toBe(0);
  // What an earlier life of core 2 left with the others is not their fault, and is reported as not checkable.
  const after = await place.mkctl('audit', '--json');
  const { cores, absent, violations, reborn } = JSON.parse(after.stdout) as Audit;
  expect({ cores, absent, violations, reborn }).toEqual({
    cores: CORES,
    absent: [],
    violations: [],
    reborn: [{ core: 2, incarnation: 2 }],
  });
  expect(after.status).toBe(0);
});

test('whoever waits at the SKB is told for what, and a core that hangs hides nothing of the others', async () => {
  const holder = place.start('mkctl.cjs', ['oct', 'lock', 'a', '--for', '1h']);
  await until('the lock is held', () => holder.stdout.includes('held'));
  const commands = [
    ['lock', 'a', '--for', '1ms'],
    ['wait', 'never'],
    ['take', 'none'],
    ['permit', 'none'],
    ['barrier', 'b', '--count', '2'],
  ];
  const waiting = commands.map((args) => place.start('mkctl.cjs', ['oct', ...args]));
  const told = [
    /waiting for the lock "a", which ticket 1 holds$/m,
    /waiting for a record that matches never$/m,
    /waiting for the semaphore "none", which has none to give$/m,
    /waiting for the semaphore "none", which has none to give$/m,
    /waiting for the barrier "b": 1 of 2 have come$/m,
  ];
  for (const [i, running] of waiting.entries())
    await until(`oct ${commands[i]!.join(' ')} tells`, () => told[i]!.test(running.stderr));

  await place.mkctl('hang', '3');
  const { status, stdout, stderr } = await place.mkctl('mem', '--json');
  expect({ status, cores: (JSON.parse(stdout) as { core: number }[]).map(({ core }) => core) }).toEqual({
    status: 1,
    cores: [0, 1, 2],
  });
  expect(stderr).toMatch(/mkctl: core 3 is left out: core 3: TIMEOUT/);
});
