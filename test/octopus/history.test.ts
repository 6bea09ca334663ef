/**
 * Histories of concurrent gets, sets, compare-and-sets and deletions are linearizable; the checker detects those that
 * are not.
 */
import { describe, expect, test } from '@jest/globals';
import type { Octopus } from '@mk/libmk/octopus/octopus';
import { OctopusHarness } from './harness.ts';
import type { Operation } from './linearizability.ts';
import { isLinearizable } from './linearizability.ts';

const at = (call: number, end: number, action: Operation['action']): Operation => ({
  process: 'p',
  call,
  return: end,
  action,
});

describe('the checker', () => {
  test('accepts what overlaps in any order, refuses what was over', () => {
    const set = at(0, 10, { kind: 'set', value: 1 });
    expect(isLinearizable([set, at(1, 2, { kind: 'get', result: null }), at(3, 4, { kind: 'get', result: 1 })])).toBe(
      true,
    );
    expect(isLinearizable([set, at(1, 2, { kind: 'get', result: 1 }), at(3, 4, { kind: 'get', result: null })])).toBe(
      false,
    );
    expect(isLinearizable([set, at(11, 12, { kind: 'get', result: null })])).toBe(false);
  });

  test('two compare-and-sets from one value cannot both succeed', () => {
    const both = [2, 3].map((value) => at(11, 20, { kind: 'cas', expected: 1, value, succeeded: true }));
    expect(isLinearizable([at(0, 10, { kind: 'set', value: 1 }), ...both])).toBe(false);
  });
});

async function act(octopus: Octopus, choice: number, value: number, expected: number): Promise<Operation['action']> {
  if (choice < 4)
    return { kind: 'get', result: ((await octopus.get('key'))?.attributes['v'] as number | undefined) ?? null };
  if (choice < 6) {
    await octopus.set(`key { v: ${value} }`);
    return { kind: 'set', value };
  }
  if (choice < 9)
    return {
      kind: 'cas',
      expected,
      value,
      succeeded: await octopus.compareAndSet(`key { v: ${value}, v: == ${expected} }`),
    };
  return { kind: 'del', existed: await octopus.delete('key') };
}

test.each(Array.from({ length: 20 }, (_, seed) => seed))('8 cores, 15 operations each (seed %i)', async (seed) => {
  const harness = new OctopusHarness(seed);
  let clock = 0;
  let state = seed;
  const below = (bound: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % bound;
  };
  const history: Operation[] = [];
  await Promise.all(
    Array.from({ length: 8 }, async (_, core) => {
      const octopus = harness.client(`c${core}`);
      for (let index = 0; index < 15; index++) {
        const call = clock++;
        const action = await act(octopus, below(10), below(4), below(4));
        history.push({ process: `c${core}`, call, return: clock++, action });
      }
    }),
  );
  expect(isLinearizable(history)).toBe(true);
});
