import { known } from '../assert.ts';
import { Heap } from '../heap.ts';
import type { Nanos } from '../ids.ts';
import type { Retiming, Verdict } from '../link/link-model.ts';
import { createPreciseTimer } from './precise-timer.ts';
import type { PreciseTimer } from './precise-timer.ts';

/** Gives a shaper its verdict on a frame: `FaultEngine` behind a closure, or a test's own. */
type VerdictSource<Key> = (link: Key, nowNs: Nanos, bytes: number) => Verdict;

/** Totals of a shaper since it began. */
export interface ShaperCounters {
  passed: number;
  delayed: number;
  dropped: number;
  duplicated: number;
  reset: number;
}

export interface LinkShaperOptions<Key> {
  readonly nowNs: () => Nanos;
  readonly verdict: VerdictSource<Key>;
  /** A verdict says to break this link's socket. */
  readonly onReset: (link: Key) => void;
  readonly createTimer?: (nowNs: () => Nanos, onDue: () => void) => PreciseTimer;
}

/**
 * Delivers frames as the link model says: at once, late, twice, never, or by breaking the socket.
 *
 * Guarantees: a frame that passes is delivered before `send` returns, with no timer, copy or allocation; delayed frames
 * arrive at their due time or later, in order of due time, and of sending where these are equal; the due time is fixed
 * when the frame is sent, and only `retime` changes it. The timer's thread starts with the first delayed frame.
 */
export class LinkShaper<Key> {
  readonly counters: ShaperCounters = { passed: 0, delayed: 0, dropped: 0, duplicated: 0, reset: 0 };
  private readonly options: LinkShaperOptions<Key>;
  private queue = new Heap<Parcel<Key>>();
  /** Links with frames under way: how many, and the callbacks to run after the last. */
  private readonly held = new Map<Key, Held>();
  private readonly timer: PreciseTimer;
  private closed = false;

  constructor(options: LinkShaperOptions<Key>) {
    this.options = options;
    this.timer = (options.createTimer ?? createPreciseTimer)(options.nowNs, () => this.deliverDue());
  }

  /** Frames under way. */
  get underWay(): number {
    return this.queue.size;
  }

  /** Like `send`, for a frame that leaves the sender later: the link's delay counts from then. */
  sendAt(link: Key, frame: Uint8Array, leaveNs: Nanos, deliver: (frame: Uint8Array) => void): void {
    const verdict = this.options.verdict(link, leaveNs, frame.byteLength);
    if (verdict.kind === 'pass') this.counters.passed += 1;
    else return this.handle(verdict, link, frame, leaveNs, deliver);
    this.hold(0, link, leaveNs, frame, deliver);
  }

  /** Sends a frame; `deliver` gets it now, later, twice or never. The frame must not change until then. */
  send(link: Key, frame: Uint8Array, nowNs: Nanos, deliver: (frame: Uint8Array) => void): void {
    const verdict = this.options.verdict(link, nowNs, frame.byteLength);
    if (verdict.kind === 'pass') {
      if (this.queue.size > 0) this.deliverDue(); // the timer may be late, and nothing may overtake a due frame
      this.counters.passed += 1;
      deliver(frame);
      return;
    }
    this.handle(verdict, link, frame, nowNs, deliver);
  }

  /**
   * Recomputes when frames under way on these links are due: never later, and in the same order. Frames due now leave
   * before this returns.
   */
  retime(concerns: (link: Key) => boolean, retime: Retiming): void {
    if (this.queue.size === 0) return;
    const nowNs = this.options.nowNs();
    const queue = new Heap<Parcel<Key>>();
    for (let dueNs = this.queue.minKey, parcel = this.queue.pop(); parcel !== undefined;) {
      const newDueNs = concerns(parcel.link) ? retime(dueNs) : dueNs;
      const delayNs = newDueNs === dueNs ? parcel.delayNs : Math.max(0, newDueNs - nowNs);
      queue.push(newDueNs, { ...parcel, delayNs });
      dueNs = this.queue.minKey;
      parcel = this.queue.pop();
    }
    this.queue = queue;
    this.deliverDue();
  }

  /** Calls `empty` once no frame of the link is under way: at once, or after the last one. */
  afterLast(link: Key, empty: () => void): void {
    const held = this.held.get(link);
    if (held === undefined) empty();
    else held.empty = empty;
  }

  /** Drops the frames under way and ends the timer. */
  close(): void {
    this.closed = true;
    this.timer.close();
    this.held.clear();
    while (this.queue.pop() !== undefined);
  }

  private handle(
    verdict: Verdict,
    link: Key,
    frame: Uint8Array,
    nowNs: Nanos,
    deliver: (frame: Uint8Array) => void,
  ): void {
    if (this.closed) return;
    if (verdict.kind === 'drop') {
      this.counters.dropped += 1;
    } else if (verdict.kind === 'reset') {
      this.counters.reset += 1;
      if (verdict.delayNs === 0) this.options.onReset(link);
      else this.hold(verdict.delayNs, link, nowNs, frame, () => this.options.onReset(link));
    } else if (verdict.kind === 'deliver_after') {
      this.counters.delayed += 1;
      this.hold(verdict.delayNs, link, nowNs, frame, deliver);
    } else if (verdict.kind === 'duplicate') {
      this.counters.duplicated += 1;
      this.hold(verdict.delayNs, link, nowNs, frame, deliver);
      this.hold(verdict.copyDelayNs, link, nowNs, frame, deliver);
    }
  }

  private hold(delayNs: Nanos, link: Key, nowNs: Nanos, frame: Uint8Array, deliver: (frame: Uint8Array) => void): void {
    const held = this.held.get(link);
    if (held === undefined) this.held.set(link, { frames: 1, empty: null });
    else held.frames += 1;
    this.queue.push(nowNs + delayNs, { link, frame, deliver, delayNs });
    this.timer.arm(this.releaseNs());
  }

  private deliverDue(): void {
    const nowNs = this.options.nowNs();
    while (!this.closed && this.queue.size > 0 && this.releaseNs() <= nowNs) {
      const { link, frame, deliver } = known(this.queue.pop());
      deliver(frame);
      this.left(link);
    }
    if (this.queue.size > 0 && !this.closed) this.timer.arm(this.releaseNs());
  }

  private left(link: Key): void {
    const held = this.held.get(link);
    if (held === undefined || --held.frames > 0) return;
    this.held.delete(link);
    held.empty?.();
  }

  /**
   * When the queue's first frame leaves: its due time less the cost of waking the receiver, since a link without delay
   * finds the receiver awake and one with delay finds it asleep.
   */
  private releaseNs(): Nanos {
    return this.queue.minKey - Math.min(this.timer.wakeCostNs, MAX_EARLY_NS, known(this.queue.top).delayNs * MAX_EARLY);
  }
}

/** No frame leaves early by more than this part of its delay. */
const MAX_EARLY = 1 / 20;
/**
 * Nor by more than this: a receiver that happens to be awake gets it that much too soon, which a round trip counts
 * twice.
 */
const MAX_EARLY_NS = 50_000;

interface Held {
  frames: number;
  empty: (() => void) | null;
}

interface Parcel<Key> {
  readonly link: Key;
  readonly delayNs: Nanos;
  readonly frame: Uint8Array;
  readonly deliver: (frame: Uint8Array) => void;
}
