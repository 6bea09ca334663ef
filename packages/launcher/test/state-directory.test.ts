import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { UsageError } from '../src/cli/usage-error.ts';
import { bootId, identityOf, isRunning, signal } from '@mk/libmk/io/process-identity';
import type { ClusterRecord } from '@mk/libmk/io/cluster-record';
import { checkClusterName } from '../src/cli/cluster-name.ts';
import { StateDirectory } from '../src/state/state-directory.ts';
import { stateDirectoryPath } from '@mk/libmk/io/state-path';

let path: string;
let state: StateDirectory;
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'mk-state-')), 'deep', 'state');
  state = new StateDirectory(path);
});
afterEach(() => rmSync(join(path, '..', '..'), { recursive: true, force: true }));

/** Beyond the pids of Linux. */
const NOBODY = 2 ** 22 + 1;

function record(name: string, pid: number): ClusterRecord {
  const supervisor = { name: 'supervisor', ...identityOf(pid), address: '127.0.0.1:1' };
  return {
    version: 1,
    name,
    seed: '7',
    machine: 'flat',
    createdAt: 'now',
    secret: 'ab'.repeat(32),
    detached: false,
    logDir: null,
    supervisor,
    processes: [],
  };
}

test('a record is for its owner’s eyes, and is read back', () => {
  state.claim(record('a', process.pid));
  expect(statSync(state.fileOf('a')).mode & 0o777).toBe(0o600);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(state.read('a')).toEqual(record('a', process.pid));
  state.update({ ...record('a', process.pid), seed: '8' });
  expect(state.read('a')!.seed).toBe('8');
  expect(readdirSync(path)).toEqual(['a.json']);
});

test('a name that runs cannot be claimed; one whose processes are gone can', () => {
  state.claim(record('a', process.pid));
  expect(() => state.claim(record('a', process.pid))).toThrow(UsageError);
  state.claim(record('b', NOBODY));
  state.claim(record('b', process.pid));
  expect(state.running().map(({ name }) => name)).toEqual(['a', 'b']);
});

test('clusters of which nothing runs are forgotten, and so is a file that is not a record', () => {
  state.claim(record('gone', NOBODY));
  writeFileSync(state.fileOf('broken'), '{"version":1}');
  expect(state.running()).toEqual([]);
  expect(state.read('gone')).toBeNull();
  expect(state.read('broken')).toBeNull();
});

test('a process is not taken for a later one of the same number', () => {
  const self = identityOf(process.pid);
  expect(isRunning(self)).toBe(true);
  expect(isRunning({ ...self, startedTicks: '1' })).toBe(false);
});

test('names become file names', () => {
  for (const name of ['', '../a', 'a/b', '.a', 'a b', 'x'.repeat(42)])
    expect(() => checkClusterName(name)).toThrow(UsageError);
  expect(checkClusterName('run-7.b')).toBe('run-7.b');
});

test('the directory is MK_STATE_DIR, then XDG_RUNTIME_DIR, then the home folder', () => {
  expect(stateDirectoryPath({ MK_STATE_DIR: '/x', XDG_RUNTIME_DIR: '/tmp' })).toBe('/x');
  expect(stateDirectoryPath({ XDG_RUNTIME_DIR: '/tmp' })).toBe('/tmp/mk');
  expect(stateDirectoryPath({})).toMatch(/\.mk$/);
});

test('a process that could not be started has no number that means others', () => {
  for (const pid of [-1, 0, 1]) expect(isRunning({ pid, startedTicks: null })).toBe(false);
});

test('a number without a start time belongs to nobody that we know: no signal goes there', () => {
  expect(isRunning({ pid: process.pid, startedTicks: null })).toBe(false);
  expect(signal({ pid: process.pid, startedTicks: null }, 'SIGKILL')).toBe(false);
  expect(signal({ pid: process.ppid, startedTicks: '1' }, 'SIGKILL')).toBe(false);
});

test('a record of an earlier boot of the host is forgotten, whoever has its numbers now', () => {
  state.claim({ ...record('a', process.pid), bootId: 'an earlier one' });
  expect(state.running()).toEqual([]);
  state.claim({ ...record('a', process.pid), bootId: bootId() });
  expect(state.running()).toHaveLength(1);
});

test('a relative folder is made absolute, and one that this user cannot write is passed over', () => {
  expect(stateDirectoryPath({ MK_STATE_DIR: 'a/b' })).toBe(join(process.cwd(), 'a/b'));
  const nowhere = { XDG_RUNTIME_DIR: join(path, 'x'), HOME: join(path, 'y') };
  expect(stateDirectoryPath(nowhere)).toBe(join(tmpdir(), `mk-${process.getuid!()}`));
});
