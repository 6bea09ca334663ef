import { handlerFor } from '@mk/monitor-proto/handlers';
import { Operations } from './operations.ts';
import type {
  CapabilityView,
  CoreView,
  CounterView,
  DomainView,
  FaultView,
  LogLineView,
  MemoryView,
  Millis,
  PageEvent,
  PageEventOf,
  PageEventType,
  TreeNode,
  TripView,
} from './page-events.ts';
import { Ring } from './ring.ts';

/** What is kept: a page that stays open for days needs no more memory. */
export const KEPT = { logLines: 5000, rates: 600, latencies: 1000, flashes: 400 } as const;

/** Events per second of one core, from two counts. */
export interface RateView {
  readonly core: number;
  readonly sent: number;
  readonly delivered: number;
  readonly framesSent: number;
  readonly framesReceived: number;
  readonly retransmits: number;
  readonly queued: number;
  readonly operations: number;
}

/** All rates at one moment. */
export interface RatePoint {
  readonly t: Millis;
  readonly total: Omit<RateView, 'core'>;
}

/** A received message, or an act of a core: shown for a moment. */
export interface Flash {
  readonly from: number;
  readonly to: number;
  readonly at: Millis;
  readonly what: string;
}

/** What a page shows, assembled from events in order. The same events make the same model. */
export class PageModel {
  /** Incremented by every change of a part, so that only changed parts are redrawn. */
  readonly changes: Record<PageEventType, number> = {
    hello: 0,
    cores: 0,
    links: 0,
    faults: 0,
    counters: 0,
    tree: 0,
    capabilities: 0,
    memory: 0,
    domains: 0,
    views: 0,
    spaces: 0,
    log: 0,
    trouble: 0,
  };
  now: Millis = 0;
  hello: PageEventOf<'hello'> | null = null;
  cores: readonly CoreView[] = [];
  skb = '';
  trips: readonly TripView[] = [];
  /** The shortest and the longest of the shortest round trips, in nanoseconds. */
  tripRange: readonly [least: number, most: number] = [0, 0];
  faults: readonly FaultView[] = [];
  /** By root and plan (`treeKey`). */
  readonly trees = new Map<string, TreeNode>();
  capabilities: readonly CapabilityView[] | null = null;
  absent: readonly number[] = [];
  memory: readonly MemoryView[] | null = null;
  domains: readonly DomainView[] | null = null;
  views: PageEventOf<'views'> | null = null;
  spaces: PageEventOf<'spaces'> | null = null;
  trouble: string | null = null;
  lostLines = 0;
  rates: readonly RateView[] = [];
  readonly rateHistory = new Ring<RatePoint>(KEPT.rates);
  readonly log = new Ring<LogLineView>(KEPT.logLines);
  readonly operations = new Operations();
  /** How long operations took, microseconds. */
  readonly latencies = new Ring<{ readonly t: Millis; readonly kind: string; readonly us: number }>(KEPT.latencies);
  readonly flashes = new Ring<Flash>(KEPT.flashes);
  private counted: { readonly t: Millis; readonly cores: ReadonlyMap<number, CounterView> } | null = null;

  apply(event: PageEvent): void {
    this.now = Math.max(this.now, event.t);
    this.changes[event.type] += 1;
    handlerFor(this.appliers, event.type)(event);
  }

  private readonly appliers: { readonly [T in PageEventType]: (event: PageEventOf<T>) => void } = {
    hello: (event) => void (this.hello = event),
    cores: ({ cores, skb }) => {
      this.cores = cores;
      this.skb = skb;
    },
    links: ({ trips }) => {
      this.trips = trips;
      let [least, most] = [Infinity, 0];
      for (const [, , min] of trips) [least, most] = [Math.min(least, min), Math.max(most, min)];
      this.tripRange = [least, most];
    },
    faults: ({ faults }) => void (this.faults = faults),
    counters: (event) => this.count(event),
    tree: ({ root, plan, tree }) => void this.trees.set(treeKey(root, plan), tree),
    capabilities: ({ rows, absent }) => {
      this.capabilities = rows;
      this.absent = absent;
    },
    memory: ({ rows }) => void (this.memory = rows),
    domains: ({ rows }) => void (this.domains = rows),
    views: (event) => void (this.views = event),
    spaces: (event) => void (this.spaces = event),
    log: ({ lines, lost }) => {
      this.lostLines += lost;
      for (const line of lines) this.takeLine(line);
    },
    trouble: ({ text }) => void (this.trouble = text),
  };

  private takeLine(line: LogLineView): void {
    this.log.add(line);
    this.operations.take(line);
    const { event, core, peer, time, elapsed_us: us } = line;
    if (event === 'message_delivered' && typeof core === 'number' && typeof peer === 'number')
      this.flashes.add({ from: peer, to: core, at: time, what: String(line['message']) });
    if ((event === 'cap_operation' || event === 'round_finished') && typeof us === 'number')
      this.latencies.add({ t: time, kind: String(line['kind'] ?? 'round'), us });
  }

  private count({ t, cores }: PageEventOf<'counters'>): void {
    const before = this.counted;
    const seconds = before === null ? 0 : (t - before.t) / 1000;
    this.counted = { t, cores: new Map(cores.map((row) => [row.core, row])) };
    if (before === null || seconds <= 0) return;
    this.rates = cores.flatMap((row) => {
      const old = before.cores.get(row.core);
      return old === undefined ? [] : [rateOf(old, row, seconds)];
    });
    this.rateHistory.add({ t, total: totalOf(this.rates) });
  }
}

export function treeKey(root: number, plan: string): string {
  return `${plan} ${root}`;
}

/** A restarted core counts from 0: its rate is its count since then. */
function rateOf(old: CounterView, row: CounterView, seconds: number): RateView {
  const rate = (name: 'sent' | 'delivered' | 'framesSent' | 'framesReceived' | 'retransmits'): number =>
    (row[name] >= old[name] ? row[name] - old[name] : row[name]) / seconds;
  return {
    core: row.core,
    sent: rate('sent'),
    delivered: rate('delivered'),
    framesSent: rate('framesSent'),
    framesReceived: rate('framesReceived'),
    retransmits: rate('retransmits'),
    queued: row.queued,
    operations: row.operations,
  };
}

function totalOf(rates: readonly RateView[]): Omit<RateView, 'core'> {
  const sum = (name: keyof RateView): number => rates.reduce((total, row) => total + row[name], 0);
  return {
    sent: sum('sent'),
    delivered: sum('delivered'),
    framesSent: sum('framesSent'),
    framesReceived: sum('framesReceived'),
    retransmits: sum('retransmits'),
    queued: sum('queued'),
    operations: sum('operations'),
  };
}
