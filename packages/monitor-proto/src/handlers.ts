type Handler = (given: never, ...rest: never[]) => unknown;
type RestOf<F> = F extends (given: never, ...rest: infer R) => unknown ? R : never;

/**
 * The handler for one variant of a union: `handlerFor(table, event.type)(event, now)`. TypeScript cannot call
 * `table[event.type]`, a union of functions.
 */
export function handlerFor<T extends { readonly [K in keyof T]: Handler }, K extends keyof T>(
  table: T,
  key: K,
): (given: Parameters<T[K]>[0], ...rest: RestOf<T[K]>) => ReturnType<T[K]> {
  // The key picks the variant: the caller took both from one value.
  return table[key] as ReturnType<typeof handlerFor<T, K>>;
}
