/** A query's sink as a promise of all answers, and as a stream. */
import type { QueryError, QuerySink, Solution } from './query.ts';

/** Starts something that reports to a sink; returns a function that cancels it. */
type Start = (sink: QuerySink) => () => void;

/** Gathers all answers; rejects with the query's error. */
export function collect(start: Start): Promise<{ solutions: readonly Solution[]; more: boolean }> {
  return new Promise((resolve, reject) => {
    const solutions: Solution[] = [];
    start({
      solutions: (batch) => void solutions.push(...batch),
      end: ({ more, error }) => (error === undefined ? resolve({ solutions, more }) : reject(error)),
    });
  });
}

/** Yields answers as they come; leaving the loop early cancels the query. */
export async function* streamed(start: Start): AsyncGenerator<Solution, { readonly more: boolean }> {
  const waiting: Solution[] = [];
  let outcome: { readonly more: boolean; readonly error?: QueryError } | undefined;
  let wake = (): void => undefined;
  const cancel = start({
    solutions: (batch) => {
      waiting.push(...batch);
      wake();
    },
    end: (reported) => {
      outcome = reported;
      wake();
    },
  });
  try {
    for (;;) {
      yield* waiting.splice(0);
      if (outcome === undefined && waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      if (outcome !== undefined && waiting.length === 0) break;
    }
    if (outcome.error !== undefined) throw outcome.error;
    return { more: outcome.more };
  } finally {
    if (outcome === undefined) cancel();
  }
}
