import { type ErrorName, errorOfCode } from '@mk/monitor-proto/errors';
import type { CoreId, Nanos, OperationId } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { Message, MessageOf, MessageType } from '@mk/monitor-proto/messages/table';
import type { MonitorContext } from '../context.ts';
import { type Operation, OperationError, type Resume } from '../operations.ts';

type AboutOperation = Extract<Message, { readonly op: OperationId }>;

/**
 * Requests with one reply between two monitors. A request has no deadline: the channel delivers it or declares the peer
 * gone, so that neither side ever acts on a guess about the other. Whoever waits at the caller's end has a deadline of its own.
 */
export class Exchange {
  private readonly waiting = new Map<string, { readonly core: CoreId; readonly resume: Resume }>();

  constructor(private readonly context: MonitorContext) {}

  /** Sends a request and waits for its reply. Ends in PEER_UNKNOWN, BUSY or PEER_GONE, or with whatever the reply says. */
  *ask<T extends MessageType>(core: CoreId, request: AboutOperation, reply: T): Operation<MessageOf<T>> {
    if (!this.context.members.includes(core))
      throw new OperationError('PEER_UNKNOWN', `core ${core} takes part in no global operations`);
    const answer = yield {
      arm: (resume, now) => {
        const error = this.context.send(core, request);
        if (error !== null) resume(new OperationError(error, `core ${core} cannot be asked`), now);
        return this.expect(core, request.op, reply, resume);
      },
    };
    return answer as MessageOf<T>;
  }

  /** Waits for a message of an operation that nobody is asked for now. */
  *await<T extends MessageType>(core: CoreId, op: OperationId, type: T): Operation<MessageOf<T>> {
    return (yield { arm: (resume) => this.expect(core, op, type, resume) }) as MessageOf<T>;
  }

  /** Sends what must not be lost to a full queue. A peer that is gone needs nothing any more. */
  tell(core: CoreId, message: AboutOperation, now: Nanos): void {
    if (this.context.send(core, message) !== 'BUSY') return;
    this.context.timers.set(now + limit('capabilityRetryNs'), (at) => this.tell(core, message, at));
  }

  /** A message that an operation waits for. Nobody waits: it came after the peer was given up, and is dropped. */
  answered(from: CoreId, message: AboutOperation, now: Nanos): void {
    const waiting = this.waiting.get(keyOf(message.op, message.type));
    if (waiting?.core === from) waiting.resume(message, now);
  }

  peerGone(core: CoreId, now: Nanos): void {
    for (const waiting of [...this.waiting.values()]) {
      if (waiting.core === core) waiting.resume(new OperationError('PEER_GONE', `core ${core} is gone`), now);
    }
  }

  /** Whom an operation, or a part of it, has asked and not heard from yet. */
  askedOf(op: OperationId): readonly CoreId[] {
    const asked = [...this.waiting].filter(([key]) => key.startsWith(`${op}/`) || key.startsWith(`${op}.`));
    return [...new Set(asked.map(([, { core }]) => core))].sort((a, b) => a - b);
  }

  private expect(core: CoreId, op: OperationId, type: MessageType, resume: Resume): () => void {
    const key = keyOf(op, type);
    this.waiting.set(key, { core, resume });
    return () => this.waiting.delete(key);
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
