/** 1,000 hostile queries: each ends with a named error, and the engine answers as before. */
import { expect, test } from '@jest/globals';
import type { QueryError } from '@mk/monitor-proto/knowledge/query';
import { fact } from '../../src/facts/fact.ts';
import { startEngine } from './engine-for-tests.ts';

/** Goals that try to leave, to reach out, to fill the memory or never to end; N makes each of them another one. */
const HOSTILE: readonly ((n: number) => string)[] = [
  () => 'halt',
  (n) => `halt(${n})`,
  () => 'user:halt',
  () => "open('/etc/passwd', read, S), read(S, X)",
  (n) => `open('/tmp/hostile-${n}', write, _)`,
  () => "consult('/tmp/x.pl')",
  () => "shell('rm -rf /')",
  () => 'process_create(path(sh), [], [])',
  () => 'tcp_connect(localhost:80, S, [])',
  (n) => `assertz(owned(${n}))`,
  () => 'abolish(cpu_thread/4)',
  () => 'retractall(cpu_thread(_, _, _, _))',
  () => 'set_prolog_flag(heartbeat, 0)',
  () => 'nb_setval(mk_deadline, inf)',
  () => 'mk_sandbox:unlimited',
  () => 'G = halt, G',
  () => 'G =.. [halt], call(G)',
  () => 'atom_concat(ha, lt, A), call(A)',
  () => 'findall(X, user:halt, L)',
  () => 'forall(true, (true ; shell(ls)))',
  () => 'freeze(X, halt), X = 1',
  () => 'when(ground(X), halt), X = 1',
  () => 'maplist(call(halt), [1])',
  () => 'foldl([X, A, B]>>(halt), [1], 0, _)',
  () => 'phrase(({halt}), [])',
  () => 'catch(halt, _, true)',
  () => 'setof(X, Y^Z^(user:halt), L)',
  () => 'aggregate_all(count, shell(ls), N)',
  () => 'X = f(X)',
  () => 'X = [a|X]',
  (n) => `length(L, ${1_000_000 + n * 1000})`,
  () => 'length(L, 1000000000)',
  (n) => `numlist(1, ${300_000 + n}, L)`,
  () => 'numlist(1, 100000000, L)',
  () => 'functor(T, f, 1000000000)',
  () => 'X is 2 ** (2 ** 40)',
  () => 'findall(X, repeat, L)',
  () => 'findall(X-Y, (between(1, inf, X), Y = g(X, X)), L)',
  () => 'repeat, fail',
  () => 'between(1, inf, X), X < 0',
  () => 'repeat, length(L, 10), fail',
  () => 'length(L, N), N < 0',
  () => 'length(L, 14), L ins 1..13, all_different(L), label(L)',
  () => 'X = "unterminated',
  (n) => `foo(${'('.repeat(1 + (n % 50))}`,
  (n) => `${'f('.repeat(5_000)}x${')'.repeat(5_000)} = ${n}, fail, unknown`,
  () => `X = ${'['.repeat(2_000)}${']'.repeat(2_000)}`,
  () => 'x'.repeat(200_000),
  () => '',
  (n) => `no_such_predicate_${n}(X)`,
];
const LIMITS = { timeLimitMs: 60, inferenceLimit: 2_000_000, maxSolutions: 1 };
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
      // A goal that was answered stands here as text, and fails the match.
      const name = typeof outcome === 'string' ? `answered: ${outcome}` : outcome.name;
      expect(name).toMatch(NAMED);
      names.set(name, (names.get(name) ?? 0) + 1);
    }
  }
  const { solutions } = await engine.query('cpu_thread(Core, Package, _, _)');
  expect(solutions).toEqual([{ bindings: { Core: 7, Package: 1 } }]);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(
    `1,000 hostile queries in ${seconds} s, ${restarts.length} restarts: ${JSON.stringify(Object.fromEntries(names))}`,
  );
  await engine.close();
}, 240_000);
