import type { LinkId, Nanos, PeerId } from '@mk/monitor-proto/ids';
import type { StateMachine } from '@mk/monitor-proto/step';
import type { KernelEffect, KernelEvent } from '@mk/node-kernel/effects';
import type { Kernel } from '@mk/node-kernel/kernel';
import type { SkbEffect, SkbEvent } from '@mk/skb/effects';
import type { Skb } from '@mk/skb/skb';

export type AnyEvent = KernelEvent | SkbEvent;
export type AnyEffect = KernelEffect | SkbEffect;
/** What a node can host: a core's kernel or the SKB. */
export type AnyMachine = StateMachine<AnyEvent, AnyEffect>;

/** An event waiting for its turn at a node. */
export interface Waiting {
  readonly event: AnyEvent;
  readonly costNs: Nanos;
}

/** Handled events that a queue keeps until it is compacted. */
const COMPACTED = 64;

/** One end of a link. */
export interface LinkEnd {
  readonly node: SimNode;
  readonly id: LinkId;
  /** Null until the other end exists. */
  other: LinkEnd | null;
  /** Whether this end still exists; deliveries to a closed one are lost. */
  open: boolean;
  /** When the handshake ended, as this end saw it. */
  openedAt: Nanos;
  /** When the last frame towards this end is due: the link's end comes after it. */
  lastDueAt: Nanos;
}

/** One simulated process: a core or the SKB, through all its lives. */
export class SimNode {
  /** Null while the process is dead. */
  machine: AnyMachine | null = null;
  /** Counts lives; what was meant for an earlier one is dropped. */
  life = 0;
  /** The core is occupied until then. */
  freeAt: Nanos = 0;
  /** How long its kernel has occupied the core so far. */
  occupiedNs: Nanos = 0;
  /** Factor by which everything on this core takes longer. */
  slowFactor = 1;
  hung = false;
  /** A dispatcher was resumed and its turn has not run: no row of events goes past it. */
  turnPending = false;
  /** When this process was last stopped, resumed, slowed or released, which excuses missed deadlines. */
  disturbedAt: Nanos = -1;
  /** The kernel or SKB behind `machine`, for checkers; null while dead, and for the other kind. */
  kernel: Kernel | null = null;
  skb: Skb | null = null;
  instance = '';
  timerAt: Nanos = Infinity;
  /** Whether a turn is scheduled for waiting events. */
  drainScheduled = false;
  incarnation = 0;
  /** The next log line's number; begins again with each life. */
  logSeq = 0;
  /** Why it ended: null while it lives, '' when it was asked to. */
  ended: string | null = null;
  readonly links = new Map<LinkId, LinkEnd>();
  nextAccepted: LinkId = 2;
  private waiting: (Waiting | null)[] = [];
  private first = 0;

  constructor(readonly id: PeerId) {}

  get address(): string {
    return `sim:${this.id}.${this.life}`;
  }

  /** Both ends of a link have proved themselves; costs no time. */
  handshakeEnded(link: LinkId, at: Nanos): Nanos {
    const end = this.links.get(link);
    if (end !== undefined) end.openedAt = at;
    return at;
  }

  get queued(): number {
    return this.waiting.length - this.first;
  }

  enqueue(item: Waiting): void {
    this.waiting.push(item);
  }

  dequeue(): Waiting | undefined {
    const item = this.waiting[this.first] ?? undefined;
    if (item === undefined) return undefined;
    this.waiting[this.first] = null; // a booting core always has events waiting: handled ones must not pile up
    this.first += 1;
    if (this.first === this.waiting.length) this.clearQueue();
    else if (this.first >= COMPACTED && this.first * 2 >= this.waiting.length) this.compact();
    return item;
  }

  clearQueue(): void {
    this.waiting = [];
    this.first = 0;
  }

  private compact(): void {
    this.waiting = this.waiting.slice(this.first);
    this.first = 0;
  }
}
