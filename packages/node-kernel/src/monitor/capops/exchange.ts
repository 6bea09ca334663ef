import { type ErrorName, errorOfCode } from '@mk/monitor-proto/errors';
import { type CoreId, isCore, type Nanos, type OperationId } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import { type Message, type MessageOf, type MessageType, ofType } from '@mk/monitor-proto/messages/table';
import { coreOf } from '../agreement/finished.ts';
import { WAITED_FOR } from '../conduct/refusals.ts';
import type { MonitorContext } from '../context.ts';
import { type Operation, OperationError, wait } from '../operations.ts';
import { Pending } from '../pending.ts';
import { CoreCounts } from './by-core.ts';

type AboutOperation = Extract<Message, { readonly op: OperationId }>;

/**
 * Requests with one reply between two monitors. A request has no deadline: the channel delivers it or declares the peer
 * gone, so neither side ever acts on a guess about the other. The caller has its own deadline.
 */
export class Exchange {
  private readonly pending = new Pending<string, Message>();
  /** Messages that wait for room in a peer's queue. */
  private readonly waiting = new CoreCounts(limit('answersWaiting'));

  constructor(private readonly context: MonitorContext) {}

  /** Sends a request and waits for its reply. Ends in PEER_UNKNOWN, BUSY or PEER_GONE, or with the reply's error. */
  *ask<T extends MessageType>(core: CoreId, request: AboutOperation, reply: T): Operation<MessageOf<T>> {
    if (!this.context.members.includes(core))
      throw new OperationError('PEER_UNKNOWN', `core ${core} takes part in no global operations`);
    const answered = this.pending.answerOf(keyOf(request.op, reply), core);
    const answer = yield* wait<Message>({
      arm: (resume, now) => {
        const error = this.context.send(core, request);
        if (error !== null) resume(new OperationError(error, `core ${core} cannot be asked`), now);
        return answered.arm(resume, now);
      },
    });
    return ofType(answer, reply);
  }

  /** Waits for a message of an operation that no request of ours asked for. */
  *await<T extends MessageType>(core: CoreId, op: OperationId, type: T): Operation<MessageOf<T>> {
    return ofType(yield* wait(this.pending.answerOf(keyOf(op, type), core)), type);
  }

  /**
   * Sends a message that must not be lost to a full queue. A peer that is gone does not need it; one that takes no
   * messages does not get it.
   */
  tell(core: CoreId, message: AboutOperation, now: Nanos): void {
    if (this.context.send(core, message) !== 'BUSY' || !this.waiting.begin(core)) return;
    this.context.timers.set(now + limit('capabilityRetryNs'), (at) => {
      this.waiting.end(core);
      this.tell(core, message, at);
    });
  }

  /** A peer refused a request of an operation of this core. */
  refused(from: CoreId, { op, error }: MessageOf<'request_refused'>, now: Nanos): void {
    if (coreOf(op) !== this.context.core) return;
    const why = errorIn({ error }) ?? 'BAD_REQUEST';
    for (const reply of Object.values(WAITED_FOR))
      this.pending.answered(keyOf(op, reply), from, new OperationError(why, `core ${from} did not serve ${op}`), now);
  }

  /**
   * Delivers a message that an operation waits for. One that nobody waits for came after the peer was given up, and is
   * dropped.
   */
  answered(from: CoreId, message: AboutOperation, now: Nanos): void {
    this.pending.answered(keyOf(message.op, message.type), from, message, now);
  }

  peerGone(core: CoreId, now: Nanos): void {
    this.pending.peerGone(core, now);
  }

  /** The cores that an operation, or a part of it, has asked and not heard from. */
  askedOf(op: OperationId): readonly CoreId[] {
    const asked = new Set<CoreId>();
    for (const [key, peer] of this.pending.entries())
      if (isCore(peer) && (key.startsWith(`${op}/`) || key.startsWith(`${op}.`))) asked.add(peer);
    return [...asked].sort((a, b) => a - b);
  }
}

/** Ends the operation when a reply carries an error. */
export function failOnError(reply: { readonly error: number; readonly op: OperationId }, who: CoreId): void {
  const error = errorIn(reply);
  if (error !== null) throw new OperationError(error, `core ${who} refused ${reply.op}`);
}

/** The error that a reply carries, or null. */
export function errorIn(reply: { readonly error: number }): ErrorName | null {
  return reply.error === 0 ? null : (errorOfCode(reply.error) ?? 'BAD_REQUEST');
}

function keyOf(op: OperationId, type: MessageType): string {
  return `${op}/${type}`;
}
