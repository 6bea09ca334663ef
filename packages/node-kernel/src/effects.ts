import type { Effect, HostEvent } from '@mk/monitor-proto/step';
import type { Registration } from './config.ts';

/** A call from a dispatcher into its CPU driver. */
export interface SystemCall {
  readonly name: string;
  readonly args: readonly unknown[];
}

/** What a kernel is told beside what every state machine is told. */
export type KernelEvent =
  HostEvent | { readonly type: 'syscall'; readonly domain: number; readonly id: number; readonly call: SystemCall };

/** What a kernel asks of its host beside what every state machine asks. */
export type KernelEffect =
  | Effect
  /** The registry has named this core: the host labels its logs and shapes its links from now on. */
  | { readonly type: 'registered'; readonly registration: Registration }
  | { readonly type: 'upcall'; readonly domain: number; readonly id: number; readonly value: unknown };
