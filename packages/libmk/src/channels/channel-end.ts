import { asError } from '@mk/monitor-proto/thrown';
import type { CoreId } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { SentCapability } from '../interface/message-bytes.ts';
import { MkError } from '../runtime/mk-error.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type WaitOptions, waitFor, type Waker } from '../runtime/waiting.ts';

/** How a channel reaches its other end. */
export type TransportName = 'lmp' | 'urpc' | 'multihop';
export const TRANSPORTS: readonly TransportName[] = ['lmp', 'urpc', 'multihop'];

/** What the kernel says of a channel when it is made. */
export interface ChannelFacts {
  readonly id: number;
  readonly transport: TransportName;
  /** The core of the other end. */
  readonly core: CoreId;
  /** Bytes that may be under way in each direction before the receiver has taken some. */
  readonly windowBytes: number;
}

/** Whether a send waits for room in the channel (the default) or ends in BUSY at once. */
export interface SendOptions extends WaitOptions {
  readonly busy?: 'wait' | 'fail';
}

/** What comes of a channel. */
export interface ChannelOwner {
  /** A message. Call `taken` when the program has it: only then may the sender send more. */
  received(bytes: Uint8Array, capabilities: readonly number[], taken: () => void): void;
  /** Nothing more comes, and nothing can be sent. */
  closed(error: MkError): void;
}

interface WaitingSender {
  readonly message: Uint8Array;
  readonly capabilities: readonly SentCapability[];
  readonly waker: Waker<Promise<void> | undefined>;
}

/** Before each message of a batch: its length. */
const HEAD_BYTES = 4;
/** Plain messages of one turn that go in one system call. */
const BATCH_BYTES = 32 << 10;
/** Bytes of one turn, past which a sender waits for the next: the other end takes what came while this one goes on. */
const TURN_BYTES = 64 << 10;
const MOST_BYTES = limit('channelMessageBytes');

/**
 * A dispatcher's end of a channel. Exactly once, FIFO; a full channel says BUSY, or makes its senders wait in order; an end
 * that is gone is an error on everything that waits. Credits count bytes: what was sent and not yet taken is at most the window.
 */
export class ChannelEnd {
  owner: ChannelOwner | null = null;
  private credit: number;
  private batch: Uint8Array[] = [];
  private batchBytes = 0;
  /** Sent since the turn began. */
  private turnBytes = 0;
  private readonly senders = new Set<WaitingSender>();
  private takenBytes = 0;
  private error: MkError | null = null;
  /** What came before the owner was there. */
  private early: { readonly data: Uint8Array; readonly capabilities: readonly number[] }[] = [];

  constructor(
    private readonly runtime: Runtime,
    readonly facts: ChannelFacts,
    /** Who is on the other end, for people. */
    readonly label: string,
    private readonly onClosed: (end: ChannelEnd) => void,
  ) {
    this.credit = facts.windowBytes;
  }

  /** Why it is closed; null: it is open. */
  get closedBy(): MkError | null {
    return this.error;
  }

  /** The largest message that it takes. */
  get maxMessageBytes(): number {
    return Math.min(MOST_BYTES, this.facts.windowBytes - HEAD_BYTES);
  }

  /** Whether a message of so many bytes would be taken now. */
  canSend(bytes = 0): boolean {
    return this.error === null && this.senders.size === 0 && this.credit >= bytes + HEAD_BYTES;
  }

  /** Whether the channel took the message; false: BUSY. Throws what closed it, or MESSAGE_TOO_LARGE. */
  trySend(message: Uint8Array): boolean {
    this.check(message);
    if (!this.canSend(message.length)) return false;
    this.put(message);
    return true;
  }

  /**
   * Sends, waiting for room behind those that wait already. Resolves when the channel has taken the message; with
   * capabilities, when they are with the receiver. BUSY: there was no room in time, and nothing was sent.
   */
  send(message: Uint8Array, capabilities: readonly SentCapability[], options: SendOptions = {}): Promise<void> {
    try {
      this.check(message);
      if (options.busy === 'fail' && !this.canSend(message.length)) throw this.busy();
    } catch (error) {
      return Promise.reject(asError(error));
    }
    if (!this.canSend(message.length)) return this.sendLater(message, capabilities, options);
    if (capabilities.length > 0) return this.sendWithCapabilities(message, capabilities);
    this.put(message);
    return this.turnBytes < TURN_BYTES ? DONE : this.runtime.nextTurn();
  }

  /** Waits until a message of so many bytes would be taken. */
  async writable(bytes = 0, options: WaitOptions = {}): Promise<void> {
    if (this.canSend(bytes)) return;
    if (this.error !== null) throw this.error;
    const probe = new Uint8Array(bytes);
    await waitFor<Promise<void> | undefined>(this.runtime, `room on ${this.label}`, options, (waker) => {
      const sender = { message: probe, capabilities: PROBE, waker };
      this.senders.add(sender);
      return () => this.leave(sender);
    });
  }

  /** Closes this end; what was sent before arrives before the other end hears of it. */
  close(error = 'CHANNEL_CLOSED'): void {
    if (this.error !== null) return;
    this.flush();
    this.runtime.calls.tell('channel_close', [this.facts.id, error]);
    this.end(new MkError('CHANNEL_CLOSED', `this end of ${this.label} was closed`));
  }

  /** The turn is over. */
  turnEnds(): void {
    this.turnBytes = 0;
    this.flush();
  }

  /** What was gathered in this turn goes to the kernel. */
  private flush(): void {
    if (this.error !== null) return;
    if (this.batch.length > 0) {
      this.runtime.calls.tell('channel_send', [this.facts.id, concatenated(this.batch, this.batchBytes), [], []]);
      this.batch = [];
      this.batchBytes = 0;
    }
    if (this.takenBytes * 4 < this.facts.windowBytes) return;
    this.runtime.calls.tell('channel_taken', [this.facts.id, this.takenBytes]);
    this.takenBytes = 0;
  }

  // What the kernel tells.

  /** The receiver has taken so much. */
  credited(bytes: number): void {
    this.credit += bytes;
    for (const sender of this.senders) {
      if (this.credit < sender.message.length + HEAD_BYTES) return;
      this.senders.delete(sender);
      this.serve(sender);
    }
  }

  /** A batch of messages; capabilities come with a batch of one. */
  arrived(data: Uint8Array, capabilities: readonly number[]): void {
    if (this.error !== null) return;
    const { owner } = this;
    if (owner === null) {
      this.early.push({ data, capabilities });
      return;
    }
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    for (let at = 0; at < data.length && this.error === null;) {
      const length = at + HEAD_BYTES <= data.length ? view.getUint32(at) : Infinity;
      const from = at + HEAD_BYTES;
      if (from + length > data.length) return this.close('BAD_MESSAGE');
      at = from + length;
      owner.received(
        data.subarray(from, at),
        capabilities,
        once(() => this.took(length + HEAD_BYTES)),
      );
    }
  }

  /** Says who the messages are for; those that have come already are handed on. */
  attach(owner: ChannelOwner): void {
    this.owner = owner;
    const { early } = this;
    this.early = [];
    for (const { data, capabilities } of early) this.arrived(data, capabilities);
    if (this.error !== null) owner.closed(this.error);
  }

  /** The other end, or what led there, is gone. */
  ended(name: string): void {
    this.end(new MkError(name, `${this.label} is closed`));
  }

  private end(error: MkError): void {
    if (this.error !== null) return;
    this.error = error;
    this.batch = [];
    const senders = [...this.senders];
    this.senders.clear();
    for (const { waker } of senders) waker.fail(error);
    this.onClosed(this);
    this.owner?.closed(error);
  }

  private took(bytes: number): void {
    this.takenBytes += bytes;
  }

  private check(message: Uint8Array): void {
    if (this.error !== null) throw this.error;
    if (message.length > this.maxMessageBytes)
      throw new MkError(
        'MESSAGE_TOO_LARGE',
        `${message.length} bytes; ${this.label} takes ${this.maxMessageBytes} in one message`,
      );
  }

  private busy(): MkError {
    return new MkError('BUSY', `${this.label} is full; wait until it is writable`);
  }

  private put(message: Uint8Array): void {
    if (this.batchBytes > 0 && this.batchBytes + message.length > BATCH_BYTES) this.flush();
    this.credit -= message.length + HEAD_BYTES;
    this.batch.push(message);
    this.batchBytes += message.length + HEAD_BYTES;
    this.turnBytes += message.length + HEAD_BYTES;
  }

  private async sendWithCapabilities(message: Uint8Array, capabilities: readonly SentCapability[]): Promise<void> {
    this.flush();
    this.credit -= message.length + HEAD_BYTES;
    const addresses = capabilities.map(({ address }) => address);
    const given = capabilities.map(({ giveAway }) => (giveAway ? 1 : 0));
    const data = concatenated([message], message.length + HEAD_BYTES);
    try {
      await this.runtime.calls.ask('channel_send', [this.facts.id, data, addresses, given]);
      for (const { address, giveAway } of capabilities) if (giveAway) this.runtime.slots.release(address);
    } catch (error) {
      this.credited(data.length); // it was not sent
      throw error;
    }
  }

  private async sendLater(
    message: Uint8Array,
    capabilities: readonly SentCapability[],
    options: SendOptions,
  ): Promise<void> {
    try {
      await waitFor<Promise<void> | undefined>(this.runtime, `room on ${this.label}`, options, (waker) => {
        const sender = { message, capabilities, waker };
        this.senders.add(sender);
        return () => this.leave(sender);
      });
    } catch (error) {
      if (error instanceof MkError && error.name === 'DEADLINE_EXCEEDED') throw this.busy();
      throw error;
    }
  }

  private serve({ message, capabilities, waker }: WaitingSender): void {
    if (capabilities !== PROBE && capabilities.length > 0)
      return waker.wake(this.sendWithCapabilities(message, capabilities));
    if (capabilities !== PROBE) this.put(message);
    waker.wake(undefined);
  }

  /** Somebody gave up: who waits behind may go. */
  private leave(sender: WaitingSender): void {
    if (this.senders.delete(sender)) this.credited(0);
  }
}

const DONE = Promise.resolve();
/** Marks a wait for room that sends nothing. */
const PROBE: readonly SentCapability[] = [];

function concatenated(messages: readonly Uint8Array[], bytes: number): Uint8Array {
  const all = new Uint8Array(bytes);
  const view = new DataView(all.buffer);
  let at = 0;
  for (const message of messages) {
    view.setUint32(at, message.length);
    all.set(message, at + HEAD_BYTES);
    at += HEAD_BYTES + message.length;
  }
  return all;
}

function once(run: () => void): () => void {
  let open = true;
  return () => {
    if (!open) return;
    open = false;
    run();
  };
}
