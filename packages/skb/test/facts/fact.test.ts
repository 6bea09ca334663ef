/** Facts survive the way through Prolog's text: the answer equals what was asserted; the store is a set. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { WorkerEngine } from '../../src/engine/io/worker-engine.ts';
import type { JsonTerm } from '@mk/monitor-proto/knowledge/query';
import { FactStore } from '../../src/facts/fact-store.ts';
import type { FactTerm } from '../../src/facts/fact.ts';
import { ANY, fact } from '../../src/facts/fact.ts';
import { startEngine } from '../engine/engine-for-tests.ts';

let engine: WorkerEngine;

beforeAll(() => {
  engine = startEngine();
});

afterAll(() => engine.close());

/** Without NUL, which Prolog's atoms may contain but JavaScript's conversion truncates at. */
const text = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((value) => !value.includes('\0'));
const term = fc.letrec<{ term: FactTerm }>((tie) => ({
  term: fc.oneof(
    { maxDepth: 3 },
    text,
    text.map((string) => ({ string })),
    fc.maxSafeInteger(),
    fc.bigInt({ min: 2n ** 60n, max: 2n ** 70n }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.array(tie('term'), { maxLength: 3 }),
    fc.record({ functor: text, args: fc.array(tie('term'), { minLength: 1, maxLength: 3 }) }),
  ),
})).term;

/** What the engine answers for a term. */
function asJson(value: FactTerm): JsonTerm {
  if (typeof value === 'bigint') return { integer: String(value) };
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    return { integer: String(BigInt(value)) };
  }
  if (typeof value !== 'object') return value === 0 ? 0 : value;
  if (Array.isArray(value)) return (value as readonly FactTerm[]).map(asJson);
  if ('string' in value) return value.string;
  const { functor, args } = value as { functor: string; args: readonly FactTerm[] };
  return { functor, args: args.map(asJson) };
}

test('what is asserted is what is answered', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(term, { minLength: 1, maxLength: 4 }), async (args) => {
      await engine.updateFacts({
        remove: [{ name: 'probe', args: args.map(() => ANY) }],
        add: [fact('probe', ...args)],
      });
      const names = args.map((_, index) => `A${index}`);
      const { solutions } = await engine.query(`probe(${names.join(', ')})`, { timeLimitMs: 30_000 });
      expect(solutions).toHaveLength(1);
      expect(Object.values(solutions[0]?.bindings ?? {})).toEqual(args.map(asJson));
    }),
    { numRuns: 300 },
  );
});

test('the store is a set that patterns take from', () => {
  const store = new FactStore();
  expect(
    store.apply({ add: [fact('p', 1, 'a'), fact('p', 1, 'a'), fact('p', 2, 'b'), fact('p', 1)] }).added,
  ).toHaveLength(3);
  expect(store.apply({ remove: [{ name: 'p', args: [1, ANY] }] }).removed).toEqual([fact('p', 1, 'a')]);
  expect(store.list('p')).toEqual([fact('p', 2, 'b'), fact('p', 1)]);
  expect(() => store.apply({ remove: [{ name: 'p', args: [1] }], add: [fact('p', Number.NaN)] })).toThrow(RangeError);
  expect(store.size).toBe(2);
});
