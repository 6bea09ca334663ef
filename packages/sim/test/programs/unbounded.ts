/**
 * What a simulation's programs run under in jest: no bound of wall time. Breaking off a promise's job while async hooks are on, as
 * jest has them, leaves Node's stack of them torn, and Node ends the whole process with an assertion soon after (decision 0119).
 * What is endless is tested with `mk-launch sim run`, in a process of its own.
 */
export function unbounded<T>(run: (tired: () => boolean) => T): { readonly value: T } {
  return { value: run(() => false) };
}
