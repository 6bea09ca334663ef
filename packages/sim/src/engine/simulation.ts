import { AssertionFailure } from '@mk/monitor-proto/assert';
import { Heap } from '@mk/monitor-proto/heap';
import { type CoreId, type LinkId, type Nanos, type PeerId, peerName, SKB_PEER } from '@mk/monitor-proto/ids';
import { FaultEngine } from '@mk/monitor-proto/link/fault-engine';
import { createPrng, type Prng } from '@mk/monitor-proto/prng';
import { bootKernel, bootSkb } from './boot.ts';
import { ControlRequests, DEAD, type OnReply } from './control-requests.ts';
import { type CostModel, costsOf, messagesIn } from './costs.ts';
import { type LinkEnd, Network, type NetworkHost } from '../network/network.ts';
import { SimPrograms } from '../programs/sim-programs.ts';
import type { SimObserver, SimulationOptions } from './simulation-options.ts';
import { SimDisk } from './sim-disk.ts';
import { FaultLog, nodeLine } from './sim-log.ts';
import { type AnyEffect, type AnyEvent, SimNode, type Waiting } from './sim-node.ts';
import { TraceHash } from './trace-hash.ts';

/*
 * The second host of the kernel (architecture.md): hundreds of cores and the SKB in one process, on a virtual clock.
 *
 *   S1  the same options give the same trace: nothing here reads a clock, entropy or the order of a hash table by address;
 *   S2  a core handles one event at a time, in order of arrival; handling and sending take the core's time;
 *   S3  frames are the very bytes that sockets carry, under the very link model and fault rules.
 */

export type { SimObserver, SimulationOptions };

interface Scheduled {
  readonly kind: 'event' | 'timer' | 'drain' | 'after';
  readonly node: SimNode | null;
  readonly life: number;
  readonly end: LinkEnd | null;
  readonly event: AnyEvent | null;
  readonly costNs: Nanos;
  readonly run: (() => void) | null;
}

/** A process's timers are whole milliseconds, as Node's are (io/host.ts): what is due in the same one is one turn. */
const TIMER_GRAIN: Nanos = 1_000_000;
const DISK_NS: Nanos = 1_000_000; // what a commit to the SKB's disk, or reading it at the start, takes
/** Longer than a step occupies a core: what it sends leaves after its beginning, and the first frame past a fault rule's time ends that for all. */
const STEP_MOST: Nanos = 1_000_000;
/** Waiting events that a core handles in a row, unless the options say otherwise. */
const ROW = 32;
const TIMER: AnyEvent = { type: 'timer_fired' };

export class Simulation implements NetworkHost {
  now: Nanos = 0;
  readonly nodes = new Map<PeerId, SimNode>();
  readonly faults: FaultEngine;
  readonly network: Network;
  readonly hash: TraceHash | null;
  readonly prng: Prng;
  /** Steps handled so far. */
  steps = 0;
  frameFate: NetworkHost['frameFate'];
  private readonly costs: CostModel;
  private readonly row: number;
  private readonly queue = new Heap<Scheduled>();
  /** What interferes from outside: faults, starts, requests. No row of a core's events goes past the next of them. */
  private readonly calls = new Heap<() => void>();
  private runsUntil: Nanos = 0;
  private readonly observers: SimObserver[] = [];
  /** The SKB's; outlives its process. */
  private readonly disk = new SimDisk();
  private readonly requests = new ControlRequests();
  readonly faultLog: FaultLog;
  readonly programs: SimPrograms;

  constructor(readonly options: SimulationOptions) {
    this.prng = createPrng(options.seed);
    this.row = options.row ?? ROW;
    this.costs = options.costs ?? costsOf(options.machine);
    this.faults = new FaultEngine({
      prng: this.prng.split('faults'),
      retimed: (from, to, retime) => this.network.retime(from, to, retime),
    });
    this.faultLog = new FaultLog(this.faults, (line) => {
      for (const observer of this.observers) observer.faultLine?.(line);
    });
    this.network = new Network(this, this.faults, this.costs);
    this.hash = options.hash === false ? null : new TraceHash();
    this.programs = new SimPrograms(this, options.programs ?? null);
    this.nodes.set(SKB_PEER, new SimNode(SKB_PEER));
    for (let core = 0; core < options.cores; core++) this.nodes.set(core, new SimNode(core));
  }

  observe(observer: SimObserver): void {
    this.observers.push(observer);
    if (observer.frame) this.frameFate = observer.frame.bind(observer);
  }

  /** Starts the SKB and every core. */
  start(): void {
    this.startNode(SKB_PEER);
    const pause = this.options.startPauseNs ?? 0;
    for (let core = 0; core < this.options.cores; core++) {
      if (pause === 0) this.startNode(core);
      else this.call(core * pause, () => this.startNode(core));
    }
  }

  /** Handles events until the virtual time `until`, or until `stop` says so after a row of a core's events. Returns whether it was `stop`. */
  run(until: Nanos, stop?: () => boolean): boolean {
    const { queue, calls } = this;
    this.runsUntil = until;
    for (;;) {
      const at = Math.min(queue.minKey, calls.minKey);
      if (at > until || at === Infinity) break;
      if (at > this.now) this.now = at;
      if (calls.minKey === at) calls.pop()!();
      else this.dispatch(queue.pop()!);
      if (stop !== undefined && stop()) return true;
    }
    if (until > this.now && until !== Infinity) this.now = until;
    return false;
  }

  node(id: PeerId): SimNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Error(`no node ${peerName(id)} in this simulation`);
    return node;
  }

  /** Asks a node over its control port; `then` gets the answer, or a refusal when the node dies first. */
  control(id: PeerId, verb: string, args: Readonly<Record<string, unknown>>, then: OnReply): void {
    const node = this.node(id);
    if (node.machine === null) return then(DEAD, this.now);
    this.deliver(
      this.now,
      node,
      null,
      { type: 'control_request', id: this.requests.ask(node, then), request: { verb, args } },
      this.costs.eventNs,
    );
  }

  // Faults of processes; those of links go to `faults`.

  /** Boots a node's process; a new life if it had one before. */
  startNode(id: PeerId): void {
    const node = this.node(id);
    if (node.machine !== null) throw new Error(`${peerName(id)} is running already`);
    node.life += 1;
    node.logSeq = 0;
    node.freeAt = this.now;
    node.slowFactor = 1;
    node.hung = false;
    node.turnPending = false;
    node.disturbedAt = -1;
    node.timerAt = Infinity;
    node.drainScheduled = false;
    node.ended = null;
    node.incarnation = 0;
    node.nextAccepted = 2;
    node.clearQueue();
    const machine =
      id === SKB_PEER
        ? bootSkb(node, this.options, this.disk)
        : bootKernel(node, this.options, this.node(SKB_PEER).address);
    node.machine = this.options.wrap?.(machine, id) ?? machine;
    this.deliver(this.now, node, null, { type: 'start' }, this.costs.eventNs);
    if (id === SKB_PEER)
      this.deliver(this.now + DISK_NS, node, null, { type: 'journal_opened', contents: this.disk.contents() }, 0);
  }

  /** Kills a process without a word. */
  crash(id: PeerId): void {
    this.end(this.node(id), 'crashed', this.now);
  }

  /** Stops handling events; they queue. */
  hang(id: PeerId): void {
    const node = this.node(id);
    node.hung = true;
    node.disturbedAt = this.now;
  }

  resume(id: PeerId): void {
    const node = this.node(id);
    if (!node.hung) return;
    node.hung = false;
    node.disturbedAt = this.now;
    if (node.timerAt <= this.now) this.deliver(this.now, node, null, TIMER, 0);
    if (node.queued > 0) this.scheduleDrain(node);
    this.programs.resumed(node);
  }

  slow(id: PeerId, factor: number): void {
    const node = this.node(id);
    if (node.slowFactor !== factor) node.disturbedAt = this.now;
    node.slowFactor = factor;
  }

  /** Breaks every link between two nodes. */
  resetLink(a: PeerId, b: PeerId): void {
    const to = this.node(b);
    for (const end of [...this.node(a).links.values()]) if (end.other?.node === to) this.network.reset(end, this.now);
  }

  // What the network asks of its host.

  deliver(at: Nanos, node: SimNode, end: LinkEnd | null, event: AnyEvent, costNs: Nanos): void {
    this.queue.push(at, { kind: 'event', node, life: node.life, end, event, costNs, run: null });
  }

  after(at: Nanos, run: () => void): void {
    this.queue.push(at, { kind: 'after', node: null, life: 0, end: null, event: null, costNs: 0, run });
  }

  /** Calls from outside at a time: before the events of that time. */
  call(at: Nanos, run: () => void): void {
    this.calls.push(at, run);
  }

  lookUp(address: string): SimNode | null {
    const [, id = ''] = /^sim:(\d+)\.\d+$/.exec(address) ?? [];
    const node = this.nodes.get(Number(id));
    if (node === undefined || node.machine === null) return null;
    return node.address === address || node.id === SKB_PEER ? node : null;
  }

  private dispatch(next: Scheduled): void {
    if (next.kind === 'after') return next.run!();
    const node = next.node!;
    if (node.life !== next.life || node.machine === null) return;
    if (next.kind === 'timer') {
      if (node.timerAt !== this.now) return;
      if (!node.hung) this.arrive(node, { event: TIMER, costNs: this.costs.eventNs });
    } else if (next.kind === 'drain') {
      node.drainScheduled = false;
      this.drain(node);
    } else this.arriveOn(node, next.end, next as Scheduled & Waiting);
  }

  private arriveOn(node: SimNode, end: LinkEnd | null, arrived: Waiting): void {
    if (end !== null) {
      if (!end.open) return;
      if (arrived.event.type === 'link_down') {
        node.links.delete(end.id);
        end.open = false;
      }
    }
    this.arrive(node, arrived);
  }

  private arrive(node: SimNode, arrived: Waiting): void {
    if (!node.hung && node.queued === 0 && node.freeAt <= this.now)
      return this.handle(node, arrived.event, arrived.costNs);
    node.enqueue(arrived);
    if (!node.hung) this.scheduleDrain(node);
  }

  private scheduleDrain(node: SimNode): void {
    if (node.drainScheduled) return;
    node.drainScheduled = true;
    const at = node.freeAt > this.now ? node.freeAt : this.now;
    this.queue.push(at, { kind: 'drain', node, life: node.life, end: null, event: null, costNs: 0, run: null });
  }

  /**
   * Handles what waits, several in a row, as the core's memory is then not fetched anew for each: what comes later can only
   * come behind them. A row ends before its core's timer and what interferes from outside, a fault's end included (0068).
   */
  private drain(node: SimNode): void {
    if (node.hung) return;
    const { now } = this;
    for (let left = this.row; left > 0; left--) {
      const item = node.dequeue();
      if (item === undefined) break;
      if (node.freeAt > this.now) this.now = node.freeAt;
      this.handle(node, item.event, item.costNs);
      if (
        node.machine === null ||
        node.turnPending ||
        node.freeAt >= Math.min(node.timerAt, this.calls.minKey, this.faults.nextExpiry - STEP_MOST, this.runsUntil)
      )
        break;
    }
    this.now = now; // the other cores have not come so far
    if (node.queued > 0 && node.machine !== null) this.scheduleDrain(node);
  }

  private handle(node: SimNode, event: AnyEvent, costNs: Nanos): void {
    this.steps += 1;
    const start = this.now + costNs * node.slowFactor;
    if (event.type === 'timer_fired') node.timerAt = Infinity;
    if (this.hash !== null) this.hash.event(node.id, event, start);
    const effects = this.step(node, event, start);
    if (effects === null) return;
    let cursor = start;
    for (let i = 0; i < effects.length; i++) cursor = this.perform(node, effects[i]!, cursor);
    node.freeAt = cursor;
    for (const observer of this.observers) observer.step?.(node, event, this.now, cursor);
  }

  /** What the programs' host asks: an event within a turn, at the time at which the turn began. */
  within(node: SimNode, event: AnyEvent): void {
    if (node.machine === null) return;
    const { freeAt } = node;
    this.handle(node, event, 0);
    node.freeAt = Math.max(freeAt, node.freeAt);
  }

  noteBytes(bytes: Uint8Array): void {
    this.hash?.bytes(bytes);
  }

  /** Performs one effect of a step; returns until when it occupies the core. */
  private perform(node: SimNode, effect: AnyEffect, at: Nanos): Nanos {
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
        this.requests.answer(effect.id, effect.reply, at);
        return at;
      case 'halt':
        this.end(node, effect.error ?? '', at);
        return at;
      case 'registered':
        node.incarnation = effect.registration.incarnation;
        return at;
      case 'start_dispatcher':
      case 'resume_dispatcher':
      case 'answer_dispatcher':
      case 'interrupt_dispatcher':
      case 'kill_dispatcher':
        this.programs.perform(node, effect, at);
        return at;
      case 'journal':
        this.write(node, effect, at);
        return at;
      default:
        return at; // what a process asks of its own host alone: programs, the knowledge base's engine
    }
  }

  private sendFrame(node: SimNode, link: LinkId, frame: Uint8Array, at: Nanos): Nanos {
    const end = node.links.get(link);
    if (end === undefined || end.other === null) return at;
    const to = end.other.node.id;
    const messages = messagesIn(frame);
    const left = at + messages * this.costs.sendNs(node.id, to) * node.slowFactor;
    this.network.send(end, frame, left, messages * this.costs.receiveNs(node.id, to));
    return left;
  }

  private openLink(
    node: SimNode,
    { link, peer, address, first }: Extract<AnyEffect, { type: 'open_link' }>,
    at: Nanos,
  ): Nanos {
    const left = at + this.costs.sendNs(node.id, peer) * node.slowFactor;
    this.network.open(node, link, address, first, left, this.costs.receiveNs(node.id, peer));
    return left;
  }

  private closeLink(node: SimNode, link: LinkId, reason: string, at: Nanos): void {
    const end = node.links.get(link);
    if (end !== undefined) this.network.close(end, reason, at);
  }

  private setTimer(node: SimNode, due: Nanos, at: Nanos): void {
    const time = Math.ceil(Math.max(due, at) / TIMER_GRAIN) * TIMER_GRAIN;
    node.timerAt = time;
    if (time < Infinity)
      this.queue.push(time, { kind: 'timer', node, life: node.life, end: null, event: null, costNs: 0, run: null });
  }

  /** What a process has not been told to be on the disk when it dies is not there. */
  private write(node: SimNode, { entry, changes }: Extract<AnyEffect, { type: 'journal' }>, at: Nanos): void {
    const { life } = node;
    this.after(at + DISK_NS, () => {
      if (node.life !== life || node.machine === null) return;
      this.disk.append(changes);
      this.deliver(this.now, node, null, { type: 'journal_written', entry }, 0);
    });
  }

  private log(node: SimNode, effect: Extract<AnyEffect, { type: 'log' }>, at: Nanos): void {
    const { event, lamport, fields } = effect;
    node.logSeq += 1;
    if (this.hash !== null) {
      this.hash.text(event);
      for (const name of Object.keys(fields)) this.hash.value(fields[name]);
    }
    if (this.observers.length === 0) return;
    this.faultLog.expired(this.now);
    const line = nodeLine(node, event, lamport, fields, at);
    for (const observer of this.observers) observer.line?.(line, node);
  }

  /** A machine whose assertion fails has nothing more to say: its process ends, as a real one does. */
  private step(node: SimNode, event: AnyEvent, at: Nanos): readonly AnyEffect[] | null {
    try {
      return node.machine?.step(event, at) ?? null;
    } catch (error) {
      const watching = this.observers.filter(({ broken }) => broken !== undefined);
      if (!(error instanceof AssertionFailure) || watching.length === 0) throw error;
      for (const observer of watching) observer.broken?.(node, error);
      this.end(node, `${error.name}: ${error.message}`, at);
      return null;
    }
  }

  /** The process of a node ends: its links break, what it was asked is answered by nobody. */
  private end(node: SimNode, cause: string, at: Nanos): void {
    if (node.machine === null) return;
    node.machine = null;
    node.kernel = null;
    node.skb = null;
    node.ended = cause;
    this.network.nodeDied(node, at);
    this.programs.died(node);
    node.clearQueue();
    for (const observer of this.observers) observer.died?.(node, cause);
    this.requests.died(node, at);
  }
}

/** The cores of a simulation that live. */
export function livingCores(simulation: Simulation): readonly CoreId[] {
  return [...simulation.nodes.values()]
    .filter((node) => node.id !== SKB_PEER && node.machine !== null)
    .map((node) => node.id);
}
