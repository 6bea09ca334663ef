import type { Mk } from '@mk/libmk/program/mk';
import { isMkError } from '@mk/libmk/runtime/mk-error';

/** Something that faults took from a run: a core, and why nothing is heard of it. */
export interface Loss {
  readonly core: number;
  readonly why: string;
}

/** Names by which a program hears of cores, links and knowledge that faults have taken. */
const FAULTS: ReadonlySet<string> = new Set([
  'PEER_GONE',
  'PEER_UNKNOWN',
  'HOME_GONE',
  'DISPATCHER_GONE',
  'DISPATCHER_LOST',
  'NO_ROUTE',
  'OPERATION_TIMEOUT',
  'CORE_FENCED',
  'SKB_UNREACHABLE',
  'LOCK_LOST',
  'SESSION_LOST',
]);

/** Whether an error, or the end of a domain, is the work of a fault and no mistake of the program. */
export function isFault(name: string): boolean {
  return FAULTS.has(name);
}

export function isByFault(error: unknown): error is Error {
  return isMkError(error) && isFault(error.name);
}

/** The outcome; null where a fault prevented it. Throws every other error. */
export async function unlessLost<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (isByFault(error)) return null;
    throw error;
  }
}

/** Says what was lost, a line each. */
export function tellLosses(mk: Mk, losses: readonly Loss[]): void {
  for (const { core, why } of losses) mk.console.error(`${mk.self.program}: core ${core} is lost: ${why}`);
}
