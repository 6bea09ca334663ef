import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { Message, MessageOf } from '@mk/monitor-proto/messages/table';
import { PlainReader } from '@mk/libmk/dispatcher/plain-value';
import { givingUp, type Operation, OperationError, type Outcome, type Stop } from '../operations.ts';
import type { MessageHandlers } from '../service.ts';
import { programLimit } from './limits.ts';
import type { ProcessManager } from './process-manager.ts';
import { codeOf } from './spawn.ts';

/** The messages of other monitors to the process manager. */
export function programMessages(p: ProcessManager) {
  return { ...partMessages(p), ...domainMessages(p) } satisfies MessageHandlers;
}

/** Messages about a domain's part on one core, between its core and its home. */
function partMessages(p: ProcessManager) {
  return {
    part_create_request: ({ id: from }, request, now) => {
      const { op } = request;
      answer(p, from, p.spawner.makeFor(from, request), now, (outcome) => ({
        type: 'part_create_reply',
        op,
        ...errorOf(outcome),
        ...(outcome.ok ? outcome.value : { domain: '', cspace: 0 }),
      }));
    },
    part_create_reply: (from, reply, now) => p.exchange.answered(from.id, reply, now),
    part_start_request: ({ id: from }, { op, domain, capabilities }, now) =>
      void answer(p, from, beginPart(p, from, domain, capabilities), now, (outcome) => ({
        type: 'part_start_reply',
        op,
        ...errorOf(outcome),
      })),
    part_start_reply: (from, reply, now) => p.exchange.answered(from.id, reply, now),
    part_stop: ({ id: from }, { domain, cause, status, text }, now) => {
      const part = p.parts.of(domain);
      if (part !== undefined && part.spec.home === from) p.parts.stop(part, { cause, status, text }, now);
    },
    part_stopped: ({ id: from }, { domain, cause, status, text }, now) => {
      const home = p.homes.get(domain);
      if (home !== undefined) p.homes.partStopped(home, from, { cause, status, text }, now);
    },
    part_joined: ({ id: from }, { domain, core, error }, now) => {
      if (p.parts.of(domain)?.spec.home === from) p.toldOfPart(domain, core, error, now);
    },
  } satisfies MessageHandlers;
}

/** Messages about a whole domain, at its home, and about programs' texts. */
function domainMessages(p: ProcessManager) {
  return {
    domain_ending: ({ id: from }, { domain, cause, status, text }, now) => {
      const home = p.homes.get(domain);
      if (home?.parts.has(from) === true) p.homes.end(home, { cause, status, text }, now);
    },
    domain_span_request: ({ id: from }, { op, domain, core }, now) =>
      reply(p, from, op, spanHere(p, domain, core), now),
    domain_kill_request: ({ id: from }, { op, domain, text }, now) =>
      reply(p, from, op, p.kill(domain, p.context.core, text), now),
    domain_reply: (from, message, now) => p.exchange.answered(from.id, message, now),
    domain_wait_request: ({ id: from }, { op, domain, nohang }, now) => {
      let isOpen = true;
      const stop = answer(p, from, p.waitHere(domain, nohang), now, (outcome) => {
        isOpen = false;
        p.remoteWaits.ended(from, op);
        const { finished, cause, status, text, parts } = outcome.ok
          ? outcome.value
          : { finished: false, cause: '', status: 0, text: outcome.text, parts: {} };
        const { error } = errorOf(outcome);
        return {
          type: 'domain_wait_reply',
          op,
          error,
          finished,
          cause,
          status,
          text,
          parts: Object.entries(parts).flat(),
        };
      });
      if (isOpen) p.remoteWaits.begun(from, op, givingUp(stop));
    },
    domain_wait_over: ({ id: from }, { op }, now) => p.remoteWaits.over(from, op, now),
    domain_wait_reply: (from, message, now) => p.exchange.answered(from.id, message, now),
    program_text_request: ({ id: from }, { op, digest, offset }, now) => {
      const bytes = p.store.find(digest)?.bytes ?? new Uint8Array(0);
      const piece = bytes.slice(offset, offset + programLimit('pieceBytes'));
      const error = codeOf(bytes.length === 0 ? 'NO_SUCH_PROGRAM' : null);
      p.exchange.tell(from, { type: 'program_text_reply', op, error, total: bytes.length, piece }, now);
    },
    program_text_reply: (from, message, now) => p.exchange.answered(from.id, message, now),
    span_data: ({ id: from }, { domain, data }, now) => {
      const part = p.parts.of(domain);
      // Dropped if the sender does not read: nothing is kept for whoever sends to nobody.
      if (part === undefined) p.context.send(from, { type: 'span_nobody', domain });
      else p.parts.tell(part, { type: 'span_message', core: from, data: new PlainReader(data).read() }, now);
    },
    span_nobody: ({ id: from }, { domain }, now) => p.toldOfPart(domain, from, 'NO_SUCH_DOMAIN', now),
  } satisfies MessageHandlers;
}

/** Adds a dispatcher, at the domain's home. */
export function* spanHere(p: ProcessManager, domain: string, core: CoreId): Operation<void> {
  yield* p.spawner.span(p.homes.find(domain), core);
}

function* beginPart(p: ProcessManager, from: CoreId, domain: string, capabilities: readonly number[]): Operation<void> {
  const part = p.parts.of(domain);
  const creator = p.homes.get(domain)?.creator;
  if (part === undefined || (part.spec.home !== from && creator !== from))
    throw new OperationError('NO_SUCH_DOMAIN', `core ${p.context.core} has no part of ${domain.slice(0, 40)} to start`);
  p.spawner.begin(domain, capabilities, p.context.now);
}

function reply(p: ProcessManager, to: CoreId, op: string, operation: Operation<unknown>, now: Nanos): void {
  answer(p, to, operation, now, (outcome) => ({ type: 'domain_reply', op, ...errorOf(outcome) }));
}

/** Runs an operation for another monitor, which gets an answer however many operations there are. Returns what stops it. */
function answer<T>(
  p: ProcessManager,
  to: CoreId,
  operation: Operation<T>,
  now: Nanos,
  message: (outcome: Outcome<T>) => Extract<Message, { readonly op: string }>,
): Stop {
  const { operations } = p.context;
  return operations.start(
    operations.nextId(),
    operation,
    now,
    (outcome, at) => p.exchange.tell(to, message(outcome), at),
    true,
  );
}

function errorOf(outcome: Outcome<unknown>): Pick<MessageOf<'domain_reply'>, 'error' | 'text'> {
  return outcome.ok ? { error: 0, text: '' } : { error: codeOf(outcome.error), text: outcome.text };
}
