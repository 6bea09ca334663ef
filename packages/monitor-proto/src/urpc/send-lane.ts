import { assertInvariant } from '../assert.ts';
import type { WireMessage } from '../messages/codec.ts';
import type { Nanos } from '../ids.ts';
import type { Batch } from './frames.ts';

/**
 * The sending half of one lane: numbers messages from 1, keeps each until it is acknowledged, and has at most
 * `windowMessages` of them on the way.
 *
 *     acked < … on the way … ≤ sent < … queued … ≤ last
 */
export class SendLane {
  /** Highest acknowledged number: everything up to it is delivered and forgotten. */
  acked = 0;
  /** Highest number handed to the link, or less after a rewind. */
  sent = 0;
  /** Highest number given to a message. */
  last = 0;
  /** Highest number ever sent: a message sent again below it is a retransmission. */
  highest = 0;
  /** Since when an ack is awaited: since the oldest message on the way was first or last sent, or an ack moved on. */
  since: Nanos = 0;
  /** Whether a message was refused (BUSY) since the last acknowledgement. */
  refused = false;
  /**
   * Kept messages in wire form: a ring whose length is a power of two. Message n is at index n modulo the length, its
   * size at the same index of `sizes`. Most lanes of a large machine never have more than two messages on the way.
   */
  private kept: (WireMessage | undefined)[] = [undefined, undefined];
  private sizes: number[] = [0, 0];

  constructor(
    readonly lane: number,
    private readonly windowMessages: number,
    private readonly queueMessages: number,
  ) {}

  /** Accepts a message of about so many bytes. The lane must have room: a caller that finds none sets `refused`. */
  offer(message: WireMessage, bytes: number): void {
    if (this.last - this.acked === this.kept.length) this.grow();
    this.last += 1;
    const at = this.last & (this.kept.length - 1);
    this.kept[at] = message;
    this.sizes[at] = bytes;
  }

  /** Whether a message may leave now. */
  get ready(): boolean {
    return this.sent < this.last && this.sent - this.acked < this.windowMessages;
  }

  get hasRoom(): boolean {
    return this.last - this.acked < this.queueMessages;
  }

  get unacknowledged(): number {
    return this.sent - this.acked;
  }

  /** `since`; Infinity while nothing is on the way. */
  get awaitedSince(): Nanos {
    return this.unacknowledged > 0 ? this.since : Infinity;
  }

  /** The next messages to leave, at most so many and about so many bytes; null when none may. */
  take(maxMessages: number, maxBytes: number): Batch | null {
    const end = Math.min(this.last, this.acked + this.windowMessages, this.sent + maxMessages);
    if (end <= this.sent) return null;
    const first = this.sent + 1;
    this.sent = this.reach(this.sent, end, maxBytes);
    if (this.sent > this.highest) this.highest = this.sent;
    return this.batch(first, this.sent);
  }

  /** The receiver has everything up to `number`. False when `number` was never sent: the peer is lying. */
  acknowledge(number: number): boolean {
    if (number > this.highest) return false;
    if (number <= this.acked) return true;
    if (number === this.last && this.kept.length > KEPT) this.shrink();
    else for (let n = this.acked + 1; n <= number; n++) this.kept[n & (this.kept.length - 1)] = undefined;
    this.acked = number;
    if (this.sent < number) this.sent = number;
    return true;
  }

  /** Rewinds to the first unacknowledged message; returns how many messages count as unsent again. */
  rewind(): number {
    const again = this.sent - this.acked;
    this.sent = this.acked;
    return again;
  }

  /** The `count` messages after the acknowledged ones again, without moving `sent`. */
  repeat(count: number, maxBytes: number): Batch | null {
    const end = Math.min(this.sent, this.acked + count);
    if (end <= this.acked) return null;
    return this.batch(this.acked + 1, this.reach(this.acked, end, maxBytes));
  }

  /** The last message after `sent`, up to `end`, that fits about so many bytes; at least one. */
  private reach(sent: number, end: number, maxBytes: number): number {
    let number = sent;
    for (let bytes = 0; number < end && bytes < maxBytes; number++)
      bytes += this.sizes[(number + 1) & (this.sizes.length - 1)]!;
    return number;
  }

  /** U3, and the order of the marks. */
  invariants(): void {
    const { acked, sent, highest, last, lane } = this;
    const marks = (): string => `lane ${lane}: acked ${acked}, sent ${sent}, highest ${highest}, last ${last}`;
    assertInvariant('U3', acked <= sent && sent <= highest && highest <= last, marks);
    assertInvariant('U3', highest - acked <= this.windowMessages && last - acked <= this.queueMessages, marks);
  }

  private batch(first: number, last: number): Batch {
    const { kept } = this;
    const from = first & (kept.length - 1);
    const to = last & (kept.length - 1);
    const messages = from <= to ? kept.slice(from, to + 1) : kept.slice(from).concat(kept.slice(0, to + 1));
    return { lane: this.lane, first, messages: messages as WireMessage[] };
  }

  /** Doubles the ring and copies it twice over: every message is then in its place, and its second copy is freed. */
  private grow(): void {
    const { length } = this.kept;
    this.kept = this.kept.concat(this.kept);
    this.sizes = this.sizes.concat(this.sizes);
    for (let n = this.acked + 1; n <= this.last; n++) this.kept[(n + length) & (2 * length - 1)] = undefined;
  }

  private shrink(): void {
    this.kept = [undefined, undefined];
    this.sizes = [0, 0];
  }
}

/** A longer ring is freed once it is empty: it served a burst. */
const KEPT = 16;
