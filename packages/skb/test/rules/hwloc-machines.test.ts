/**
 * What the rules say about a machine file is what the links and the simulator charge: both use the same description.
 */
import { expect, test } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import { loadMachine } from '@mk/machine/io/load';
import { Machine } from '@mk/machine/machine';
import { machineFacts } from '../../src/facts/machine-facts.ts';
import { startEngine } from '../engine/engine-for-tests.ts';

const DATA = fileURLToPath(new URL('../../../machine/test/data/', import.meta.url));

test.each([
  'cases/two-nodes-per-package.xml',
  'cases/snc-in-one-package.xml',
  'cases/memory-node-at-root-first.xml',
  'cases/cpukinds.xml',
  'cases/pu-local-to-no-node.xml',
  'cases/y-cache-overlap.yaml',
  'generated/2pack-2die-l3-smt.xml',
  'hwloc/fakecpukinds.xml',
])('relation, send_ns and receive_ns of every pair of %s', async (file) => {
  const loaded = loadMachine(DATA + file, '/nowhere');
  if (!loaded.ok) throw new Error(loaded.error);
  const machine = new Machine(loaded.value);
  const engine = startEngine();
  try {
    await engine.updateFacts({ add: machineFacts(loaded.value) });
    const goal = 'running_core(A), running_core(B), relation(A, B, R), send_ns(A, B, S), receive_ns(A, B, T)';
    const { solutions } = await engine.query(goal, { timeLimitMs: 20_000, maxSolutions: 10_000 });
    expect(solutions).toHaveLength(machine.cores ** 2);
    for (const { bindings } of solutions) {
      const [a, b] = [Number(bindings['A']), Number(bindings['B'])];
      expect([a, b, bindings['R']]).toEqual([a, b, machine.relation(a, b)]);
      expect(Number(bindings['S'])).toBeCloseTo(machine.sendOccupancyNs(a, b), 6);
      expect(Number(bindings['T'])).toBeCloseTo(machine.receiveOccupancyNs(a, b), 6);
    }
  } finally {
    await engine.close();
  }
});
