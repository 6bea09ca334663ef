import type { CoreId } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import { MessageReader, MessageWriter, type SentCapability } from '../interface/message-bytes.ts';
import { MkError } from '../runtime/mk-error.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { mayTake, rejected, type WaitOptions, waitFor, type Waker } from '../runtime/waiting.ts';

/** The way by which a channel reaches its other end. */
export type TransportName = 'lmp' | 'urpc' | 'multihop';
export const TRANSPORTS: readonly TransportName[] = ['lmp', 'urpc', 'multihop'];

/** The kernel's description of a new channel. */
export interface ChannelFacts {
  readonly id: number;
  readonly transport: TransportName;
  /** The core of the other end. */
  readonly core: CoreId;
  /** Bytes that may be under way in each direction before the receiver takes some. */
  readonly windowBytes: number;
}

/** Whether a send waits for room in the channel (the default) or ends in BUSY at once. */
export interface SendOptions extends WaitOptions {
  readonly busy?: 'wait' | 'fail';
}

/** Receives what comes over a channel. */
export interface ChannelOwner {
  /** A message. Call `took` with its number of bytes once the program has it: only then may the sender send more. */
  received(message: MessageReader, bytes: number): void;
  /** Nothing more comes, and nothing can be sent. */
  closed(error: MkError): void;
}

interface WaitingSender {
  readonly message: MessageWriter;
  readonly bytes: number;
  readonly capabilities: readonly SentCapability[];
  readonly waker: Waker<Promise<void> | undefined>;
}

/** The length before each message of a batch. */
const HEAD_BYTES = 4;
/** Plain messages of one turn that share a system call. */
const BATCH_BYTES = 32 << 10;
/** Bytes per turn after which a sender waits for the next turn, so that the other end takes what came. */
const TURN_BYTES = 64 << 10;
const MOST_BYTES = limit('channelMessageBytes');

/**
 * A dispatcher's end of a channel. Exactly once, FIFO; a full channel reports BUSY, or makes its senders wait in order;
 * when an end is gone, everything that waits gets an error. Credits count bytes: at most a window is sent and not yet
 * taken.
 */
export class ChannelEnd {
  owner: ChannelOwner | null = null;
  private credit: number;
  private readonly batch = new MessageWriter();
  /** Sent since the turn began. */
  private turnBytes = 0;
  private readonly senders = new Set<WaitingSender>();
  private takenBytes = 0;
  private error: MkError | null = null;
  /** Messages that came before there was an owner. */
  private early: { readonly data: Uint8Array; readonly capabilities: readonly number[] }[] = [];

  constructor(
    private readonly runtime: Runtime,
    readonly facts: ChannelFacts,
    /** Describes the other end, for people. */
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

  /** Whether a message of so many bytes would be accepted now. */
  canSend(bytes = 0): boolean {
    return this.error === null && this.senders.size === 0 && this.credit >= bytes + HEAD_BYTES;
  }

  /**
   * Sends the written bytes, waiting for room behind earlier senders. Resolves when the channel has taken the message;
   * with capabilities, when the receiver has them. BUSY: there was no room in time, and nothing was sent. The writer is
   * free again.
   */
  send(message: MessageWriter, options: SendOptions = {}): Promise<void> {
    const { capabilities } = message;
    try {
      mayTake(this.runtime, options);
      this.check(message);
      if (options.busy === 'fail' && !this.canSend(message.length)) throw this.busy();
    } catch (error) {
      return rejected(error);
    }
    if (!this.canSend(message.length)) return this.sendLater(message.copy(), options);
    if (capabilities.length > 0) return this.sendWithCapabilities(message);
    this.put(message);
    return this.turnBytes < TURN_BYTES ? DONE : this.runtime.nextTurn();
  }

  /** Waits until a message of so many bytes would be accepted. */
  async writable(bytes = 0, options: WaitOptions = {}): Promise<void> {
    mayTake(this.runtime, options);
    if (this.canSend(bytes)) return;
    if (this.error !== null) throw this.error;
    await waitFor<Promise<void> | undefined>(this.runtime, `room on ${this.label}`, options, (waker) => {
      const sender = { message: NOTHING, bytes, capabilities: PROBE, waker };
      this.senders.add(sender);
      return () => this.leave(sender);
    });
  }

  /** Closes this end; everything sent before arrives before the other end hears of it. */
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

  /** Hands this turn's messages to the kernel. */
  private flush(): void {
    if (this.error !== null) return;
    if (this.batch.length > 0) {
      this.runtime.calls.tell('channel_send', [this.facts.id, this.batch.take(), [], []]);
      this.batch.clear();
    }
    if (this.takenBytes * 4 < this.facts.windowBytes) return;
    this.runtime.calls.tell('channel_taken', [this.facts.id, this.takenBytes]);
    this.takenBytes = 0;
  }

  // Events from the kernel.

  /** The receiver has taken so much. */
  credited(bytes: number): void {
    this.credit += bytes;
    for (const sender of this.senders) {
      if (this.credit < sender.bytes + HEAD_BYTES) return;
      this.senders.delete(sender);
      this.serve(sender);
    }
  }

  /** A batch of messages; capabilities come with a batch of one. */
  arrived(data: Uint8Array, capabilities: readonly number[]): void {
    if (this.error !== null) return dropCapabilities(this.runtime, capabilities);
    const { owner } = this;
    if (owner === null) {
      this.early.push({ data, capabilities });
      return;
    }
    for (let at = 0; at < data.length && this.error === null && !this.runtime.ended;) {
      const from = at + HEAD_BYTES;
      if (from > data.length) return this.close('BAD_MESSAGE');
      at = from + lengthAt(data, at);
      if (at > data.length) return this.close('BAD_MESSAGE');
      owner.received(new MessageReader(data, capabilities, from, at), at - from + HEAD_BYTES);
    }
  }

  /** Sets the receiver of messages, and hands it those that have come. */
  attach(owner: ChannelOwner): void {
    this.owner = owner;
    const { early } = this;
    this.early = [];
    for (const { data, capabilities } of early) this.arrived(data, capabilities);
    if (this.error !== null) owner.closed(this.error);
  }

  /** The other end, or a core on the way to it, is gone. */
  ended(name: string): void {
    this.end(new MkError(name, `${this.label} is closed`));
  }

  private end(error: MkError): void {
    if (this.error !== null) return;
    this.error = error;
    this.batch.clear();
    const senders = [...this.senders];
    this.senders.clear();
    for (const { waker } of senders) waker.fail(error);
    this.onClosed(this);
    this.owner?.closed(error);
  }

  /** The program has taken a message of so many bytes. */
  took(bytes: number): void {
    this.takenBytes += bytes;
  }

  private check(message: MessageWriter): void {
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

  private put(message: MessageWriter): void {
    if (this.batch.length > 0 && this.batch.length + message.length > BATCH_BYTES) this.flush();
    this.credit -= message.length + HEAD_BYTES;
    this.batch.append(message);
    this.turnBytes += message.length + HEAD_BYTES;
  }

  private async sendWithCapabilities(message: MessageWriter): Promise<void> {
    const capabilities = [...message.capabilities];
    this.flush();
    this.credit -= message.length + HEAD_BYTES;
    const addresses = capabilities.map(({ address }) => address);
    const given = capabilities.map(({ giveAway }) => (giveAway ? 1 : 0));
    const framed = new MessageWriter();
    framed.append(message);
    const data = framed.take();
    try {
      await this.runtime.calls.ask('channel_send', [this.facts.id, data, addresses, given]);
      for (const { address, giveAway } of capabilities) if (giveAway) this.runtime.slots.release(address);
    } catch (error) {
      this.credited(data.length); // it was not sent
      throw error;
    }
  }

  private async sendLater(message: MessageWriter, options: SendOptions): Promise<void> {
    try {
      await waitFor<Promise<void> | undefined>(this.runtime, `room on ${this.label}`, options, (waker) => {
        const sender = { message, bytes: message.length, capabilities: message.capabilities, waker };
        this.senders.add(sender);
        return () => this.leave(sender);
      });
    } catch (error) {
      if (error instanceof MkError && error.name === 'DEADLINE_EXCEEDED') throw this.busy();
      throw error;
    }
  }

  private serve({ message, capabilities, waker }: WaitingSender): void {
    if (capabilities !== PROBE && capabilities.length > 0) return waker.wake(this.sendWithCapabilities(message));
    if (capabilities !== PROBE) this.put(message);
    waker.wake(undefined);
  }

  /** A sender gave up: those behind it may proceed. */
  private leave(sender: WaitingSender): void {
    if (this.senders.delete(sender)) this.credited(0);
  }
}

/** Deletes the capabilities of a message that will not be read. */
export function dropCapabilities({ calls }: Runtime, addresses: readonly number[]): void {
  for (const address of addresses) calls.tell('invoke', [{ operation: 'delete', target: { address } }]);
}

const DONE = Promise.resolve();
/** Marks a wait for room that sends nothing. */
const PROBE: readonly SentCapability[] = [];
const NOTHING = new MessageWriter();

function lengthAt(data: Uint8Array, at: number): number {
  const byte = (i: number): number => data[at + i] ?? 0;
  return ((byte(0) << 24) | (byte(1) << 16) | (byte(2) << 8) | byte(3)) >>> 0;
}
