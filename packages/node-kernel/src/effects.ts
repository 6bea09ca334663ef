/*
 * The border of a core's kernel beyond that of every state machine. A service that needs the world adds its events to
 * `ServiceEvent` and handles them (`events` of service.ts: the compiler misses none), and adds its effects to
 * `HostEffect`, which each host carries out: io/core-process.ts in a process, the simulator on virtual time.
 */
import type { DomainId } from '@mk/monitor-proto/ids';
import type { Effect, HostEvent } from '@mk/monitor-proto/step';
import type { Registration } from './config.ts';
import type { DispatcherEffect, DispatcherEvent } from './cpu-driver/dispatchers/effects.ts';

/** A call from a dispatcher into its CPU driver. */
export interface SystemCall {
  readonly name: string;
  readonly args: readonly unknown[];
}

/** Events that a service of the kernel handles. */
export type ServiceEvent =
  | DispatcherEvent
  /** Something happened to the links to these cores: their latency may have changed. */
  | { readonly type: 'links_touched'; readonly cores: readonly number[] };

/** What a kernel is told. */
export type KernelEvent =
  | HostEvent
  | ServiceEvent
  | { readonly type: 'syscall'; readonly domain: DomainId; readonly id: number; readonly call: SystemCall };

/** What a kernel asks of its host beyond what every state machine asks. */
export type HostEffect =
  | DispatcherEffect
  /** The registry has named this core: the host now labels its logs and shapes its links. */
  | { readonly type: 'registered'; readonly registration: Registration }
  /** It has its first lease: it takes part. */
  | { readonly type: 'takes_part'; readonly view: number }
  | { readonly type: 'upcall'; readonly domain: DomainId; readonly id: number; readonly value: unknown };

export type KernelEffect = Effect | HostEffect;
