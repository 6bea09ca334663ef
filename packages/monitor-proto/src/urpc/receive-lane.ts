import { assertInvariant } from '../assert.ts';
import type { WireMessage } from '../messages/codec.ts';
import type { Batch } from './frames.ts';

/**
 * The receiving half of one lane: delivers each message once and in order, whatever the link dropped, duplicated or
 * reordered. Early messages wait, at most a window of them.
 */
export class ReceiveLane {
  /** Number of the last message delivered. */
  received = 0;
  /** Number of the last message covered by an ack that has left. */
  acknowledged = 0;
  /** Messages that overtook a predecessor, by number. */
  private early: Map<number, WireMessage> | null = null;

  constructor(private readonly windowMessages: number) {}

  /** How many messages have not come although later ones have. */
  get missing(): number {
    if (this.early === null || this.early.size === 0) return 0;
    let first = Infinity;
    for (const number of this.early.keys()) if (number < first) first = number;
    return first - this.received - 1;
  }

  /** Whether the batch lies within the window; one outside breaks the protocol. */
  admits(batch: Batch): boolean {
    return batch.first + batch.messages.length - 1 <= this.received + this.windowMessages;
  }

  /** Takes a batch that continues exactly here; true: deliver its messages. */
  acceptWhole(batch: Batch): boolean {
    if (batch.first !== this.received + 1 || this.early !== null) return false;
    this.received += batch.messages.length;
    return true;
  }

  /**
   * Takes a batch that lies within the window, and appends to `deliver` all messages that are deliverable now. Returns
   * how many of the batch had come before.
   */
  accept(batch: Batch, deliver: WireMessage[]): number {
    const { first, messages } = batch;
    const last = first + messages.length - 1;
    if (first > this.received + 1) return this.keep(first, messages);
    const known = Math.min(messages.length, this.received + 1 - first);
    for (let i = known; i < messages.length; i++) deliver.push(messages[i]!);
    if (last > this.received) this.received = last;
    if (this.early !== null) this.drain(deliver);
    return known;
  }

  /** U3: early messages lie within the window, after the delivered ones. */
  invariants(): void {
    const { received, acknowledged, windowMessages } = this;
    assertInvariant('U3', acknowledged <= received, () => `acknowledged ${acknowledged} of ${received} received`);
    for (const number of this.early?.keys() ?? [])
      assertInvariant(
        'U3',
        number > received && number <= received + windowMessages,
        () => `keeps early message ${number}, has received ${received}`,
      );
  }

  private keep(first: number, messages: readonly WireMessage[]): number {
    this.early ??= new Map();
    let known = 0;
    for (let i = 0; i < messages.length; i++) {
      if (this.early.has(first + i)) known += 1;
      else this.early.set(first + i, messages[i]!);
    }
    return known;
  }

  private drain(deliver: WireMessage[]): void {
    const early = this.early!;
    for (const number of early.keys()) if (number <= this.received) early.delete(number);
    for (let next = early.get(this.received + 1); next !== undefined; next = early.get(this.received + 1)) {
      early.delete(this.received + 1);
      this.received += 1;
      deliver.push(next);
    }
    if (early.size === 0) this.early = null;
  }
}
