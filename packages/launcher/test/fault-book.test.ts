import { expect, test } from '@jest/globals';
import type { FaultRule } from '@mk/monitor-proto/link/fault-rule';
import { FaultBook } from '../src/supervisor/fault-book.ts';

const link = (id: string, from: number, to: number, forNs: number | null = null, both = true): FaultRule => ({
  kind: 'link',
  id,
  for_ns: forNs,
  from: [from],
  to: [to],
  both,
  settings: { delay_ns: 1 },
});
const cut = (id: string): FaultRule => ({ kind: 'isolate', id, for_ns: null, cores: [1] });

test('a new core gets the rules that concern what it sends, with the time that they have left', () => {
  const book = new FaultBook();
  book.add(link('a', 0, 1, 5_000_000_000), [], 1000);
  book.add(link('b', 2, 3), [], 1000);
  book.add(cut('c'), [], 1000);
  expect(book.forNewCore(1, 3000)).toEqual([link('a', 0, 1, 3_000_000_000), cut('c')]);
  expect(book.forNewCore(1, 7000)).toEqual([cut('c')]);
});

test('one direction concerns its sender only', () => {
  const book = new FaultBook();
  book.add(link('a', 0, 1, null, false), [], 0);
  expect([book.forNewCore(0, 0).length, book.forNewCore(1, 0).length]).toEqual([1, 0]);
});

test('a core that missed a rule is told once', () => {
  const book = new FaultBook();
  book.add(cut('a'), [3], 0);
  expect(book.takeMissed(2, 0)).toEqual([]);
  expect(book.takeMissed(3, 0)).toEqual([cut('a')]);
  expect(book.takeMissed(3, 0)).toEqual([]);
});

test('what is healed is forgotten; a rule of the same id replaces the old one', () => {
  const book = new FaultBook();
  book.add(link('a', 0, 1), [], 0);
  book.add({ ...cut('a') }, [], 0);
  book.add(link('b', 0, 1), [], 0);
  expect(book.forNewCore(0, 0)).toEqual([cut('a'), link('b', 0, 1)]);
  book.heal({ from: 1, to: 0 });
  expect(book.forNewCore(0, 0)).toEqual([cut('a')]);
  book.heal({ id: 'a' });
  expect(book.forNewCore(0, 0)).toEqual([]);
  book.add(cut('a'), [], 0);
  book.heal('all');
  expect(book.forNewCore(0, 0)).toEqual([]);
});
