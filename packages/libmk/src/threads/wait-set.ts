import { known } from '@mk/monitor-proto/assert';
import type { Taken, Waitable } from '../runtime/event-queue.ts';
import { type Clockwork, type WaitOptions, type Waker, waitFor } from '../runtime/waiting.ts';

/** An event of one of a set's sources. `ok` false: the source has ended with this error, and has left the set. */
export type WaitSetEvent = Taken<unknown> & { readonly tag: string; readonly source: Waitable<unknown> };

interface Member {
  readonly source: Waitable<unknown>;
  readonly tag: string;
  readonly stop: () => void;
  /** It is queued among the sources that may have something. */
  pending: boolean;
  here: boolean;
}

/**
 * One place to wait for every kind of event: messages, connections, timers, endpoints, threads that end, names, records.
 * Sources are served in the order in which they became ready, one event each and then to the back of the line, so none starves
 * another; with many threads waiting each event goes to one, the longest waiting first.
 *
 * @example
 * const events = mk.threads.waitSet();
 * events.add('job', jobs.messages); events.add('tick', mk.threads.every(SECOND)); events.add('worker', worker.ended);
 * for await (const { tag, ok } of events) if (tag === 'worker' || !ok) break;
 */
export class WaitSet implements AsyncIterable<WaitSetEvent> {
  private readonly members = new Map<Waitable<unknown>, Member>();
  private line: Member[] = [];
  private readonly waiters = new Set<Waker<WaitSetEvent>>();
  /** Loops among them, which end with the last source. */
  private readonly loops = new Set<Waker<WaitSetEvent | null>>();

  constructor(private readonly clock: Clockwork) {}

  /** How many sources are in it. */
  get size(): number {
    return this.members.size;
  }

  /** Adds a source; its events carry the tag. A source already in the set gets the new tag. */
  add(tag: string, source: Waitable<unknown>): this {
    this.remove(source);
    const member: Member = {
      source,
      tag,
      stop: source.onReady(() => this.ready(member)),
      pending: false,
      here: true,
    };
    this.members.set(source, member);
    this.ready(member);
    return this;
  }

  /** Removes a source, which keeps what it had; returns whether it was in. */
  remove(source: Waitable<unknown>): boolean {
    const member = this.members.get(source);
    if (member === undefined) return false;
    this.drop(member);
    this.endLoops();
    return true;
  }

  /** An event available now; null: none. */
  poll(): WaitSetEvent | null {
    for (;;) {
      const member = this.line.shift();
      if (member === undefined) return null;
      member.pending = false;
      const taken = member.here ? member.source.take() : null;
      if (taken === null) continue;
      if (taken.ok) this.queue(member);
      else this.drop(member);
      return { ...taken, tag: member.tag, source: member.source };
    }
  }

  /** The next event; DEADLINE_EXCEEDED or CANCELLED by the options. */
  next(options: WaitOptions = {}): Promise<WaitSetEvent> {
    return waitFor<WaitSetEvent>(this.clock, 'an event of a wait set', options, (waker) => {
      const found = this.poll();
      if (found !== null) waker.wake(found);
      else this.waiters.add(waker);
      return () => void this.waiters.delete(waker);
    });
  }

  /** Event after event while there are sources; with several loops, each ends with the last source. */
  async *[Symbol.asyncIterator](): AsyncGenerator<WaitSetEvent, void> {
    while (this.size > 0) {
      const event = await this.nextOfLoop();
      if (event === null) return;
      yield event;
    }
  }

  private nextOfLoop(): Promise<WaitSetEvent | null> {
    return waitFor<WaitSetEvent | null>(this.clock, 'an event of a wait set', {}, (waker) => {
      const found = this.poll();
      if (found !== null) waker.wake(found);
      else for (const waiting of [this.waiters, this.loops]) waiting.add(waker);
      return () => {
        for (const waiting of [this.waiters, this.loops]) waiting.delete(waker);
      };
    });
  }

  private ready(member: Member): void {
    this.queue(member);
    while (this.waiters.size > 0) {
      const event = this.poll();
      if (event === null) break;
      const [waiter] = this.waiters;
      this.waiters.delete(known(waiter));
      known(waiter).wake(event);
    }
    this.endLoops();
  }

  private drop(member: Member): void {
    member.here = false;
    member.stop();
    this.members.delete(member.source);
  }

  private endLoops(): void {
    if (this.size === 0) for (const loop of [...this.loops]) loop.wake(null);
  }

  private queue(member: Member): void {
    if (member.pending) return;
    member.pending = true;
    this.line.push(member);
  }
}
