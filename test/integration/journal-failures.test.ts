import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ClusterPlace, type Outcome, type Running, until } from './running-cluster.ts';

/*
 * A failing journal is reported at boot, in /healthz and by every refused write; nothing that cannot be stored is
 * acknowledged; and it works again, without a restart, once the cause is gone.
 */
let place: ClusterPlace;
let dataDir: string;
let launcher: Running | null;

beforeEach(() => {
  place = new ClusterPlace();
  dataDir = join(mkdtempSync(join(tmpdir(), 'mk-journal-')), 'data');
  launcher = null;
});
afterEach(async () => {
  launcher?.child.kill('SIGINT');
  await launcher?.ended;
  await place.cleanUp();
});

async function boot(): Promise<void> {
  ({ launcher } = await place.boot('--cores', '1', '--data-dir', dataDir));
}

async function health(): Promise<{ readonly status: number; readonly journal: string }> {
  const { address } = await until('the SKB is written down', () =>
    place.record()?.processes.find(({ name, address: known }) => name === 'skb' && known !== ''),
  );
  const answer = await fetch(`http://${address}/healthz`);
  const { journal } = (await answer.json()) as { journal: string };
  return { status: answer.status, journal };
}

const set = (name: string): Promise<Outcome> => place.mkctl('oct', 'set', `${name} { n: 1 }`);

async function names(): Promise<readonly string[]> {
  const { stdout } = await place.mkctl('oct', 'names', '_');
  return stdout.split('\n').filter((line) => line !== '');
}

/** Sets records until one is accepted; earlier refusals have said why. */
async function setWhenPossible(name: string): Promise<void> {
  await until(`${name} is acknowledged`, async () => {
    const { status, stderr } = await set(name);
    if (status !== 0) expect(stderr).toContain('JOURNAL_FAILED');
    return status === 0;
  });
}

test('garbage where the journal should be', async () => {
  mkdirSync(dataDir, { recursive: true });
  const path = join(dataDir, 'journal.sqlite');
  writeFileSync(path, 'garbage, '.repeat(1_000));
  await boot();
  expect(launcher!.stderr).toContain('it is not a journal (not an SQLite file)');
  const { status, journal } = await health();
  expect(status).toBe(503);
  expect(journal).toMatch(/^failed: /);
  const { status: refused, stderr } = await set('early');
  expect(refused).toBe(1);
  expect(stderr).toContain('JOURNAL_FAILED');
  expect(stderr).toContain('journal.sqlite');
  renameSync(path, `${path}.aside`);
  await until('the journal is open', async () => (await health()).journal === 'open');
  await setWhenPossible('late');
  expect((await place.mkctl('restart', 'skb')).status).toBe(0);
  expect(await names()).toEqual(['late']);
});

test('the folder is deleted under it, and a file stands in its way for a while', async () => {
  await boot();
  await setWhenPossible('before');
  // Moved first: the SKB may write a file into it while it is deleted.
  renameSync(dataDir, `${dataDir}.gone`);
  writeFileSync(dataDir, 'in the way');
  rmSync(`${dataDir}.gone`, { recursive: true, maxRetries: 10 });
  await until('the failure is said', async () => (await health()).status === 503);
  expect((await health()).journal).toMatch(/not a folder|deleted or replaced|EEXIST/);
  expect((await set('meanwhile')).stderr).toContain('JOURNAL_FAILED');
  expect((await place.mkctl('skb', '--file', rulesFile('r.pl', 'r(1).'))).stderr).toContain('JournalFailed');
  rmSync(dataDir);
  await until('the journal is open', async () => (await health()).status === 200);
  await setWhenPossible('after');
  expect((await place.mkctl('restart', 'skb')).status).toBe(0);
  expect(await names()).toEqual(expect.arrayContaining(['after', 'before']));
});

test('a second SKB on the same directory is refused, while the first one runs; after its kill −9 it is not', async () => {
  await boot();
  await setWhenPossible('mine');
  const second = await place.launch('--name', 'second', '--cores', '1', '--data-dir', dataDir).ended;
  expect(second.status).toBe(2);
  expect(second.stdout + second.stderr).toContain('JOURNAL_TAKEN');
  expect((await set('mine_too')).status).toBe(0);
  for (const { pid } of place.record()!.processes) process.kill(pid, 'SIGKILL');
  launcher!.child.kill('SIGKILL');
  await launcher!.ended;
  await boot();
  expect(await names()).toEqual(['mine', 'mine_too']);
});

test('rules that call one another are there after a restart, whatever their names', async () => {
  await boot();
  for (const [name, text] of [
    ['z.pl', 'base(1).\nbase(2).'],
    ['a.pl', '\ufeffdouble(Y) :- base(X), Y is 2 * X.'],
    ['z.pl', 'base(X) :- member(X, [3]).\nother(X) :- double(X).'],
    ['gone.pl', 'gone(7).'],
    ['b.pl', 'perhaps(X) :- gone(X).\nperhaps(0).'],
    ['gone.pl', ''],
  ] as const)
    expect(await place.mkctl('skb', '--file', rulesFile(name, text))).toMatchObject({ status: 0, stderr: '' });
  for (let life = 0; life < 2; life++) {
    expect((await place.mkctl('skb', 'other(X)')).stdout).toBe('{"X":6}\n');
    expect((await place.mkctl('skb', 'perhaps(X)')).stdout).toBe('{"X":0}\n');
    expect((await place.mkctl('restart', 'skb')).status).toBe(0);
  }
});

function rulesFile(name: string, text: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'mk-rules-')), name);
  writeFileSync(path, text);
  return path;
}
