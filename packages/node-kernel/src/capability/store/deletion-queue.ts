/** Queues of one core's deletions; `delete-step.ts` empties them in bounded steps. */
import { assert } from '@mk/monitor-proto/assert';
import type { Capability } from '../model/capability.ts';
import type { Slot, SlotContainer } from './slot.ts';

export interface DeleteEntry {
  readonly slot: Slot;
  /** The slot's content when it was queued: a slot emptied since needs nothing more. */
  readonly capability: Capability;
  /** Part of a committed revoke: every copy on every core is going, so no core needs to be asked or told. */
  readonly forced: boolean;
}

export interface ClearEntry {
  readonly entry: DeleteEntry;
  readonly container: SlotContainer;
  /** Slots below it are on the delete list. */
  cursor: number;
}

/** First in, first out, in constant time. */
class Fifo<T> {
  private items: (T | undefined)[] = [];
  private head = 0;

  get length(): number {
    return this.items.length - this.head;
  }

  push(item: T): void {
    this.items.push(item);
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.items[this.head];
    this.items[this.head] = undefined;
    this.head += 1;
    if (this.head > 1024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return item;
  }
}

export class DeletionQueue {
  readonly list = new Fifo<DeleteEntry>();
  readonly clear = new Fifo<ClearEntry>();
  /** Handed to the monitor, which will delete them across cores or queue them again. */
  readonly withMonitor = new Set<Slot>();
  /** A counter, so that several revokes may overlap. */
  private pauses = 0;

  get paused(): boolean {
    return this.pauses > 0;
  }

  /** Nothing queued, nothing being emptied, nothing with the monitor. */
  get drained(): boolean {
    return this.list.length === 0 && this.clear.length === 0 && this.withMonitor.size === 0;
  }

  pause(): void {
    this.pauses += 1;
  }

  resume(): void {
    assert(this.pauses > 0, 'resume of delete stepping without a pause');
    this.pauses -= 1;
  }

  /** Queues a full slot, once; a forced entry is queued beside an ordinary one, which then finds the slot empty. */
  enqueue(slot: Slot, forced = false): void {
    if (slot.capability === null || (slot.deleting && !forced && !this.withMonitor.has(slot))) return;
    this.withMonitor.delete(slot);
    slot.deleting = true;
    this.list.push({ slot, capability: slot.capability, forced });
  }
}
