/*
 * The border of a core's kernel, beyond that of every state machine. A service that needs the outside world adds its
 * events to `ServiceEvent` and handles them (`events` of service.ts: the compiler misses none), and adds its effects to
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
  /** The latency of the links to these cores may have changed. */
  | { readonly type: 'links_touched'; readonly cores: readonly number[] };

/** The events of a kernel. */
export type KernelEvent =
  | HostEvent
  | ServiceEvent
  | { readonly type: 'syscall'; readonly domain: DomainId; readonly id: number; readonly call: SystemCall };

/** A kernel's effects beyond those of every state machine. */
export type HostEffect =
  | DispatcherEffect
  /** The registry has named this core: the host now labels its logs and shapes its links. */
  | { readonly type: 'registered'; readonly registration: Registration }
  /** The core has its first lease: it takes part. */
  | { readonly type: 'takes_part'; readonly view: number }
  | { readonly type: 'upcall'; readonly domain: DomainId; readonly id: number; readonly value: unknown };

export type KernelEffect = Effect | HostEffect;
