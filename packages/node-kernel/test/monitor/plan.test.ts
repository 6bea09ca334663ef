import { expect, test } from '@jest/globals';
import { prune } from '@mk/node-kernel/monitor/agreement/plan';
import type { Route } from '@mk/monitor-proto/messages/fields';

const leaf = (core: number): Route => [core, []];
/** Packages of four: their first cores lead them. */
const TREE: readonly Route[] = [[4, [leaf(5), leaf(6), leaf(7)]], [8, [[9, [leaf(10)]], leaf(11)]], leaf(1)];
const over = (...cores: number[]): readonly Route[] => prune(TREE, (core) => cores.includes(core));

test('a tree over some of its cores stays one: the first below a leader that is not asked leads the others', () => {
  expect(over(4, 5, 6, 7, 8, 9, 10, 11, 1)).toEqual(TREE);
  expect(over(5, 6, 7)).toEqual([[5, [leaf(6), leaf(7)]]]);
  expect(over(4, 7, 1)).toEqual([[4, [leaf(7)]], leaf(1)]);
  expect(over(9, 10, 11)).toEqual([[9, [leaf(10), leaf(11)]]]);
  expect(over(10, 11)).toEqual([[10, [leaf(11)]]]);
  expect(over(8, 10)).toEqual([[8, [leaf(10)]]]);
  expect(over()).toEqual([]);
});

test('whoever is asked is in it once, however many there are', () => {
  const all = [1, 4, 5, 6, 7, 8, 9, 10, 11];
  for (let chosen = 0; chosen < 2 ** all.length; chosen += 1) {
    const cores = all.filter((_, i) => (chosen & (1 << i)) !== 0);
    const routes = over(...cores);
    expect(coresOf(routes).sort((a, b) => a - b)).toEqual(cores);
    // The sender sends at most as many messages as packages are asked.
    expect(routes.length).toBeLessThanOrEqual(TREE.length);
  }
});

function coresOf(routes: readonly Route[]): number[] {
  return routes.flatMap(([core, below]) => [core, ...coresOf(below)]);
}
