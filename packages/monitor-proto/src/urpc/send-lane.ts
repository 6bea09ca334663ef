import type { WireMessage } from '../messages/codec.ts';
import { clear } from '../reused-array.ts';
import type { Batch } from './frames.ts';

/**
 * The sending half of one lane: numbers messages from 1, keeps each until it is acknowledged, and never has more than
 * `windowMessages` of them on the way.
 *
 *     acked < … on the way … ≤ sent < … queued … ≤ last
 */
export class SendLane {
  /** Highest number that the receiver has acknowledged: all up to it are delivered and forgotten. */
  acked = 0;
  /** Highest number handed to the link at least once, or less after a rewind. */
  sent = 0;
  /** Highest number given to a message. */
  last = 0;
  /** The highest number that ever left: what goes again below it is a retransmission. */
  highest = 0;
  /** Whether a message was refused (BUSY) since the last acknowledgement. */
  refused = false;
  /** Kept messages as they travel; the message of number n stands at index n − base − 1, its size at the same index. */
  private readonly kept: (WireMessage | undefined)[] = [];
  private readonly sizes: number[] = [];
  private base = 0;

  constructor(
    readonly lane: number,
    private readonly windowMessages: number,
    private readonly queueMessages: number,
  ) {}

  /** Takes a message of about so many bytes for sending. The lane has room: whoever finds none sets `refused`. */
  offer(message: WireMessage, bytes: number): void {
    this.kept.push(message);
    this.sizes.push(bytes);
    this.last += 1;
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

  /** The next messages that may leave, at most so many messages and about so many bytes; null when none may. */
  take(maxMessages: number, maxBytes: number): Batch | null {
    const end = Math.min(this.last, this.acked + this.windowMessages, this.sent + maxMessages);
    if (end <= this.sent) return null;
    const first = this.sent + 1;
    this.sent = this.reach(this.sent, end, maxBytes);
    if (this.sent > this.highest) this.highest = this.sent;
    return this.batch(first, this.sent);
  }

  /** The receiver has everything up to `number`. False when that number was never sent: the peer is lying. */
  acknowledge(number: number): boolean {
    if (number > this.highest) return false;
    if (number <= this.acked) return true;
    const from = this.acked - this.base;
    const to = number - this.base;
    if (to === this.kept.length) {
      clear(this.kept);
      clear(this.sizes);
      this.base = number;
    } else {
      for (let i = from; i < to; i++) this.kept[i] = undefined;
      if (to > 1024 && to * 2 > this.kept.length) {
        this.kept.splice(0, to);
        this.sizes.splice(0, to);
        this.base = number;
      }
    }
    this.acked = number;
    if (this.sent < number) this.sent = number;
    return true;
  }

  /** Sends again from the first unacknowledged message; at most `count` of them count as not sent. Returns how many. */
  rewind(): number {
    const again = this.sent - this.acked;
    this.sent = this.acked;
    return again;
  }

  /** The `count` messages after the acknowledged ones, once more, without moving `sent`. */
  repeat(count: number, maxBytes: number): Batch | null {
    const end = Math.min(this.sent, this.acked + count);
    if (end <= this.acked) return null;
    return this.batch(this.acked + 1, this.reach(this.acked, end, maxBytes));
  }

  /** The last message after `sent`, and not after `end`, that about so many bytes have room for; at least one. */
  private reach(sent: number, end: number, maxBytes: number): number {
    let number = sent;
    for (let bytes = 0; number < end && bytes < maxBytes; number++) bytes += this.sizes[number - this.base]!;
    return number;
  }

  private batch(first: number, last: number): Batch {
    return { lane: this.lane, first, messages: this.kept.slice(first - this.base - 1, last - this.base) as WireMessage[] };
  }
}
