import { known } from '@mk/monitor-proto/assert';
import { isErrorName } from '@mk/monitor-proto/errors';
import type { Nanos } from '@mk/monitor-proto/ids';
import type { InputOf, Interface, Method, Methods, NamesOf } from '../interface/interface.ts';
import { type MessageReader, MessageWriter } from '../interface/message-bytes.ts';
import { Cancellation, type CancelSignal } from '../runtime/cancellation.ts';
import { EventQueue } from '../runtime/event-queue.ts';
import { isMkError, MkError } from '../runtime/mk-error.ts';
import { describe, type Runtime } from '../runtime/runtime.ts';
import { errorOf } from '../runtime/thrown-value.ts';
import type { ChannelEnd, ChannelFacts, ChannelOwner, SendOptions } from './channel-end.ts';
import { FORM, REFUSAL_NAME_BYTES, REFUSAL_TEXT_BYTES, shortened } from './wire.ts';

/** A client's request or message that waits to be served. */
export interface Request<M extends Methods = Methods> {
  readonly method: (NamesOf<M, 'rpc'> | NamesOf<M, 'message'>) & string;
  readonly input: unknown;
  readonly connection: Connection<M>;
  /** Aborts when the client no longer wants the answer: it cancelled, its deadline passed, or it is gone. */
  readonly signal: CancelSignal;
  /** The time of `mk.now()` after which the answer is no longer wanted; Infinity: none. */
  readonly deadline: Nanos;
  /** Whether an answer is expected: true for a request, false for a message. */
  readonly answered: boolean;
  /** Answers a request, or marks a message as done. Once. */
  reply(output?: unknown): Promise<void>;
  /** Refuses a request with a name from its interface or the error table. */
  refuse(name: string, text?: string): Promise<void>;
}

/** The server's end of a channel to one client. */
export interface Connection<M extends Methods = Methods> {
  /** How it is reached, and where the client is. */
  readonly channel: ChannelFacts;
  /** Requests waiting to be served, if the service was exported without handlers. */
  readonly requests: EventQueue<Request<M>>;
  /** A method per event of the interface: sends it to this client. Waits for room like a client's message. */
  readonly emit: {
    readonly [N in NamesOf<M, 'event'>]: (fields: InputOf<M[N]>, options?: SendOptions) => Promise<void>;
  };
  /** Why it is closed; null: it is open. */
  readonly closedBy: MkError | null;
  close(): void;
}

/** The library's half of a connection. */
export class ServerEnd<M extends Methods> implements ChannelOwner, Connection<M> {
  readonly requests: EventQueue<Request<M>>;
  readonly emit: Connection<M>['emit'];
  private readonly writer = new MessageWriter();
  private readonly running = new Map<number, Cancellation>();
  /** Bytes of the waiting requests. */
  private readonly sizes: number[] = [];
  /** Serves a request at once, without waiting; false: not possible now. */
  atOnce: ((request: Request<M>) => boolean) | null = null;

  constructor(
    private readonly runtime: Runtime,
    private readonly end: ChannelEnd,
    private readonly spoken: Interface<M>,
    /** Reports to the server answers that its own interface refuses. */
    private readonly report: (text: string) => void,
    private readonly onClosed: (connection: ServerEnd<M>, error: MkError) => void,
  ) {
    this.requests = new EventQueue(runtime, `requests of ${end.label}`, () => end.took(this.sizes.shift() ?? 0));
    this.emit = Object.fromEntries(
      spoken.rows
        .filter(({ is }) => is === 'event')
        .map((row) => [row.name, (fields: unknown, options?: SendOptions) => this.tell(row, fields, options)]),
    ) as Connection<M>['emit'];
  }

  /** Starts listening. */
  start(): void {
    this.end.attach(this);
  }

  get channel(): ChannelFacts {
    return this.end.facts;
  }

  get closedBy(): MkError | null {
    return this.end.closedBy;
  }

  close(): void {
    this.end.close();
  }

  /** Closes it because the service refuses this client. */
  turnAway(name: string): void {
    this.end.close(name);
  }

  received(reader: MessageReader, bytes: number): void {
    try {
      const form = reader.u8();
      if (form === FORM.cancel) {
        this.end.took(bytes);
        this.running.get(reader.count())?.cancel('the client no longer wants the answer');
      } else if (form === FORM.call || form === FORM.tell) this.request(reader, form, bytes);
      else throw new MkError('BAD_MESSAGE', `form ${form}`);
    } catch (error) {
      if (!(error instanceof MkError)) throw error;
      this.end.close('BAD_MESSAGE');
    }
  }

  closed(error: MkError): void {
    for (const cancellation of this.running.values()) cancellation.cancel(error);
    this.running.clear();
    this.requests.end(error);
    this.onClosed(this, error);
  }

  private request(reader: MessageReader, form: number, bytes: number): void {
    const method = this.spoken.rows[reader.count()];
    if (method?.is !== (form === FORM.call ? 'rpc' : 'message')) throw new MkError('BAD_MESSAGE', 'no such method');
    const token = form === FORM.call ? reader.count() : 0;
    const timeoutNs = form === FORM.call ? reader.float() : 0;
    const input = method.input.read(reader, method.name);
    reader.end();
    const cancellation = token === 0 ? NEVER_CANCELLED : new Cancellation();
    if (token !== 0) this.running.set(token, cancellation);
    const request: Request<M> = {
      method: method.name as Request<M>['method'],
      input,
      connection: this,
      signal: cancellation.signal,
      deadline: timeoutNs > 0 ? this.runtime.now() + timeoutNs : Infinity,
      answered: token !== 0,
      reply: (output) => this.reply(method, token, output),
      refuse: (name, text) => this.refuse(method, token, name, text ?? ''),
    };
    if (this.requests.length === 0 && this.atOnce?.(request) === true) return this.end.took(bytes);
    this.sizes.push(bytes);
    this.requests.push(request);
  }

  private async reply(method: Method, token: number, output: unknown): Promise<void> {
    if (!this.settle(token)) return;
    const { writer } = this;
    writer.clear();
    writer.u8(FORM.answer);
    writer.count(token);
    try {
      known(method.output).write(writer, output ?? {}, `${method.name}’s answer`);
      if (writer.length > this.end.maxMessageBytes)
        throw new MkError('MESSAGE_TOO_LARGE', `an answer of ${writer.length} bytes`);
    } catch (error) {
      // A getter of the program's own may have thrown anything: the client waits, and must hear of it.
      this.report(`${this.spoken.name}.${method.name}: ${describe(error)}`);
      return this.sendRefusal(token, 'HANDLER_FAILED', errorOf(error).message);
    }
    try {
      await this.end.send(writer);
    } catch (error) {
      if (this.closedBy !== null) return; // the client is gone, and hears of it elsewhere
      if (!isMkError(error)) throw error;
      await this.sendRefusal(token, error.name, error.text);
    }
  }

  private async refuse(method: Method, token: number, name: string, text: string): Promise<void> {
    if (!this.settle(token)) return;
    const known = method.errors.includes(name) || isErrorName(name);
    await this.sendRefusal(token, known ? name : 'HANDLER_FAILED', known ? text : `${name}: ${text}`);
  }

  private async sendRefusal(token: number, name: string, text: string): Promise<void> {
    const { writer } = this;
    writer.clear();
    writer.u8(FORM.refusal);
    writer.count(token);
    writer.text(shortened(name, REFUSAL_NAME_BYTES));
    writer.text(shortened(text, REFUSAL_TEXT_BYTES));
    await this.sendUnlessClosed(writer);
  }

  private async sendUnlessClosed(message: MessageWriter): Promise<void> {
    try {
      await this.end.send(message);
    } catch (error) {
      if (this.closedBy === null) throw error;
    }
  }

  /** Whether somebody still waits for the answer. */
  private settle(token: number): boolean {
    return token !== 0 && this.running.delete(token) && this.closedBy === null;
  }

  private async tell(method: Method, fields: unknown, options: SendOptions = {}): Promise<void> {
    const { writer } = this;
    writer.clear();
    writer.u8(FORM.tell);
    writer.count(method.number);
    method.input.write(writer, fields, method.name);
    await this.end.send(writer, options);
  }
}

/** Nobody cancels a message. */
const NEVER_CANCELLED = new Cancellation();
