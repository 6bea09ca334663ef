import { expect, test } from '@jest/globals';
import { membershipChecker } from '@mk/sim/checkers/membership';
import type { SimLogLine } from '@mk/sim/engine/sim-log';
import { SimNode } from '@mk/sim/engine/sim-node';

/** R3 of what core 1 took: by whom it was introduced to which life of core 2. */
function reported(...introductions: readonly (readonly [skb: string, incarnation: number])[]): readonly string[] {
  const checker = membershipChecker();
  const node = new SimNode(1);
  const found: string[] = [];
  const line = (fields: object): void =>
    checker.line?.(
      { core: 1, incarnation: 2, ...fields } as unknown as SimLogLine,
      (number) => found.push(number),
      node,
    );
  for (const [skb, incarnation] of introductions) {
    line({ event: 'message_delivered', message: 'bind_monitor_request', channel: `${skb}>1b` });
    line({ event: 'join_step', step: 'bind_monitor_request', peer: 2, peer_incarnation: incarnation });
  }
  return found;
}

test('one life of the SKB introduces a pair once', () => {
  expect(reported(['a', 1], ['a', 1])).toEqual(['R3']);
  expect(reported(['a', 1], ['a', 2])).toEqual([]);
});

// Seed 3043 of `sim run litmus --cores 4 --nemesis`: core 1 hung while the SKB died.
test('what a core that hung takes of an earlier life does not count against the next', () => {
  expect(reported(['a', 1], ['b', 1])).toEqual([]);
});
