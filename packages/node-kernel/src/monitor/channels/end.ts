import { assertInvariant } from '@mk/monitor-proto/assert';
import type { ErrorName } from '@mk/monitor-proto/errors';
import type { CoreId, DomainId, Nanos } from '@mk/monitor-proto/ids';
import type { SystemCallDone } from '../../cpu-driver/system-calls.ts';

/** The transports of a channel; programs see the index in this list. */
export const WAYS = ['lmp', 'urpc', 'multihop'] as const;
export type Way = (typeof WAYS)[number];

/** Something that a dispatcher has sent and the channel has not passed on yet. */
export type Parcel =
  | {
      readonly kind: 'data';
      readonly data: Uint8Array;
      /** The addresses of the capabilities in the sender's cspace. */
      readonly capabilities: readonly number[];
      readonly giveAway: readonly boolean[];
      readonly done: SystemCallDone | null;
    }
  | { readonly kind: 'close'; readonly error: ErrorName };

/** How the other end is reached. */
export type Carrier =
  | { readonly kind: 'local'; readonly other: End }
  | { readonly kind: 'circuit'; readonly peer: CoreId; readonly circuit: number };

/**
 * One end of a channel, at the core of its dispatcher. Counts bytes since the beginning; credit follows from the
 * counters:
 *
 *   K2  credited ≤ taken(other) ≤ received(other) ≤ sent, and sent − credited ≤ window
 */
export class End {
  /** Null until the other end is known. */
  carrier: Carrier | null = null;
  /** The number of the other end at its core: capabilities are addressed to it. */
  otherEnd = 0;
  /** Bytes sent by the program here. */
  sent = 0;
  /** How many of them the other end's program is known to have taken. */
  credited = 0;
  /** Bytes delivered to the program here. */
  received = 0;
  /** How many of them it has taken. */
  taken = 0;
  /** Parcels that wait for earlier ones; the first may be waiting for its capabilities. */
  readonly outbox: Parcel[] = [];
  transferring = false;
  /** Addresses of capabilities that have come before their message. */
  readonly arrived = new Set<number>();
  /** The program has closed it, or is gone: only the outbox is still sent. */
  closing = false;
  gone = false;

  constructor(
    readonly id: number,
    /** The domain whose dispatcher here owns it. */
    readonly domain: DomainId,
    readonly way: Way,
    readonly otherCore: CoreId,
    readonly window: number,
    readonly openedAt: Nanos,
  ) {}

  /** K2, as far as one end sees it. Throws AssertionFailure. */
  invariants(): void {
    const { id, sent, credited, received, taken, window } = this;
    assertInvariant(
      'K2',
      credited <= sent && sent - credited <= window && taken <= received && received - taken <= window,
      () => `end ${id}: credited ${credited} of ${sent} sent, taken ${taken} of ${received}, window ${window}`,
    );
  }

  /** Bytes that its program may send now. */
  get room(): number {
    return this.window - (this.sent - this.credited);
  }
}
