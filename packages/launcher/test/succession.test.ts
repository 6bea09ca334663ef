import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { ClusterRecord } from '@mk/libmk/io/cluster-record';
import { bootId, identityOf, isRunning, type ProcessIdentity } from '@mk/libmk/io/process-identity';
import type { ClusterConfig } from '../src/boot/cluster-config.ts';
import { StateDirectory } from '../src/state/state-directory.ts';
import { readHandover, succeed, writeHandover } from '../src/state/succession.ts';
import { AdoptedBody } from '../src/supervisor/adopted-body.ts';
import { openErrors } from '../src/supervisor/error-file.ts';
import { takeOver } from '../src/supervisor/take-over.ts';

let path: string;
let state: StateDirectory;
let sleeper: ChildProcess;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'mk-heir-'));
  state = new StateDirectory(path);
  sleeper = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1e6)'], { stdio: 'ignore' });
});
afterEach(() => {
  sleeper.kill('SIGKILL');
  rmSync(path, { recursive: true, force: true });
});

const CONFIG: ClusterConfig = {
  name: 'a',
  cores: 0,
  machineName: 'flat',
  machine: {},
  timeScale: 0,
  maxCores: 4,
  latencyNs: 0,
  jitterNs: 0,
  seed: '7',
  secret: 'ab'.repeat(32),
  logLevel: 'off',
  logDir: null,
  detached: true,
  listenHost: '127.0.0.1',
  port: 0,
  bootTimeoutMs: 1000,
  measure: false,
};
/** Pids beyond those of Linux. */
const GONE: ProcessIdentity = { pid: 2 ** 22 + 1, startedTicks: '1' };
const ALSO_GONE = 2 ** 22 + 2;

function record(supervisor: ProcessIdentity, processes: ClusterRecord['processes'] = []): ClusterRecord {
  return {
    version: 1,
    name: 'a',
    seed: '7',
    machine: 'flat',
    createdAt: 'now',
    bootId: bootId(),
    secret: 'ab'.repeat(32),
    detached: true,
    logDir: null,
    supervisor: { name: 'supervisor', ...supervisor, address: '' },
    processes,
  };
}

const heirs = (): string[] => readdirSync(path).filter((name) => name.includes('.heir'));

test('SU1: one heir; who comes second is refused; an heir that died is followed in its turn', () => {
  const old = record(GONE);
  state.update(old);
  succeed(path, old, ALSO_GONE); // and died before writing anything
  succeed(path, old);
  expect(() => succeed(path, old)).toThrow(`is being taken over by process ${process.pid}`);
  // The record names the heir: its files go, and no others.
  state.update({ ...record(GONE), name: 'a.heir-1-2' });
  state.update({ ...old, supervisor: { name: 'supervisor', ...identityOf(process.pid), address: '' } });
  expect(() => succeed(path, old)).toThrow('is being taken over by process');
  state.remove('a');
  expect(heirs()).toEqual(['a.heir-1-2.json']);
});

test('SU2: nobody follows a supervisor that runs, or one that was followed while the record was being read', () => {
  expect(() => succeed(path, record(identityOf(process.pid)))).toThrow('there is nothing to take over');
  const old = record(GONE);
  state.update(record(identityOf(process.pid)));
  expect(() => succeed(path, old)).toThrow('there is nothing to take over');
  state.update(record({ pid: ALSO_GONE, startedTicks: '1' }));
  expect(() => succeed(path, old)).toThrow('is being taken over'); // because of what this process left above
  state.remove('a');
  expect(() => succeed(path, old)).toThrow('taken over, or ended, by somebody else');
});

test('what is left to a successor is its owner’s to read, and of the cluster of that secret', () => {
  const config = { name: 'a', secret: 'ab'.repeat(32), detached: true } as ClusterConfig;
  writeHandover(path, { config, takeovers: 2, cores: 3 });
  expect(statSync(join(path, 'a.handover')).mode & 0o777).toBe(0o600);
  expect(readHandover(path, record(GONE))).toEqual({ config, takeovers: 2, cores: 3 });
  expect(readHandover(path, { ...record(GONE), secret: 'cd'.repeat(32) })).toBeNull();
  writeFileSync(join(path, 'a.handover'), '{"config":{}}');
  expect(readHandover(path, record(GONE))).toBeNull();
});

test('a record of which nothing runs, and a cluster that was not detached, are refused and stay as they are', async () => {
  const stale = record(GONE, [{ name: 'skb', ...GONE, address: '' }]);
  state.update(stale);
  await expect(takeOver('a', {}, state)).rejects.toThrow('no process of a cluster named a runs here');
  const running = { name: 'skb', ...identityOf(sleeper.pid!), address: '' };
  state.update({ ...record(GONE, [running]), detached: false });
  await expect(takeOver('a', {}, state)).rejects.toThrow('was not started with --detach');
  // A pid that was reassigned since is not that process.
  state.update(record(GONE, [{ ...running, startedTicks: '1' }]));
  await expect(takeOver('a', {}, state)).rejects.toThrow('no process of a cluster named a runs here');
  expect(isRunning(running)).toBe(true);
});

test('the third supervisor knows the SKB’s port though the first died during the boot, before it knew it', async () => {
  const skb = { name: 'skb', ...identityOf(sleeper.pid!), address: '127.0.0.1:7654' };
  const old = record(GONE, [skb]);
  state.update(old);
  writeHandover(path, { config: CONFIG, takeovers: 0, cores: 0 });
  const second = await takeOver('a', {}, state);
  try {
    expect(readHandover(path, old)).toMatchObject({ takeovers: 1, config: { port: 7654 } });
  } finally {
    await second.closeNow();
  }
});

test('an adopted process is one by number and start time: signals reach it alone, and its end is noticed', async () => {
  const identity = identityOf(sleeper.pid!);
  const ended = (body: AdoptedBody): Promise<string> =>
    new Promise((resolve) => {
      const nothing = (): void => undefined;
      body.listen({ said: nothing, logged: nothing, errorLine: nothing, notStarted: nothing, ended: resolve });
    });
  const other = new AdoptedBody({ ...identity, startedTicks: '1' }, null);
  other.signal('SIGKILL');
  expect(await ended(other)).toContain('unknown how');
  expect(isRunning(identity)).toBe(true);
  const body = new AdoptedBody(identity, null);
  const end = ended(body);
  body.signal('SIGKILL');
  await end;
  expect(isRunning(identity)).toBe(false);
});

test('the last words of an adopted process are those of its own life, not of one before that wrote into the same file', async () => {
  const file = join(path, 'logs', 'core-1.stderr');
  const words = (): Promise<readonly string[]> =>
    new Promise((resolve) => {
      const lines: string[] = [];
      const nothing = (): void => undefined;
      const errorLine = (line: string): void => void (line !== '' && lines.push(line));
      const body = new AdoptedBody(GONE, file);
      body.listen({ said: nothing, logged: nothing, errorLine, notStarted: nothing, ended: () => resolve(lines) });
    });
  const first = openErrors(file)!;
  writeSync(first, 'Error: out of luck\n');
  closeSync(first);
  expect(await words()).toEqual(['Error: out of luck']);
  closeSync(openErrors(file)!);
  expect(await words()).toEqual([]);
});
