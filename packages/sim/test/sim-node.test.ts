import { expect, it } from '@jest/globals';
import { SimNode, type Waiting } from '@mk/sim/engine/sim-node';

const waiting = (link: number): Waiting => ({ event: { type: 'link_up', link, first: null }, costNs: 0 });

it('a node’s queue gives events in their order and keeps none of those that it gave, though it never gets empty', () => {
  const node = new SimNode(0);
  let [put, taken] = [0, 0];
  for (let i = 0; i < 3; i++) node.enqueue(waiting(put++));
  for (let i = 0; i < 1000; i++) {
    node.enqueue(waiting(put++));
    expect(node.dequeue()).toEqual(waiting(taken++));
    expect(node.queued).toBe(3);
    const { waiting: kept } = node as unknown as { readonly waiting: readonly (Waiting | null)[] };
    expect(kept.filter((item) => item !== null)).toHaveLength(3);
    expect(kept.length).toBeLessThan(200);
  }
});
