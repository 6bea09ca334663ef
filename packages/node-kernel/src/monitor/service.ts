import type { CoreAnswers } from '../control/verb-answers.ts';
import type { ErrorName } from '@mk/monitor-proto/errors';
import type { Nanos } from '@mk/monitor-proto/ids';
import type { Message, MessageOf, MESSAGES, MessageTo } from '@mk/monitor-proto/messages/table';
import type { MetricFamily } from '@mk/monitor-proto/metrics';
import type { CorePeer, Peer } from '@mk/monitor-proto/endpoint/peer';
import type { Identity, VolleyFrame } from '@mk/monitor-proto/urpc/frames';
import type { Change } from '../capability/model/changes.ts';
import type { Verb } from '../control/verb.ts';
import type { Domain } from '../cpu-driver/domains.ts';
import type { ServedCall, SystemCallHandler } from '../cpu-driver/system-calls.ts';
import type { ServiceEvent } from '../effects.ts';
import type { Act, RoundActionName } from './agreement/round-actions.ts';

/** Every message that may be sent to a core. */
export type CoreMessage = MessageTo<'core' | 'client'>;

/**
 * The sender of a message type, by its row of the table; other senders are refused before a handler sees the message.
 */
type SenderOf<T extends CoreMessage> = (typeof MESSAGES)[T]['from'] extends 'core' ? CorePeer : Peer;

/** A service's handler for messages of one type. */
type MessageHandler<T extends CoreMessage> = (from: SenderOf<T>, message: MessageOf<T>, now: Nanos) => void;
export type MessageHandlers = { readonly [T in CoreMessage]?: MessageHandler<T> };

/** A service's handler for one of its own events (effects.ts). */
type EventHandler<T extends ServiceEvent['type']> = (
  event: Extract<ServiceEvent, { readonly type: T }>,
  now: Nanos,
) => void;
export type EventHandlers = { readonly [T in ServiceEvent['type']]?: EventHandler<T> };

/** A core's acts in the phases of rounds, by the action's name in ROUND_ACTIONS. */
export type RoundActs = { readonly [A in RoundActionName]?: Act };

/** Handlers of the system calls that SYSTEM_CALLS says a service serves. */
export type SystemCallHandlers = { readonly [C in ServedCall]?: SystemCallHandler<C> };

/** Verbs of the control port by name; those with a row in CoreAnswers answer that type. */
export type Verbs = Readonly<Record<string, Verb>> & { readonly [V in keyof CoreAnswers]?: Verb<CoreAnswers[V]> };

/** Decides who may have a link to this core, and whether to keep dialling. Exactly one service does. */
export interface LinkPolicy {
  /**
   * Why this peer may have no link; null: it may. Asked before the peer has proved anything, and of a dialler again
   * once it has.
   */
  admit(from: Identity, dialled: boolean): ErrorName | null;
  /** Opening a link failed or was refused; true: keep trying. */
  dialFailed(peer: Peer, error: ErrorName | null, text: string, now: Nanos): boolean;
}

/**
 * A part of the kernel besides `step` itself: a folder, and a line in services.ts that names it. It declares its
 * contributions and hears of events; everything is optional. Handlers are declared with `satisfies MessageHandlers`
 * (and so on), so that the list knows their keys: a table's key without a service does not compile, and a key of two
 * services is refused when the kernel is made.
 *
 * A service imports downwards only. It takes its neighbours in its constructor, as themselves or as narrower types.
 */
export interface Service {
  readonly messages?: MessageHandlers;
  readonly events?: EventHandlers;
  readonly roundActions?: RoundActs;
  readonly systemCalls?: SystemCallHandlers;
  readonly verbs?: Verbs;
  readonly linkPolicy?: LinkPolicy;

  /** The process has begun. */
  start?(now: Nanos): void;
  /** The registry has named this core for the first time; its capabilities are there. */
  registered?(now: Nanos): void;
  /** The members or the view's number differ from the end of the last step. */
  viewChanged?(now: Nanos): void;
  /** A link to a peer is open; `first`: for the first time. The SKB is a peer, too. */
  peerUp?(peer: Peer, first: boolean, now: Nanos): void;
  /** The open link to a peer has ended, and why. The SKB is a peer, too. */
  peerDown?(peer: Peer, reason: string, now: Nanos): void;
  /** This core's lease has expired, so that nothing that it computes may leave it; or (false) it is valid again. */
  fenced?(fenced: boolean, now: Nanos): void;
  /** A peer's instance is over: nothing waits for it any longer. The SKB is a peer, too. */
  peerGone?(peer: Peer, now: Nanos): void;
  /** There is room again for a peer whose messages were refused with BUSY. */
  sendable?(peer: Peer, now: Nanos): void;
  /**
   * Whether a message may be delivered now; every service is asked before any handler sees it. False: the service has
   * dealt with it.
   */
  screen?(peer: Peer, message: Message, now: Nanos): boolean;
  /** A frame that measures the link to the peer. */
  volley?(peer: Peer, volley: VolleyFrame, now: Nanos): void;
  /** A dispatcher is gone, but its cspace is still there: drop the domain's state. */
  dispatcherGone?(domain: Domain, now: Nanos): void;
  /** The capability changes on this core since the last call, in order. Called at the end of a step; never lost. */
  capabilityChanged?(changes: readonly Change[], now: Nanos): void;

  metrics?(now: Nanos): readonly MetricFamily[];
  /** Its contribution to the answer of `status`. */
  status?(): Readonly<Record<string, unknown>>;
  /** Everything that it would leave behind if the core ended now; empty when nothing is under way. */
  leftovers?(): readonly string[];
  /** Asserts its invariants between steps (`assertInvariant`). Called after each step of a simulated core. */
  invariants?(): void;
  /** The most timers that it keeps even at rest. */
  readonly standingTimers?: number;
}
