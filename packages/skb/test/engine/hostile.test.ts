/** 1,000 hostile queries: each ends with a named error, and the engine still answers as before. */
import { expect, test } from '@jest/globals';
import type { QueryError } from '@mk/monitor-proto/knowledge/query';
import { fact } from '../../src/facts/fact.ts';
import { startEngine } from './engine-for-tests.ts';
import { HOSTILE, LIMITS } from './hostile-goals.ts';

const NAMED = /^(Query|Engine)[A-Z][A-Za-z]+$/;

test('1,000 hostile queries each end with a named error and the engine stays up', async () => {
  const restarts: string[] = [];
  const engine = startEngine((reason) => restarts.push(reason));
  await engine.updateFacts({ add: [fact('cpu_thread', 7, 1, 3, 0)] });
  const names = new Map<string, number>();
  const startMs = performance.now();
  for (let round = 0; round < 1_000 / HOSTILE.length; round++) {
    const goals = HOSTILE.map((goal) => goal(round));
    const outcomes = await Promise.all(
      goals.map((goal) =>
        engine.query(goal, LIMITS).then(
          () => goal.slice(0, 80),
          (error: QueryError) => error,
        ),
      ),
    );
    for (const outcome of outcomes) {
      // An answered goal appears here as text, and fails the match.
      const name = typeof outcome === 'string' ? `answered: ${outcome}` : outcome.name;
      expect(name).toMatch(NAMED);
      names.set(name, (names.get(name) ?? 0) + 1);
    }
  }
  const { solutions } = await engine.query('cpu_thread(Core, Package, _, _)', { timeLimitMs: 30_000 });
  expect(solutions).toEqual([{ bindings: { Core: 7, Package: 1 } }]);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(
    `1,000 hostile queries in ${seconds} s, ${restarts.length} restarts: ${JSON.stringify(Object.fromEntries(names))}`,
  );
  await engine.close();
});
