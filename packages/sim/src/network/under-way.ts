import type { LinkId, Nanos, PeerId } from '@mk/monitor-proto/ids';
import type { Retiming } from '@mk/monitor-proto/link/link-model';
import type { AnyEvent, LinkEnd, SimNode } from '../engine/sim-node.ts';

export interface DeliveryHost {
  readonly now: Nanos;
  /** Hands an event to a node at a time, if the node is still in the same life and `end` is still open there. */
  deliver(at: Nanos, node: SimNode, end: LinkEnd | null, event: AnyEvent, costNs: Nanos): void;
}

/** The directed pair that something travels between, and since when. */
export interface Way {
  readonly from: PeerId;
  readonly to: PeerId;
  readonly sentAt: Nanos;
  /** The machine's own share of the time, which no rule changes. */
  readonly latencyNs: Nanos;
}

/**
 * Something that the link model delays on its way to an end of a link. It stands for that end until delivery; given a
 * new due time, it no longer does.
 */
class Parcel implements LinkEnd {
  superseded = false;

  constructor(
    readonly to: LinkEnd,
    readonly event: AnyEvent,
    readonly costNs: Nanos,
    readonly dueAt: Nanos,
    readonly way: Way,
  ) {}

  get node(): SimNode {
    return this.to.node;
  }
  get id(): LinkId {
    return this.to.id;
  }
  get other(): LinkEnd | null {
    return this.to.other;
  }
  get openedAt(): Nanos {
    return this.to.openedAt;
  }
  get lastDueAt(): Nanos {
    return this.to.lastDueAt;
  }
  get open(): boolean {
    return !this.superseded && this.to.open;
  }
  set open(open: boolean) {
    this.to.open = open;
  }
}

/** No step occupies a core longer, so nothing is sent later than this after the simulation's time. */
const STEP_MOST: Nanos = 1_000_000;
/** After so many parcels of a pair, those that have arrived are removed. */
const SOME = 64;

/** Everything that is delayed on its way, by directed pair, so that a change of rules can hasten it. */
export class UnderWay {
  private readonly pairs = new Map<string, Parcel[]>();

  constructor(private readonly host: DeliveryHost) {}

  /** Delivers an event to an end at a time, or earlier if rules change meanwhile. */
  deliver(dueAt: Nanos, to: LinkEnd, event: AnyEvent, costNs: Nanos, way: Way): void {
    const key = keyOf(way.from, way.to);
    const known = this.pairs.get(key);
    const parcel = new Parcel(to, event, costNs, dueAt, way);
    if (known === undefined) this.pairs.set(key, [parcel]);
    else if (known.length % SOME === 0) this.pairs.set(key, [...known.filter((p) => p.dueAt > this.host.now), parcel]);
    else known.push(parcel);
    this.host.deliver(dueAt, to.node, parcel, event, costNs);
  }

  /** Gives new due times to what is under way from → to: never later, and in the same order. */
  retime(from: PeerId, to: PeerId, retime: Retiming): void {
    const { now } = this.host;
    const key = keyOf(from, to);
    const parcels = (this.pairs.get(key) ?? []).filter((parcel) => parcel.dueAt > now);
    this.pairs.delete(key);
    for (const { to: end, way } of parcels) end.lastDueAt = Math.min(end.lastDueAt, now + way.latencyNs + STEP_MOST);
    // In order of time, and of sending where times are equal, so that the order is kept.
    parcels.sort((a, b) => a.dueAt - b.dueAt);
    for (const parcel of parcels) {
      parcel.superseded = true;
      const { to: end, event, costNs, dueAt, way } = parcel;
      const newDueAt = Math.max(retime(dueAt - way.latencyNs), way.sentAt, now) + way.latencyNs;
      if (newDueAt > end.lastDueAt) end.lastDueAt = newDueAt;
      this.deliver(newDueAt, end, event, costNs, way);
    }
  }
}

function keyOf(from: PeerId, to: PeerId): string {
  return `${from}>${to}`;
}
