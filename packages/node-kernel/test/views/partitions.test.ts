import { expect, test } from '@jest/globals';
import { createPrng } from '@mk/monitor-proto/prng';
import { digraphs, type Edge } from './digraphs.ts';
import { ViewWorld } from './view-world.ts';

/** Which share of the graphs of five cores runs here; `MK_ALL_GRAPHS=1` runs them all. */
const STRIDE = process.env['MK_ALL_GRAPHS'] === '1' ? 1 : 24;

/** Broken links, held for a while and healed: V1 and V3 at every step, V4 in the end. */
function holdAndHeal(nodes: number, broken: readonly Edge[], seed: number): string | null {
  const world = new ViewWorld(nodes, createPrng(seed));
  world.run(600);
  for (const [from, to] of broken) world.cut(from, to);
  world.run(6000);
  world.heal();
  for (let waited = 0; waited < 40_000 && !world.converged && world.violations.length === 0; waited += 200)
    world.run(200);
  return world.converged && world.violations.length === 0 ? null : world.describe();
}

test('the number of graphs is the known one', () => {
  expect([digraphs(2).length, digraphs(3).length, digraphs(4).length]).toEqual([3, 16, 218]);
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
