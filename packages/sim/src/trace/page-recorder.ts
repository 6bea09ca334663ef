import { type CoreId, isCore, type Nanos, type PeerId, SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import { describeRule } from '@mk/monitor-proto/link/fault-rule';
import type { MachineModel } from '@mk/skb/config';
import {
  type CoreView,
  type CounterView,
  type FaultView,
  type LogLineView,
  PAGE_VERSION,
  type PageEvent,
  type PageEventType,
  type TripView,
} from '@mk/ui/model/page-events';
import { viewsEvent } from '@mk/ui/model/views';
import type { Scenario } from '../engine/scenario.ts';
import type { SimLogLine } from '../engine/sim-log.ts';
import type { SimNode } from '../engine/sim-node.ts';
import type { Simulation } from '../engine/simulation.ts';
import type { SimObserver } from '../engine/simulation-options.ts';

/** How often the machine's state is sampled, in virtual time; lines are kept as they come. */
const LOOK_NS: Nanos = SECOND / 20;
const COUNT_NS: Nanos = SECOND / 4;
/** Beyond this many cores, the trees of all roots would outweigh the rest of the recording. */
const TREES_OF_ALL = 32;
/** Lines of this span share an event: a player shows an event's lines together. */
const LINES_NS: Nanos = SECOND / 100;

/**
 * Records a simulated run as a page would have seen it (decision 0137). Of debug lines it keeps those of operations:
 * the others, above all those of a mesh's joining, are most of a run and tell the page nothing.
 */
export class PageRecorder implements SimObserver {
  readonly events: PageEvent[] = [];
  private simulation: Simulation | null = null;
  private readonly counters = new Map<PeerId, Counted>();
  private readonly told = new Map<PageEventType, string>();
  private lines: LogLineView[] = [];
  private lookAt: Nanos = 0;
  private countAt: Nanos = 0;
  private linesAt: Nanos = 0;
  private plan = -1;

  constructor(
    private readonly scenario: Scenario,
    private readonly machine: MachineModel,
  ) {
    const { seed, machine: name } = scenario;
    const hello = { version: PAGE_VERSION, cluster: 'simulated', mode: 'replay', supervised: true } as const;
    this.events.push({ type: 'hello', t: 0, ...hello, seed: String(seed), machine: name });
  }

  /** Samples the simulation's state from now on. */
  watch(simulation: Simulation): void {
    this.simulation = simulation;
  }

  step(_node: SimNode, _event: unknown, startedAt: Nanos): void {
    if (startedAt >= this.lookAt) this.look(startedAt);
  }

  frame(from: SimNode, to: SimNode, _at: Nanos, _frame: Uint8Array, fate: { readonly kind: string }): void {
    this.of(from.id).framesSent += 1;
    if (fate.kind === 'sent') this.of(to.id).framesReceived += 1;
  }

  line(line: SimLogLine, node: SimNode): void {
    const { event, level } = line;
    if (event === 'message_sent') this.of(node.id).sent += 1;
    if (event === 'message_delivered') this.of(node.id).delivered += 1;
    const op = line['op'];
    if (level !== 'debug' || (typeof op === 'string' && op !== '')) this.keep(line);
  }

  faultLine(line: SimLogLine): void {
    this.keep(line);
  }

  /** The recording, one event per line, once the run is over. */
  text(): string {
    if (this.simulation !== null) this.look(this.simulation.now);
    this.tellLines();
    return this.events.map((event) => `${JSON.stringify(event)}\n`).join('');
  }

  private keep(line: SimLogLine): void {
    const at = line.time * 1e6;
    if (at - this.linesAt >= LINES_NS) this.tellLines();
    if (this.lines.length === 0) this.linesAt = at;
    const { core } = line;
    this.lines.push({ ...line, core: typeof core === 'number' || core === 'skb' ? core : 'launcher' });
  }

  private tellLines(): void {
    const [first] = this.lines;
    if (first === undefined) return;
    this.events.push({ type: 'log', t: first.time, lines: this.lines, lost: 0 });
    this.lines = [];
  }

  private look(now: Nanos): void {
    const { simulation } = this;
    this.lookAt = now + LOOK_NS;
    if (simulation === null) return;
    this.tellLines();
    const t = now / 1e6;
    this.say({ type: 'cores', t, cores: this.cores(simulation), skb: stateOf(simulation.node(SKB_PEER)) });
    this.say({ type: 'faults', t, faults: faultsOf(simulation, now) });
    if (now < this.countAt) return;
    this.countAt = now + COUNT_NS;
    this.events.push({ type: 'counters', t, cores: this.countersOf(simulation) });
    this.lookAtTopology(simulation, now);
    this.lookAtViews(simulation, now);
  }

  private lookAtViews(simulation: Simulation, now: Nanos): void {
    const rows = cores(simulation).map(({ node }) =>
      node.hung ? undefined : node.kernel?.services.views.describe(now),
    );
    const absent = cores(simulation).flatMap(({ core }, i) => (rows[i] === undefined ? [core] : []));
    this.say(
      viewsEvent(
        rows.filter((row) => row !== undefined),
        absent,
        now / 1e6,
      ),
    );
  }

  private cores(simulation: Simulation): readonly CoreView[] {
    return cores(simulation).map(({ core, node }) => ({
      core,
      package: this.machine.packageOf(core),
      state: stateOf(node),
      incarnation: node.incarnation,
      links: node.kernel?.monitor.context.members.length ?? 0,
    }));
  }

  private countersOf(simulation: Simulation): readonly CounterView[] {
    return cores(simulation).map(({ core }) => ({ core, retransmits: 0, queued: 0, operations: 0, ...this.of(core) }));
  }

  /** Records round trips and trees whenever the SKB has replanned. */
  private lookAtTopology(simulation: Simulation, now: Nanos): void {
    const skb = simulation.node(SKB_PEER).skb;
    if (skb === null || !skb.registry.meshComplete || skb.plans.version === this.plan) return;
    this.plan = skb.plans.version;
    const measured = [...skb.measurement.trips.entries()].map(([from, to, { min, average }]): TripView => [
      from,
      to,
      min,
      Math.round(average),
    ]);
    this.say({ type: 'links', t: now / 1e6, trips: measured.length > 0 ? measured : this.modelled() });
    const roots = this.scenario.cores <= TREES_OF_ALL ? cores(simulation) : cores(simulation).slice(0, 1);
    for (const { core: root } of roots)
      this.events.push({
        type: 'tree',
        t: now / 1e6,
        root,
        plan: 'multicast',
        tree: skb.plans.treeOf('multicast', root),
      });
  }

  /** The machine's own figures where nothing was measured. */
  private modelled(): readonly TripView[] {
    const all = Array.from({ length: this.scenario.cores }, (_, core) => core);
    return all.flatMap((from) =>
      all
        .filter((to) => to !== from)
        .map((to): TripView => {
          const ns = this.machine.latencyNs(from, to) + this.machine.latencyNs(to, from);
          return [from, to, ns, ns];
        }),
    );
  }

  private of(peer: PeerId): Counted {
    let counted = this.counters.get(peer);
    if (counted === undefined)
      this.counters.set(peer, (counted = { sent: 0, delivered: 0, framesSent: 0, framesReceived: 0 }));
    return counted;
  }

  /** Records what is new. */
  private say(event: PageEvent): void {
    const text = JSON.stringify({ ...event, t: 0 });
    if (this.told.get(event.type) === text) return;
    this.told.set(event.type, text);
    this.events.push(event);
  }
}

interface Counted {
  sent: number;
  delivered: number;
  framesSent: number;
  framesReceived: number;
}

function cores(simulation: Simulation): readonly { readonly core: CoreId; readonly node: SimNode }[] {
  return [...simulation.nodes.values()]
    .flatMap((node) => (isCore(node.id) ? [{ core: node.id, node }] : []))
    .sort((a, b) => a.core - b.core);
}

function stateOf(node: SimNode): string {
  if (node.machine === null) return 'ended';
  return node.hung ? 'hung' : 'running';
}

function faultsOf(simulation: Simulation, now: Nanos): readonly FaultView[] {
  const rules = simulation.faults.rules(now).map(({ rule, counters }): FaultView => {
    const { frames, dropped, delayed } = counters;
    return { id: rule.id, text: describeRule(rule), rule, process: null, frames, dropped, delayed };
  });
  const ill = [...simulation.nodes.values()].flatMap((node): FaultView[] => {
    const state = stateOf(node);
    if (state === 'running') return [];
    const process = isCore(node.id) ? node.id : 'skb';
    const id = `${state === 'hung' ? 'hang' : 'crash'}:${process}`;
    const text = `${process === 'skb' ? 'the SKB' : `core ${process}`} ${state === 'hung' ? 'hangs' : 'has ended'}`;
    return [{ id, text, rule: null, process, frames: 0, dropped: 0, delayed: 0 }];
  });
  return [...rules, ...ill];
}
