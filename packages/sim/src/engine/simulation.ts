/*
 * The second host of the kernel (docs/ARCHITECTURE.md): hundreds of cores and the SKB in one process, on a virtual clock.
 *
 *   S1  the same options give the same trace: nothing here reads a clock, entropy or the order of a hash table by address;
 *   S2  a core handles one event at a time, in order of arrival; handling and sending take the core's time;
 *   S3  frames are the very bytes that sockets carry, under the very link model and fault rules.
 */
import type { AnswerOf, CoreAnswers } from '@mk/node-kernel/control/verb-answers';
import { AssertionFailure, known } from '@mk/monitor-proto/assert';
import { Heap } from '@mk/monitor-proto/heap';
import { type CoreId, isCore, type Nanos, type PeerId, peerName, SKB_PEER } from '@mk/monitor-proto/ids';
import { FaultEngine } from '@mk/monitor-proto/link/fault-engine';
import { createPrng, type Prng } from '@mk/monitor-proto/prng';
import { bootKernel, bootSkb } from './boot.ts';
import { ControlRequests, DEAD, type OnReply } from './control-requests.ts';
import { type CostModel, costsOf } from './costs.ts';
import { DISK_NS, type EffectHost, Effects } from './effects.ts';
import { Network, type NetworkHost } from '../network/network.ts';
import { SimPrograms } from '../programs/sim-programs.ts';
import type { SimObserver, SimulationOptions } from './simulation-options.ts';
import { SimDisk } from './sim-disk.ts';
import { FaultLog } from './sim-log.ts';
import { type AnyEffect, type AnyEvent, type LinkEnd, SimNode, type Waiting } from './sim-node.ts';
import { TraceHash } from './trace-hash.ts';

/** Something scheduled. It is lost if it was meant for an earlier life of its node. */
type Scheduled =
  | {
      readonly kind: 'event';
      readonly node: SimNode;
      readonly life: number;
      /** The end of the link that it comes over; null: it comes from the host. */
      readonly end: LinkEnd | null;
      readonly event: AnyEvent;
      readonly costNs: Nanos;
    }
  | { readonly kind: 'timer'; readonly node: SimNode; readonly life: number }
  | { readonly kind: 'drain'; readonly node: SimNode; readonly life: number }
  | { readonly kind: 'after'; readonly run: () => void };

/**
 * The longest that a step occupies a core: what it sends leaves after the step began, and the first frame past a fault
 * rule's time ends the rule for all.
 */
const STEP_MOST: Nanos = 1_000_000;
/** Waiting events that a core handles in a row by default. */
const ROW = 32;
const TIMER: AnyEvent = { type: 'timer_fired' };
/** How soon a launcher reports a reaped process by default. */
const REAP: Nanos = 5_000_000;

export class Simulation implements NetworkHost, EffectHost {
  now: Nanos = 0;
  readonly nodes = new Map<PeerId, SimNode>();
  readonly faults: FaultEngine;
  readonly network: Network;
  readonly hash: TraceHash | null;
  readonly prng: Prng;
  /** Steps handled so far. */
  steps = 0;
  frameFate: NetworkHost['frameFate'];
  readonly costs: CostModel;
  private readonly row: number;
  private readonly queue = new Heap<Scheduled>();
  /** Outside interference: faults, starts, requests. No row of a core's events goes past the next one. */
  private readonly calls = new Heap<() => void>();
  private runsUntil: Nanos = 0;
  readonly observers: SimObserver[] = [];
  /** The SKB's; outlives its process. */
  readonly disk = new SimDisk();
  readonly requests = new ControlRequests();
  readonly faultLog: FaultLog;
  readonly programs: SimPrograms;
  private readonly effects: Effects;

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
    this.effects = new Effects(this);
    this.hash = options.hash === false ? null : new TraceHash();
    this.programs = new SimPrograms(this, options.programs ?? null, options.programCosts);
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

  /**
   * Handles events until the virtual time `until`, or until `stop` returns true after a row of a core's events. Returns
   * whether `stop` ended it.
   */
  run(until: Nanos, stop?: () => boolean): boolean {
    const { queue, calls } = this;
    this.runsUntil = until;
    for (;;) {
      const at = Math.min(queue.minKey, calls.minKey);
      if (at > until || at === Infinity) break;
      if (at > this.now) this.now = at;
      if (calls.minKey === at) known(calls.pop())();
      else this.dispatch(known(queue.pop()));
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

  /**
   * Calls a verb over a node's control port. `then` gets the answer, typed by a core's verbs, or a refusal if the node
   * dies first.
   */
  control<V extends string>(
    id: PeerId,
    verb: V,
    args: Readonly<Record<string, unknown>>,
    then: OnReply<AnswerOf<CoreAnswers, V>>,
  ): void {
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

  /** Stops handling events, which queue. */
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
    this.queue.push(at, { kind: 'event', node, life: node.life, end, event, costNs });
  }

  after(at: Nanos, run: () => void): void {
    this.queue.push(at, { kind: 'after', run });
  }

  wake(at: Nanos, node: SimNode): void {
    this.queue.push(at, { kind: 'timer', node, life: node.life });
  }

  /** Schedules a call from outside: before the events of that time. */
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
    if (next.kind === 'after') return next.run();
    const { node } = next;
    if (node.life !== next.life || node.machine === null) return;
    if (next.kind === 'timer') {
      if (node.timerAt !== this.now) return;
      if (!node.hung) this.arrive(node, { event: TIMER, costNs: this.costs.eventNs });
    } else if (next.kind === 'drain') {
      node.drainScheduled = false;
      this.drain(node);
    } else this.arriveOn(node, next.end, next);
  }

  private arriveOn(node: SimNode, end: LinkEnd | null, arrived: Waiting): void {
    if (end !== null) {
      if (!end.open) return;
      if (arrived.event.type === 'link_down') end.open = false;
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
    this.queue.push(at, { kind: 'drain', node, life: node.life });
  }

  /**
   * Handles waiting events, several in a row, so that the core's memory is not fetched again for each: later arrivals
   * can only come behind them. A row ends before its core's timer and before outside interference, the end of a fault
   * included (0068).
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
    this.now = now; // the other cores have not come that far yet
    if (node.queued > 0 && node.machine !== null) this.scheduleDrain(node);
  }

  private handle(node: SimNode, event: AnyEvent, costNs: Nanos): void {
    this.steps += 1;
    const start = this.now + costNs * node.slowFactor;
    if (event.type === 'timer_fired') node.timerAt = Infinity;
    // Until it hears of the end, a core sends into the void, which takes as long: otherwise a row would change its
    // events.
    if (event.type === 'link_down') node.links.delete(event.link);
    if (this.hash !== null) this.hash.event(node.id, event, start);
    const effects = this.step(node, event, start);
    if (effects === null) return;
    let cursor = start;
    // A halting process does nothing more: a link that it opened now would belong to its next life.
    for (let i = 0; i < effects.length && node.machine !== null; i++)
      cursor = this.effects.perform(node, known(effects[i]), cursor);
    node.freeAt = cursor;
    node.occupiedNs += cursor - this.now;
    for (const observer of this.observers) observer.step?.(node, event, this.now, cursor);
  }

  /** For the programs' host: an event within a turn, at the time that the turn started. */
  within(node: SimNode, event: AnyEvent): void {
    if (node.machine === null) return;
    const { freeAt } = node;
    this.handle(node, event, 0);
    node.freeAt = Math.max(freeAt, node.freeAt);
  }

  noteBytes(bytes: Uint8Array): void {
    this.hash?.bytes(bytes);
  }

  /** A machine whose assertion fails is silenced: its process ends like a real one. */
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

  /** Ends a node's process: its links break, and its pending requests are refused. */
  end(node: SimNode, cause: string, at: Nanos): void {
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
    this.reap(node, at);
  }

  /** The launcher has reaped a core's process, and tells the others. */
  private reap({ id, incarnation }: SimNode, at: Nanos): void {
    const { reapNs = REAP } = this.options;
    if (id === SKB_PEER || incarnation === 0 || reapNs === Infinity) return;
    this.after(at + reapNs, () => {
      for (const core of livingCores(this))
        if (core !== id) this.control(core, 'reaped', { core: id, incarnation }, () => undefined);
    });
  }
}

/** The living cores of a simulation. */
export function livingCores(simulation: Simulation): readonly CoreId[] {
  return [...simulation.nodes.values()]
    .filter((node) => node.machine !== null)
    .map((node) => node.id)
    .filter(isCore);
}
