import { known } from '@mk/monitor-proto/assert';
import { isErrorName } from '@mk/monitor-proto/errors';
import type { InputOf, Interface, Method, Methods, NamesOf, OutputOf } from '../interface/interface.ts';
import { type MessageReader, MessageWriter } from '../interface/message-bytes.ts';
import { EventQueue } from '../runtime/event-queue.ts';
import { MkError } from '../runtime/mk-error.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { deadlineOf, mayBegin, rejected, waitFor, type WaitOptions, type Waker } from '../runtime/waiting.ts';
import {
  type ChannelEnd,
  type ChannelFacts,
  type ChannelOwner,
  dropCapabilities,
  type SendOptions,
} from './channel-end.ts';
import { FORM, REFUSAL_NAME_BYTES, REFUSAL_TEXT_BYTES } from './wire.ts';

/** An event that the server sent. */
type ServerEvent<M extends Methods> = {
  [N in NamesOf<M, 'event'>]: { readonly name: N; readonly value: InputOf<M[N]> };
}[NamesOf<M, 'event'>];

/** What every client has besides its interface's methods. */
interface ClientBase<M extends Methods> {
  /** Events of the server, in order. */
  readonly $events: EventQueue<ServerEvent<M>>;
  /** How the channel reaches the server, and where the server is. */
  readonly $channel: ChannelFacts;
  /** Whether something could be sent now without BUSY. */
  readonly $canSend: boolean;
  /** Waits until the channel accepts messages again, of the given size if there is one. */
  $writable(options?: WaitOptions & { readonly bytes?: number }): Promise<void>;
  /** Why the channel is closed; null: it is open. */
  readonly $closedBy: MkError | null;
  /** Closes the channel; pending calls end in CHANNEL_CLOSED. */
  $close(): void;
}

/**
 * A client of an interface: a method for each request and message. A request resolves with the server's answer, or rejects
 * with the name of its refusal, DEADLINE_EXCEEDED, CANCELLED, BUSY, or what closed the channel (PEER_GONE, DISPATCHER_GONE,
 * CHANNEL_CLOSED). A message resolves when the channel has taken it.
 */
export type Client<M extends Methods> = {
  readonly [N in NamesOf<M, 'rpc'>]: (input: InputOf<M[N]>, options?: SendOptions) => Promise<OutputOf<M[N]>>;
} & {
  readonly [N in NamesOf<M, 'message'>]: (fields: InputOf<M[N]>, options?: SendOptions) => Promise<void>;
} & ClientBase<M>;

interface Pending {
  readonly method: Method;
  readonly waker: Waker<unknown>;
}

/** The library's half of a client. */
class ClientEnd implements ChannelOwner {
  readonly events: EventQueue<{ readonly name: string; readonly value: unknown }>;
  private readonly pending = new Map<number, Pending>();
  private readonly writer = new MessageWriter();
  /** Bytes of the waiting events. */
  private readonly sizes: number[] = [];
  private lastToken = 0;

  constructor(
    private readonly runtime: Runtime,
    private readonly channel: ChannelEnd,
    private readonly spoken: Interface,
  ) {
    this.events = new EventQueue(runtime, `events of ${channel.label}`, () => channel.took(this.sizes.shift() ?? 0));
    channel.attach(this);
  }

  /** A message without an answer. */
  tell(method: Method, fields: unknown, options: SendOptions = {}): Promise<void> {
    const { writer } = this;
    try {
      writer.clear();
      writer.u8(FORM.tell);
      writer.count(method.number);
      method.input.write(writer, fields, method.name);
      return this.channel.send(writer, options);
    } catch (error) {
      return rejected(error);
    }
  }

  /** A request: it begins to wait for the answer before it sends, so that it misses none. */
  call(method: Method, input: unknown, options: SendOptions = {}): Promise<unknown> {
    const token = ++this.lastToken;
    const { closedBy } = this.channel;
    if (closedBy !== null) return Promise.reject(closedBy);
    try {
      mayBegin(this.runtime, `${this.spoken.name}.${method.name}`, options);
      this.writeCall(method, token, input, options);
    } catch (error) {
      return rejected(error);
    }
    const { writer } = this;
    const plain = writer.capabilities.length === 0;
    return waitFor<unknown>(this.runtime, `the answer to ${this.spoken.name}.${method.name}`, options, (waker) => {
      let sent = false;
      this.pending.set(token, { method, waker });
      this.channel.send(writer, options).then(
        () => (sent = true),
        (error: unknown) => waker.fail(error),
      );
      if (plain && options.busy === 'fail') sent = true;
      return () => {
        if (this.pending.delete(token) && sent) this.cancel(token);
      };
    });
  }

  received(reader: MessageReader, bytes: number): void {
    try {
      const form = reader.u8();
      if (form === FORM.tell) return this.event(reader, bytes);
      this.channel.took(bytes);
      if (form === FORM.answer) this.answer(reader);
      else if (form === FORM.refusal) this.refusal(reader);
      else throw new MkError('BAD_MESSAGE', `form ${form}`);
    } catch (error) {
      if (!(error instanceof MkError)) throw error;
      this.channel.close('BAD_MESSAGE');
    }
  }

  closed(error: MkError): void {
    const pending = [...this.pending.values()];
    this.pending.clear();
    for (const { waker } of pending) waker.fail(error);
    this.events.end(error);
  }

  private writeCall(method: Method, token: number, input: unknown, options: WaitOptions): void {
    const { writer } = this;
    const now = this.runtime.now();
    const deadline = deadlineOf(now, options);
    writer.clear();
    writer.u8(FORM.call);
    writer.count(method.number);
    writer.count(token);
    writer.float(deadline === Infinity ? 0 : Math.max(1, deadline - now));
    method.input.write(writer, input, method.name);
  }

  private cancel(token: number): void {
    if (this.channel.closedBy !== null) return;
    this.writer.clear();
    this.writer.u8(FORM.cancel);
    this.writer.count(token);
    this.channel.send(this.writer).catch(nothing); // a channel that closes cancels everything
  }

  private event(reader: MessageReader, bytes: number): void {
    const method = this.spoken.rows[reader.count()];
    if (method?.is !== 'event') throw new MkError('BAD_MESSAGE', 'an event that is none');
    const value = method.input.read(reader, method.name);
    reader.end();
    this.sizes.push(bytes);
    this.events.push({ name: method.name, value });
  }

  private answer(reader: MessageReader): void {
    const { method, waker } = this.take(reader.count()) ?? {};
    if (method === undefined) return dropCapabilities(this.runtime, reader.carried); // its caller has given up
    try {
      const value = known(method.output).read(reader, method.name);
      reader.end();
      known(waker).wake(value);
    } catch (error) {
      known(waker).fail(error);
      throw error;
    }
  }

  private refusal(reader: MessageReader): void {
    const pending = this.take(reader.count());
    const name = reader.text(REFUSAL_NAME_BYTES);
    const text = reader.text(REFUSAL_TEXT_BYTES);
    if (pending === undefined) return;
    const known = pending.method.errors.includes(name) || isErrorName(name);
    pending.waker.fail(new MkError(known ? name : 'HANDLER_FAILED', known ? text : `${name}: ${text}`));
  }

  private take(token: number): Pending | undefined {
    const pending = this.pending.get(token);
    this.pending.delete(token);
    return pending;
  }
}

/** A typed client over an end of a channel. */
export function makeClient<M extends Methods>(runtime: Runtime, channel: ChannelEnd, spoken: Interface<M>): Client<M> {
  const end = new ClientEnd(runtime, channel, spoken);
  const client: Record<string, unknown> = {
    $events: end.events,
    $channel: channel.facts,
    $writable: ({ bytes = 0, ...options }: WaitOptions & { bytes?: number } = {}) => channel.writable(bytes, options),
    $close: () => channel.close(),
  };
  Object.defineProperty(client, '$canSend', { get: () => channel.canSend(), enumerable: true });
  Object.defineProperty(client, '$closedBy', { get: () => channel.closedBy, enumerable: true });
  for (const row of spoken.rows) {
    if (row.is === 'rpc') client[row.name] = (input: unknown, options?: SendOptions) => end.call(row, input, options);
    else if (row.is === 'message')
      client[row.name] = (fields: unknown, options?: SendOptions) => end.tell(row, fields, options);
  }
  return client as Client<M>;
}

function nothing(): void {
  // Reported elsewhere.
}
