import { expect, test } from '@jest/globals';
import { createPrng } from '@mk/monitor-proto/prng';
import { digraphs, type Edge } from './digraphs.ts';
import { type Enough, Unmaps } from './unmaps.ts';
import { ViewWorld } from './view-world.ts';

/** The share of the graphs of five cores that runs here; `MK_ALL_GRAPHS=1` runs them all. */
const STRIDE = process.env['MK_ALL_GRAPHS'] === '1' ? 1 : 24;

/** Broken links, held for a while and healed, while all cores unmap: V1, V2 and V3 at every step, V4 in the end. */
function holdAndHeal(nodes: number, broken: readonly Edge[], seed: number, enough?: Enough): string | null {
  const world = new ViewWorld(nodes, createPrng(seed));
  const unmaps = new Unmaps(world, createPrng(seed).split('unmaps'), enough);
  world.run(600);
  for (const [from, to] of broken) world.cut(from, to);
  world.run(6000);
  world.heal();
  for (let waited = 0; waited < 40_000 && !world.converged && world.violations.length === 0; waited += 200)
    world.run(200);
  if (!world.converged || world.violations.length > 0) return world.describe();
  const { waiting } = unmaps;
  for (let waited = 0; waited < 5000 && waiting.some((id) => unmaps.waiting.includes(id)); waited += 200)
    world.run(200);
  const left = waiting.filter((id) => unmaps.waiting.includes(id));
  if (world.violations.length > 0) return world.describe();
  if (left.length > 0) return `V4: these unmaps do not return: ${left.join(', ')}`;
  return unmaps.returned > 0 ? null : 'no unmap has returned: nothing was asked';
}

test('the number of graphs is the known one', () => {
  expect([digraphs(2).length, digraphs(3).length, digraphs(4).length]).toEqual([3, 16, 218]);
});

test('V2 is asked: an unmap that returns when a majority has let go is found', () => {
  // Core 4 hears nobody and is heard by all: it has its lease for a while, and the translation.
  const deaf: readonly Edge[] = [0, 1, 2, 3].map((from): Edge => [from, 4]);
  expect(holdAndHeal(5, deaf, 1, (acked, members) => acked > members / 2)).toMatch(/V2: unmap \S+ has returned/);
  expect(holdAndHeal(5, deaf, 1)).toBeNull();
});

test('every graph of broken links among three and four cores', () => {
  for (const nodes of [3, 4])
    for (const [i, graph] of digraphs(nodes).entries())
      expect([JSON.stringify(graph), holdAndHeal(nodes, graph, i)]).toEqual([JSON.stringify(graph), null]);
});

test('graphs of broken links among five cores', () => {
  const graphs = digraphs(5);
  expect(graphs.length).toBe(9608);
  let run = 0;
  for (let i = 0; i < graphs.length; i += STRIDE) {
    const graph = graphs[i]!;
    expect([i, JSON.stringify(graph), holdAndHeal(5, graph, i)]).toEqual([i, JSON.stringify(graph), null]);
    run += 1;
  }
  process.stdout.write(`${run} of ${graphs.length} graphs of broken links among five cores were run\n`);
});
