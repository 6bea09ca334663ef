import { spawnSync } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { builtProgram } from '../integration/built-programs.ts';
import { ClusterPlace, withoutWaiting } from '../integration/running-cluster.ts';

/** Standard output that fails: a reader that has seen enough is not an error, a full disk is. */

const place = new ClusterPlace();
beforeAll(async () => {
  await place.boot('--cores', '2');
});
afterAll(() => place.cleanUp());

interface Said {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program with its output to a file that accepts nothing. */
function ontoFullDisk(program: string, ...args: readonly string[]): Said {
  const full = openSync('/dev/full', 'w');
  try {
    const env = { ...process.env, MK_STATE_DIR: place.state };
    const run = spawnSync(process.execPath, [builtProgram(`${program}.cjs`), ...args], {
      env,
      encoding: 'utf8',
      stdio: ['ignore', full, 'pipe'],
    });
    return { status: run.status, stdout: '', stderr: withoutWaiting(run.stderr) };
  } finally {
    closeSync(full);
  }
}

/** `program args | head -1`, as a shell runs it, with the program's own status. */
function intoHead(program: string, ...args: readonly string[]): Said {
  const script = '"$0" "$@" | head -1; exit "${PIPESTATUS[0]}"';
  const env = { ...process.env, MK_STATE_DIR: place.state };
  return spawnSync('bash', ['-c', script, process.execPath, builtProgram(`${program}.cjs`), ...args], {
    env,
    encoding: 'utf8',
  });
}

describe('a full disk behind standard output is said in one line, with status 1', () => {
  test.each([
    ['mkctl', 'ps'],
    ['mkctl', 'cores', '--json'],
    ['mkctl', 'metrics'],
    ['mkctl', 'healthz'],
    ['mkctl', 'logs'],
    ['mkctl', 'skb', 'between(1, 100, X)'],
    ['mkctl', 'oct', 'set', 'full { a: 1 }'],
    ['mkctl', '--help'],
    ['mkctl', '--version'],
    ['mk-launch', 'sim', '--seed', '3', '--once', '--json'],
    ['mk-launch', 'sim', '--help'],
    ['mk-node', '--help'],
  ])('%s %s %s', (program, ...args) => {
    const { status, stderr } = ontoFullDisk(program, ...args);
    expect(stderr).toMatch(/^[\w-]+: standard output cannot be written: no space left on the device \(ENOSPC\)\n$/);
    expect(status).toBe(1);
  });

  test('mk-launch with a cluster says it once, keeps the cluster to its end, and ends with 1', () => {
    const { status, stderr } = ontoFullDisk('mk-launch', '--cores', '1', '--name', 'full', '--for', '100ms');
    expect(stderr).toBe('mk-launch: standard output cannot be written: no space left on the device (ENOSPC)\n');
    expect(status).toBe(1);
    expect(place.record('full')).toBeNull();
  });
});

describe('a reader that has enough is not an error', () => {
  test.each([
    ['mkctl', 'logs'],
    ['mkctl', 'metrics'],
    ['mkctl', 'skb', 'between(1, inf, X)', '--limit', '20000'],
    ['mkctl', 'logs', '--follow'],
    ['mkctl', '--help'],
    ['mk-launch', 'sim', '--help'],
    ['mk-node', '--help'],
  ])('%s %s … | head -1', (program, ...args) => {
    const { status, stdout, stderr } = intoHead(program, ...args);
    expect(stdout.split('\n')).toHaveLength(2);
    expect(stderr).not.toMatch(/EPIPE|Error|\bat /);
    expect(status).toBe(0);
  });

  test('a reader that leaves while a cluster boots ends the boot in order: one line, nothing left', () => {
    const { stderr } = intoHead('mk-launch', '--cores', '2', '--name', 'head', '--for', '1s');
    expect(['', 'mk-launch: interrupted during boot\n']).toContain(stderr);
    expect(place.record('head')).toBeNull();
  });
});
