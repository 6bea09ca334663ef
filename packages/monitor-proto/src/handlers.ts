type Handler = (given: never, ...rest: never[]) => unknown;
type RestOf<F> = F extends (given: never, ...rest: infer R) => unknown ? R : never;

/**
 * The row of a table of handlers for one variant of a union: `handlerFor(table, event.type)(event, now)`. It takes what the rows of these
 * keys take and answers what they answer; `table[event.type]` alone is a union of functions, which TypeScript lets nobody call.
 */
export function handlerFor<T extends { readonly [K in keyof T]: Handler }, K extends keyof T>(
  table: T,
  key: K,
): (given: Parameters<T[K]>[0], ...rest: RestOf<T[K]>) => ReturnType<T[K]> {
  // The key picks the variant: the caller took both from one value.
  return table[key] as ReturnType<typeof handlerFor<T, K>>;
}
