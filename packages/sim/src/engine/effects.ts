import type { LinkId, Nanos } from '@mk/monitor-proto/ids';
import type { Network, NetworkHost } from '../network/network.ts';
import type { SimPrograms } from '../programs/sim-programs.ts';
import type { ControlRequests } from './control-requests.ts';
import { messagesIn } from '@mk/monitor-proto/urpc/messages-in';
import type { CostModel } from './costs.ts';
import type { SimObserver } from './simulation-options.ts';
import type { SimDisk } from './sim-disk.ts';
import { type FaultLog, nodeLine } from './sim-log.ts';
import type { AnyEffect, SimNode } from './sim-node.ts';
import type { TraceHash } from './trace-hash.ts';

/** A process's timers have millisecond resolution, like Node's (io/host.ts): those due in the same one share a turn. */
const TIMER_GRAIN: Nanos = 1_000_000;
/** The duration of a commit to the SKB's disk, or of reading it at the start. */
export const DISK_NS: Nanos = 1_000_000;

/** What performing effects needs of the simulation. */
export interface EffectHost extends Pick<NetworkHost, 'deliver' | 'after'> {
  readonly now: Nanos;
  readonly costs: CostModel;
  readonly network: Network;
  readonly hash: TraceHash | null;
  readonly requests: ControlRequests;
  readonly disk: SimDisk;
  readonly observers: readonly SimObserver[];
  readonly faultLog: FaultLog;
  readonly programs: SimPrograms;
  /** Fires the timer of a node at a time, if it is still set for then. */
  wake(at: Nanos, node: SimNode): void;
  end(node: SimNode, cause: string, at: Nanos): void;
}

/** Performs, on virtual time and in order, each effect of a step, as a real process's host does. */
export class Effects {
  constructor(private readonly host: EffectHost) {}

  /** Performs one effect of a step; returns the time until which it occupies the core. */
  perform(node: SimNode, effect: AnyEffect, at: Nanos): Nanos {
    switch (effect.type) {
      case 'send_frame':
        return this.sendFrame(node, effect.link, effect.frame, at);
      case 'open_link':
        return this.openLink(node, effect, at);
      case 'handshake_ended':
        return node.handshakeEnded(effect.link, at);
      case 'close_link':
        this.closeLink(node, effect.link, effect.reason, at);
        return at;
      case 'set_timer':
        this.setTimer(node, effect.at, at);
        return at;
      case 'log':
        this.log(node, effect, at);
        return at;
      case 'control_reply':
        this.host.requests.answer(effect.id, effect.reply, at);
        return at;
      case 'halt':
        this.host.end(node, effect.error ?? '', at);
        return at;
      case 'registered':
        node.incarnation = effect.registration.incarnation;
        return at;
      case 'start_dispatcher':
      case 'resume_dispatcher':
      case 'answer_dispatcher':
      case 'interrupt_dispatcher':
      case 'measure_dispatcher':
      case 'kill_dispatcher':
        this.host.programs.perform(node, effect, at);
        return at;
      case 'journal':
        this.write(node, effect, at);
        return at;
      case 'view_agreed':
        this.host.disk.view = effect.view;
        return at;
      default:
        return at; // only for a process's own host: programs, the engine of the knowledge base
    }
  }

  private sendFrame(node: SimNode, link: LinkId, frame: Uint8Array, at: Nanos): Nanos {
    const end = node.links.get(link);
    if (end === undefined || end.other === null) return at;
    const to = end.other.node.id;
    const messages = messagesIn(frame);
    const left = at + messages * this.host.costs.sendNs(node.id, to) * node.slowFactor;
    this.host.network.send(end, frame, left, messages * this.host.costs.receiveNs(node.id, to));
    return left;
  }

  private openLink(
    node: SimNode,
    { link, peer, address, first }: Extract<AnyEffect, { type: 'open_link' }>,
    at: Nanos,
  ): Nanos {
    const left = at + this.host.costs.sendNs(node.id, peer) * node.slowFactor;
    this.host.network.open(node, link, address, first, left, this.host.costs.receiveNs(node.id, peer));
    return left;
  }

  private closeLink(node: SimNode, link: LinkId, reason: string, at: Nanos): void {
    const end = node.links.get(link);
    if (end !== undefined) this.host.network.close(end, reason, at);
  }

  private setTimer(node: SimNode, due: Nanos, at: Nanos): void {
    const time = Math.ceil(Math.max(due, at) / TIMER_GRAIN) * TIMER_GRAIN;
    node.timerAt = time;
    if (time < Infinity) this.host.wake(time, node);
  }

  /** A write that was not confirmed before its process died is lost. */
  private write(node: SimNode, { entry, changes }: Extract<AnyEffect, { type: 'journal' }>, at: Nanos): void {
    const { life } = node;
    this.host.after(at + DISK_NS, () => {
      if (node.life !== life || node.machine === null) return;
      this.host.disk.append(changes);
      this.host.deliver(this.host.now, node, null, { type: 'journal_written', entry }, 0);
    });
  }

  private log(node: SimNode, effect: Extract<AnyEffect, { type: 'log' }>, at: Nanos): void {
    const { event, lamport, fields } = effect;
    node.logSeq += 1;
    if (this.host.hash !== null) {
      this.host.hash.text(event);
      for (const name of Object.keys(fields)) this.host.hash.value(fields[name]);
    }
    if (this.host.observers.length === 0) return;
    this.host.faultLog.expired(this.host.now);
    const line = nodeLine(node, event, lamport, fields, at);
    for (const observer of this.host.observers) observer.line?.(line, node);
  }
}
