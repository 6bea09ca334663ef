import type { Mk } from '@mk/libmk/program/mk';
import { isMkError } from '@mk/libmk/runtime/mk-error';

/** The name of the error with which something rejects; fails the test program if it does not. */
export async function errorOf(mk: Mk, what: Promise<unknown>): Promise<string> {
  try {
    await what;
  } catch (error) {
    if (isMkError(error)) return error.name;
    throw error;
  }
  mk.assert(false, 'it should have been refused');
  return '';
}

/** Fails the program unless both are equal as text. */
export function same(mk: Mk, found: unknown, expected: unknown, what: string): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
  mk.assert(a === b, `${what}: ${a} where ${b} was expected`);
}

/** Starts copies of this very program as `role` on these cores, and waits until all have ended well. */
export async function runCopies(mk: Mk, role: string, cores: readonly number[], ...args: string[]): Promise<void> {
  const copies = await Promise.all(cores.map((core) => mk.processes.spawn(null, { core, args: [role, ...args] })));
  for (const copy of copies) {
    const { cause, status, text } = await copy.wait();
    mk.assert(cause === 'exited' && status === 0, `${role} ${copy.domain}: ${cause} ${status} ${text}`);
  }
}

/** The cores in the first argument, `0,1,2`; by default this one alone. */
export function coresOf(mk: Mk): readonly number[] {
  const [list] = mk.args;
  return list === undefined ? [mk.self.core] : list.split(',').map(Number);
}
