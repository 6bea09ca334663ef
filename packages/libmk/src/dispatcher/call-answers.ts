import type { CoreId } from '@mk/monitor-proto/ids';
import type { QueryErrorName, Solution } from '@mk/monitor-proto/knowledge/query';
import type { OctopusReply } from '@mk/monitor-proto/octopus/requests';
import type { DomainStatus } from './domain-status.ts';
import type { PlainValue } from './plain-value.ts';

/** Where a name is offered. */
interface OfferedAt {
  readonly core: CoreId;
  readonly port: number;
}

/**
 * The kernel's answers to system calls, by name. Library and kernel are of one build, and each only checks that what
 * crosses the border is plain: these rows give its type.
 */
interface CallAnswers {
  /** The address of the new capability. */
  readonly allocate: number;
  /** The address of the copy there. */
  readonly send: number;
  readonly channel_bind: {
    readonly channel: number;
    readonly way: number;
    readonly core: CoreId;
    readonly window: number;
  };
  /** The port that connections name. */
  readonly channel_export: number;
  readonly channel_look_up: OfferedAt;
  /** The address of the caller's Dispatcher capability. */
  readonly dispatcher_self: number;
  readonly domains: readonly (DomainStatus & { readonly program: string })[];
  readonly endpoint_create: { readonly endpoint: number; readonly address: number };
  /** The previous word, as text: it has 64 bits. */
  readonly memory_atomic: string;
  readonly octopus: OctopusReply;
  /** The number of the accompanying memory, and the rights to it. */
  readonly page_fault: { readonly frame: number; readonly rights: number };
  readonly skb_query: {
    readonly solutions: readonly Solution[];
    readonly more: boolean;
    readonly error: { readonly name: QueryErrorName; readonly text: string } | null;
  };
  readonly spawn: { readonly domain: string };
  readonly vspace_lookup: { readonly address: number; readonly rights: number; readonly page_bytes: number } | null;
  readonly wait: DomainStatus;
}

/** The answer of a system call: its row, or any plain value. */
export type CallAnswer<N extends string> = N extends keyof CallAnswers ? CallAnswers[N] : PlainValue;
