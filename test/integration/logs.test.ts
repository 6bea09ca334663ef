import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { logLineError } from '../support/log-schema.ts';
import { ClusterPlace, type Running, until } from './running-cluster.ts';

const place = new ClusterPlace();
const folder = join(place.state, 'logs');
let launcher: Running;

beforeAll(async () => {
  mkdirSync(folder);
  ({ launcher } = await place.boot('--cores', '4', '--seed', '99', '--log-dir', folder, '--log-level', 'debug'));
});
afterAll(() => place.cleanUp());

interface Line {
  readonly event: string;
  readonly core: number | string;
  readonly incarnation: number;
  readonly seq: number;
  readonly op?: string;
}

function lines(text: string): Line[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line);
}

test('one operation is followed over all cores by its number', async () => {
  expect((await place.mkctl('bench', 'round', '--phases', '2', '--count', '1', '--from', '1')).status).toBe(0);
  const op = await until(
    'the round is logged',
    async () => lines((await place.mkctl('logs', '--event', 'round_finished', '--json')).stdout)[0]?.op,
  );
  expect(op).toMatch(/^1\.1\.\d+$/);
  const voted = await until('all cores have logged their votes', async () => {
    const rows = lines((await place.mkctl('logs', '--op', op, '--event', 'round_voted', '--json')).stdout);
    return rows.length >= 8 ? rows : null;
  });
  expect([...new Set(voted.map(({ core }) => core))].sort()).toEqual([0, 1, 2, 3]);
});

test('logs --follow prints what comes, and ends with the cluster', async () => {
  const follower = place.start('mkctl.cjs', ['logs', '--follow', '--event', 'fault_*', '--core', '0,launcher']);
  await place.mkctl('link', '0', '1', '--delay', '1ms');
  await place.mkctl('crash', '3');
  await place.mkctl('restart', '3');
  await until(
    'both are printed',
    () => follower.stdout.includes('fault_applied  rule=link:0-1:delay') && follower.stdout.includes('crash:3'),
  );
  launcher.child.kill('SIGINT');
  expect((await launcher.ended).status).toBe(0);
  expect((await follower.ended).status).toBe(0);
});

test('every line of every process is of the published form, numbered without a gap, and the seed is there', () => {
  const files = readdirSync(folder).sort();
  expect(files).toEqual([
    'core-0.jsonl',
    'core-1.jsonl',
    'core-2.jsonl',
    'core-3.jsonl',
    'launcher.jsonl',
    'skb.jsonl',
  ]);
  for (const file of files) {
    const text = readFileSync(join(folder, file), 'utf8');
    for (const line of text.trim().split('\n')) expect([file, line, logLineError(line)]).toEqual([file, line, null]);
    lines(text).reduce((last, { seq }) => {
      // A restarted core's file continues with a new process, which counts from 1.
      expect(seq === last + 1 || (file === 'core-3.jsonl' && seq === 1)).toBe(true);
      return seq;
    }, 0);
  }
  expect(readFileSync(join(folder, 'launcher.jsonl'), 'utf8')).toContain('"seed":"99"');
});
