import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ClusterPlace, type Outcome } from './running-cluster.ts';

/** `--json` is JSON: every command's output and every error, with keys in one spelling. */

const place = new ClusterPlace();
beforeAll(async () => {
  await place.boot('--cores', '2');
});
afterAll(() => place.cleanUp());

const json = (...args: string[]): Promise<Outcome> => place.mkctl(...args, '--json');

/** The documents in a text: one over many lines, or one per line. */
function documents(text: string): unknown[] {
  try {
    return [JSON.parse(text)];
  } catch {
    return text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
  }
}

function keysIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(keysIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [key, ...keysIn(inner)]);
}

test.each([
  ['ps'],
  ['cores'],
  ['links'],
  ['faults'],
  ['metrics'],
  ['healthz'],
  ['caps'],
  ['audit'],
  ['tree', '0'],
  ['ping', '0', '1'],
  ['bench', 'round', '--count', '2'],
  ['bench', 'flood', '0', '1', '--count', '10'],
  ['bench', 'revoke', '--count', '2'],
  ['place', '2'],
  ['run', 'ring', '--rounds', '2'],
  ['oct', 'set', 'a { b: 1 }'],
  ['oct', 'get', 'a'],
  ['oct', 'names', '_'],
  ['oct', 'barrier', 'b', '--count', '1'],
  ['oct', 'lock', 'l', '--for', '1ms'],
  ['oct', 'post', 's'],
  ['oct', 'take', 's'],
  ['oct', 'publish', 'news { a: 1 }'],
  ['oct', 'del', 'a'],
  ['link', '0', '1', '--delay', '1ms'],
  ['hang', '1', '--for', '100ms'],
  ['heal'],
])('mkctl %s %s %s …', async (...args) => {
  const { status, stdout, stderr } = await json(...args);
  expect([status, stderr]).toEqual([0, '']);
  const found = documents(stdout);
  expect(found.length).toBeGreaterThan(0);
  expect(keysIn(found).filter((key) => /^[a-z]+[a-z0-9]*[A-Z]/.test(key))).toEqual([]);
});

test.each([
  [['oct', 'get', 'nothing'], 1, 'NO_RECORD'],
  [['ping', '0', '99'], 1, 'PEER_UNKNOWN'],
  [['crash', '99'], 1, 'FAILED'],
  [['pign'], 2, 'BAD_REQUEST'],
  [['ping', '0', '1', '--count', 'x'], 2, 'BAD_REQUEST'],
  [['ps', '--cluster', 'no-such'], 2, 'BAD_REQUEST'],
])('the error of mkctl %j', async (args, exitStatus, error) => {
  const { status, stdout, stderr } = await json(...args);
  expect([status, stdout]).toEqual([exitStatus, '']);
  expect(JSON.parse(stderr)).toEqual({ error, text: expect.any(String), exit_status: exitStatus });
});
