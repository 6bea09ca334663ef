/**
 * In jest a simulation's programs run without a bound of wall time. Interrupting a promise's job while async hooks are
 * on, as in jest, corrupts Node's stack of them, and Node soon aborts the whole process with an assertion (decision
 * 0119). Endless programs are tested with `mk-launch sim run`, in a process of its own.
 */
export function unbounded<T>(run: (tired: () => boolean) => T): { readonly value: T } {
  return { value: run(() => false) };
}
