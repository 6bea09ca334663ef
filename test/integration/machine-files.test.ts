import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ClusterPlace, type ReadyMessage, until } from './running-cluster.ts';

/*
 * Machine files on real processes: how many cores boot, what the knowledge base says about them, and machines too large
 * for any environment variable.
 */
const CASES = fileURLToPath(new URL('../../packages/machine/test/data/cases/', import.meta.url));

let place: ClusterPlace;
beforeEach(() => {
  place = new ClusterPlace();
});
afterEach(() => place.cleanUp());

async function boot(...args: string[]): Promise<ReadyMessage> {
  const launcher = place.launch('--detach', '--time-scale', '0', ...args);
  const ready = await launcher.message<ReadyMessage>('ready');
  expect((await launcher.ended).status).toBe(0);
  return ready;
}

async function ask(goal: string): Promise<unknown[]> {
  const { stdout } = await place.mkctl('skb', goal);
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as unknown);
}

test('a machine file boots one core a processing unit, and its facts are those of the file', async () => {
  expect((await boot('--machine', join(CASES, 'smt.xml'))).cores).toBe(4);
  expect(await ask('cpu_thread(C, P, I, T), corename(C, _, apic(A)).')).toEqual([
    { A: 0, C: 0, I: 0, P: 0, T: 0 },
    { A: 2, C: 1, I: 0, P: 0, T: 1 },
    { A: 1, C: 2, I: 1, P: 0, T: 0 },
    { A: 3, C: 3, I: 1, P: 0, T: 1 },
  ]);
});

test('with --cores the facts describe so many, and a core that is added is described when it joins', async () => {
  await boot('--machine', join(CASES, 'two-nodes-per-package.xml'), '--cores', '3');
  expect(await ask('cpu_thread(C, _, _, _).')).toEqual([{ C: 0 }, { C: 1 }, { C: 2 }]);
  expect(await ask('aggregate_all(count, numa_node(_, _, _, _), N).')).toEqual([{ N: 2 }]);
  expect((await place.mkctl('add', '1')).status).toBe(0);
  await until('core 3 is described', async () => (await ask('cpu_thread(3, _, _, _).')).length === 1);
});

test('200 packages are no matter of an environment’s size, detached or not', async () => {
  const file = join(place.state, '200.yaml');
  writeFileSync(file, 'name: m\npackages: { count: 200, cores: 1 }\n');
  expect((await boot('--machine', file, '--cores', '2')).cores).toBe(2);
});

test('a file that cannot be is refused in one line', async () => {
  const launcher = place.launch('--machine', join(CASES, 'newline-in-index.xml'));
  const { status, stderr } = await launcher.ended;
  expect(status).toBe(2);
  expect(stderr.trim()).not.toContain('\n');
  const { text } = JSON.parse(stderr) as { readonly text: string };
  expect(text).toMatch(/^--machine: [^\n\u001b]*which is not a whole number$/);
});

test('with --occupancy messages leave and are taken one after the other, as the machine says', async () => {
  const launcher = place.launch('--detach', '--machine', 'amd-2x2', '--cores', '2', '--occupancy');
  expect((await launcher.ended).status).toBe(0);
  // A message to the same package occupies its receiver for 50 cycles at 2.8 GHz, 17,000 times slower; it cannot take
  // less.
  const { stdout } = await place.mkctl('bench', 'flood', '0', '1', '--count', '500', '--json');
  const { received, lost, elapsed_ns: elapsedNs } = JSON.parse(stdout) as Record<string, number>;
  expect({ received, lost }).toEqual({ received: 500, lost: 0 });
  expect(elapsedNs).toBeGreaterThan(500 * (50 / 2.8) * 17_000);
});
