/** The messages between the knowledge base and its engine's thread. */
import type { QueryErrorName, Solution } from '@mk/monitor-proto/knowledge/query';

/** The data that a new thread starts with. */
export interface WorkerStart {
  /** Prolog with the sandbox and the shipped rules, as saved by the build. */
  readonly state: Uint8Array;
  readonly facts: readonly string[];
  readonly rules: readonly Program[];
  readonly status: SharedArrayBuffer;
}

export type Job = { readonly id: number } & JobBody;

export type JobBody =
  | ({ readonly type: 'query'; readonly goal: string } & Required<QueryBounds>)
  | { readonly type: 'facts'; readonly removed: readonly string[]; readonly added: readonly string[] }
  | { readonly type: 'rules'; readonly name: string; readonly text: string }
  | { readonly type: 'remove_rules'; readonly name: string }
  /** Ends with a solution {name, why} for each refused program. */
  | { readonly type: 'restore_rules'; readonly programs: readonly Program[] };

/** The rules of one name. */
export interface Program {
  readonly name: string;
  readonly text: string;
}

interface QueryBounds {
  readonly timeLimitMs: number;
  readonly inferenceLimit: number;
  readonly maxSolutions: number;
}

/** A failure inside the engine; `position` counts characters from 0, or is -1. */
export interface Failure {
  readonly name: QueryErrorName;
  readonly detail: string;
  readonly position: number;
}

export type WorkerEvent =
  | { readonly type: 'ready' }
  | { readonly type: 'load_failed'; readonly detail: string }
  | { readonly type: 'solutions'; readonly id: number; readonly batch: readonly Solution[] }
  | { readonly type: 'end'; readonly id: number; readonly more: boolean; readonly failure?: Failure }
  /** The engine's memory is broken: this thread must be replaced. */
  | { readonly type: 'crashed'; readonly id: number; readonly detail: string };

/** Words of the shared status: the watchdog reads them while the thread is busy, and writes cancellations. */
export const STATUS = { runningJob: 0, cancelBase: 1, cancelSlots: 1024 } as const;

/** Bytes of the shared status. */
export const STATUS_BYTES = 4 * (STATUS.cancelBase + STATUS.cancelSlots);

/** The slot for a job's cancellation; it holds the id of the cancelled job. */
export function cancelSlot(id: number): number {
  return STATUS.cancelBase + (id % STATUS.cancelSlots);
}
