/** Functions by the key of what they take: `R` is what they return, `Rest` what they take besides. */
type Handlers<M, Rest extends readonly unknown[], R> = {
  readonly [K in keyof M]: (given: M[K], ...rest: Rest) => R;
};

/**
 * The row of a table of handlers for one variant of a union, `handlerFor(table, event.type)(event)`. The compiler proves that the row takes
 * this variant, which `table[event.type]` alone leaves it unable to see.
 */
export function handlerFor<M, K extends keyof M, Rest extends readonly unknown[], R>(
  table: Handlers<M, Rest, R>,
  key: K,
): (given: M[K], ...rest: Rest) => R {
  return table[key];
}
