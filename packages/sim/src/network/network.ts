/*
 * The simulated network: keeps the transport contract of monitor-proto/io/transport.ts (T1–T3) on virtual time, under a
 * real core's own fault engine. Faults act on frames, below URPC; a link itself breaks by a reset or the death of an
 * end.
 */
import { known } from '@mk/monitor-proto/assert';
import type { LinkId, Nanos, PeerId } from '@mk/monitor-proto/ids';
import type { FaultEngine } from '@mk/monitor-proto/link/fault-engine';
import { type DropReason, OPENING, type Retiming } from '@mk/monitor-proto/link/link-model';
import type { CostModel } from '../engine/costs.ts';
import type { AnyEvent, LinkEnd, SimNode } from '../engine/sim-node.ts';
import { type DeliveryHost, UnderWay, type Way } from './under-way.ts';

/** The fate of a frame, for traces. */
export type FrameFate =
  { readonly kind: 'sent'; readonly dueAt: Nanos } | { readonly kind: 'dropped'; readonly reason: DropReason };

export interface NetworkHost extends DeliveryHost {
  /** Schedules a call among the events. */
  after(at: Nanos, run: () => void): void;
  lookUp(address: string): SimNode | null;
  frameFate?: ((from: SimNode, to: SimNode, at: Nanos, frame: Uint8Array, fate: FrameFate) => void) | undefined;
}

export interface NetworkCounters {
  frames: number;
  bytes: number;
  dropped: number;
  duplicated: number;
  resets: number;
  linksOpened: number;
}

export class Network {
  readonly counters: NetworkCounters = { frames: 0, bytes: 0, dropped: 0, duplicated: 0, resets: 0, linksOpened: 0 };

  private readonly underWay: UnderWay;

  constructor(
    private readonly host: NetworkHost,
    private readonly faults: FaultEngine,
    private readonly costs: CostModel,
  ) {
    this.underWay = new UnderWay(host);
  }

  /** A change of rules has given frames under way new due times. */
  retime(from: PeerId, to: PeerId, retime: Retiming): void {
    this.underWay.retime(from, to, retime);
  }

  /**
   * Opens a link. `first` travels with the opening if nothing shapes the frames there, and follows it otherwise.
   * `costNs`: its cost to the receiver.
   */
  open(node: SimNode, id: LinkId, address: string, first: Uint8Array | null, at: Nanos, costNs: Nanos): void {
    const end: LinkEnd = { node, id, other: null, open: true, openedAt: OPENING, lastDueAt: at };
    node.links.set(id, end);
    const target = this.host.lookUp(address);
    if (target === null)
      return this.host.deliver(at, node, end, { type: 'link_down', link: id, reason: 'ECONNREFUSED' }, 0);
    const wayNs = this.costs.latencyNs(node.id, target.id);
    const { life } = node;
    const along = first !== null && this.faults.clear(node.id, target.id, at) ? first : null;
    if (along !== null) {
      this.count(along);
      this.host.frameFate?.(node, target, at, along, { kind: 'sent', dueAt: at + wayNs });
    }
    this.host.after(at + wayNs, () => {
      if (node.life !== life || !end.open) return;
      const back = this.host.now + this.costs.latencyNs(target.id, node.id);
      if (this.host.lookUp(address) !== target)
        return this.host.deliver(back, node, end, { type: 'link_down', link: id, reason: 'ECONNREFUSED' }, 0);
      this.accept(target, end, back, along, costNs);
      if (first !== along) this.host.after(back, () => end.open && this.send(end, known(first), back, costNs));
    });
  }

  /** Sends a frame; `costNs`: its cost to the receiver. */
  send(end: LinkEnd, frame: Uint8Array, at: Nanos, costNs: Nanos): void {
    const { other, node } = end;
    if (other === null) return;
    this.count(frame);
    const to = other.node;
    const verdict = this.faults.verdict(node.id, to.id, at, frame.length, end.openedAt);
    switch (verdict.kind) {
      case 'pass':
        return this.carry(end, other, frame, at, 0, costNs);
      case 'deliver_after':
        return this.carry(end, other, frame, at, verdict.delayNs, costNs);
      case 'duplicate':
        this.counters.duplicated += 1;
        this.carry(end, other, frame, at, verdict.delayNs, costNs);
        return this.carry(end, other, frame, at, verdict.copyDelayNs, costNs);
      case 'drop':
        this.counters.dropped += 1;
        this.host.frameFate?.(node, to, at, frame, { kind: 'dropped', reason: verdict.reason });
        return;
      case 'reset':
        this.host.frameFate?.(node, to, at, frame, { kind: 'dropped', reason: 'reset' });
        return this.reset(end, at, verdict.delayNs);
    }
  }

  /** Closes a link from one end: the other end hears of it after the frames already sent. */
  close(end: LinkEnd, reason: string, at: Nanos): void {
    const { other, node, id } = end;
    node.links.delete(id);
    end.open = false;
    if (other === null) return;
    this.endBehind(other, reason, at);
  }

  /**
   * Breaks a link as a network does: both ends hear of it, and frames under way may be lost. A rule's reset comes after
   * its delay, behind what was sent before.
   */
  reset(end: LinkEnd, at: Nanos, delayNs: Nanos = 0): void {
    const { other, node } = end;
    this.counters.resets += 1;
    const down = { type: 'link_down', link: end.id, reason: 'ECONNRESET' } as const;
    if (other === null) return this.host.deliver(at, node, end, down, 0);
    const way = { from: node.id, to: other.node.id, sentAt: at };
    const latencyNs = this.costs.latencyNs(way.from, way.to);
    this.hand(at + delayNs, end, down, 0, { ...way, latencyNs: 0 });
    this.hand(at + delayNs + latencyNs, other, { ...down, link: other.id }, 0, { ...way, latencyNs });
  }

  /** The process of a node is gone: its links break. */
  nodeDied(node: SimNode, at: Nanos): void {
    for (const end of node.links.values()) {
      end.open = false;
      if (end.other !== null) this.endBehind(end.other, 'ECONNRESET', at);
    }
    node.links.clear();
  }

  private accept(target: SimNode, dialler: LinkEnd, backAt: Nanos, first: Uint8Array | null, costNs: Nanos): void {
    const id = target.nextAccepted;
    target.nextAccepted += 2;
    const accepted: LinkEnd = {
      node: target,
      id,
      other: dialler,
      open: true,
      openedAt: OPENING,
      lastDueAt: this.host.now,
    };
    target.links.set(id, accepted);
    dialler.other = accepted;
    dialler.lastDueAt = backAt;
    this.counters.linksOpened += 1;
    this.host.deliver(
      this.host.now,
      target,
      accepted,
      { type: 'link_up', link: id, first },
      first === null ? 0 : costNs,
    );
  }

  private count(frame: Uint8Array): void {
    this.counters.frames += 1;
    this.counters.bytes += frame.length;
  }

  private carry(end: LinkEnd, other: LinkEnd, frame: Uint8Array, at: Nanos, delayNs: Nanos, costNs: Nanos): void {
    const latencyNs = this.costs.latencyNs(end.node.id, other.node.id);
    const due = at + delayNs + latencyNs;
    if (due > other.lastDueAt) other.lastDueAt = due;
    this.host.frameFate?.(end.node, other.node, at, frame, { kind: 'sent', dueAt: due });
    const event = { type: 'frame_received', link: other.id, frame } as const;
    this.hand(due, other, event, costNs, { from: end.node.id, to: other.node.id, sentAt: at, latencyNs });
  }

  /** A link's other end is gone: this one hears of it after everything that was sent to it. */
  private endBehind(end: LinkEnd, reason: string, at: Nanos): void {
    const way = { from: known(end.other).node.id, to: end.node.id, sentAt: at };
    const latencyNs = this.costs.latencyNs(way.from, way.to);
    const due = Math.max(end.lastDueAt, at + latencyNs);
    this.hand(due, end, { type: 'link_down', link: end.id, reason }, 0, { ...way, latencyNs });
  }

  /** Delivers at `due`; remembers what a rule holds back, since a change of rules may hasten it. */
  private hand(due: Nanos, end: LinkEnd, event: AnyEvent, costNs: Nanos, way: Way): void {
    if (due === way.sentAt + way.latencyNs) this.host.deliver(due, end.node, end, event, costNs);
    else this.underWay.deliver(due, end, event, costNs, way);
  }
}
