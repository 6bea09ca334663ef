import { known } from '@mk/monitor-proto/assert';
import { type CoreId, MILLISECOND, type Nanos, SECOND } from '@mk/monitor-proto/ids';
import { heartbeatInterval } from '@mk/monitor-proto/endpoint/heartbeat';
import { limit } from '@mk/monitor-proto/limits';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import type { EffectSink } from '@mk/monitor-proto/outbox';
import type { Timer, TimerQueue } from '@mk/monitor-proto/timer-queue';
import type { Registry } from '../registry/registry.ts';
import { type MeasuringTask, measuringTasks, type RelationOf, sampledTasks } from './measuring-tasks.ts';
import { type RoundTrip, RoundTrips } from './round-trips.ts';

/** A core that has not reported by then is skipped, however many of its peers delay it. */
const MOST_PATIENCE: Nanos = 60 * SECOND;

/** A core that missed this many heartbeats is asked last, as a measurer and as a peer. */
const MISSED = 3;
/**
 * A core that is still silent by then, once all others have reported, is skipped. On a busy host the SKB finds all
 * cores silent when it was kept waiting itself and has read only some of what they sent.
 */
const SECOND_CHANCE: Nanos = 5 * SECOND;
/** How often to check that a measuring core is still there. */
const LOOK_EVERY: Nanos = SECOND;

/**
 * With more cores, each pair is measured from one end only, and by fewer round trips: one pair matters less among many.
 */
const MANY_CORES = 32;
const TRIPS_OF_MANY = 2;
/** A round trip keeps CPUs busy for some 150 µs: a core measures as many peers at once as keep its CPU from idling. */
const ROUND_TRIP_PER_RALLY: Nanos = 0.25 * MILLISECOND;
/** Each such span of a round trip leaves room for another measuring core. */
const ROUND_TRIP_PER_CORE: Nanos = 2 * MILLISECOND;
const CORES_PER_MEASURER = 16;

/** The result of a measurement. */
export interface Measured {
  /** Only this run's measurements. */
  readonly trips: RoundTrips;
  /** Cores that did not report: pairs with them are not measured. */
  readonly silent: readonly CoreId[];
}

interface Measuring {
  readonly task: MeasuringTask;
  readonly batch: number;
  readonly until: Nanos;
  timer: Timer;
}

/**
 * Has the cores measure their round trips: one core and one peer at a time, so that nobody measures another's queue;
 * more at once where links are so slow that CPUs would idle.
 */
export class Measurement {
  readonly trips = new RoundTrips();
  /** Results of the current or latest measurement. */
  private fresh = new RoundTrips();
  private queue: MeasuringTask[] = [];
  /** Pairs of which an end was silent when its turn came. */
  private postponed: MeasuringTask[] = [];
  /** While only postponed pairs are left: until they are tried again. */
  private pause: Timer | null = null;
  private lastChanceAt: Nanos | null = null;
  /** Cores that the current or latest measurement skipped. */
  private readonly passedOver = new Set<CoreId>();
  private readonly measuring = new Map<CoreId, Measuring>();
  private batch = 0;
  private startedAt: Nanos = 0;
  private waiting: ((measured: Measured) => void)[] = [];

  constructor(
    private readonly registry: Registry,
    private readonly timers: TimerQueue,
    private readonly sink: EffectSink,
    private readonly finished: (now: Nanos) => void,
    /** One way, by the machine's description. */
    private readonly latencyNs: (from: CoreId, to: CoreId) => Nanos,
    private readonly relationOf: RelationOf,
  ) {}

  get running(): boolean {
    return this.measuring.size > 0 || this.pause !== null;
  }

  /** The cores that the current measurement waits for; if some of them are silent, only those. */
  waitingFor(now: Nanos): readonly CoreId[] {
    const asked = [...this.measuring.keys()];
    const silent = [...this.registry.members.keys()].filter((core) => this.isSilent(core, now));
    return this.running && silent.length > 0 ? silent : asked;
  }

  /** Measures from all cores to all cores; a measurement under way starts over. */
  start(now: Nanos, then?: (measured: Measured) => void): void {
    if (then !== undefined) this.waiting.push(then);
    this.begins(measuringTasks([...this.registry.members.keys()], !this.manyCores), now);
  }

  /**
   * A measurement that nobody asked for: on a large machine a sample of each relation, whose median stands for the
   * other pairs.
   */
  startUnasked(now: Nanos): void {
    const cores = [...this.registry.members.keys()];
    if (cores.length <= limit('measureAllCores') || this.waiting.length > 0) return this.start(now);
    return this.begins(sampledTasks(cores, this.relationOf, limit('measureSample')), now);
  }

  private begins(tasks: MeasuringTask[], now: Nanos): void {
    this.fresh = new RoundTrips();
    this.passedOver.clear();
    this.postponed = [];
    this.timers.cancel(this.pause);
    this.pause = null;
    this.lastChanceAt = null;
    this.queue = tasks;
    this.startedAt = now;
    this.fill(now);
  }

  report(core: CoreId, report: MessageOf<'measure_report'>, now: Nanos): void {
    const { from, to, averages, variances, minima, maxima } = report;
    for (let i = 0; i < from.length; i++) {
      // A core can only report its own pairs.
      if (from[i] !== core && to[i] !== core) continue;
      const [average = 0, variance = 0, min = 0, max = 0] = [averages[i], variances[i], minima[i], maxima[i]];
      this.note(known(from[i]), known(to[i]), { average, variance, min, max });
    }
    const running = this.measuring.get(core);
    if (running === undefined || running.batch !== report.batch) return;
    this.timers.cancel(running.timer);
    this.measuring.delete(core);
    this.fill(now);
  }

  /** A pair measured from both ends keeps the better result: the other met somebody else's turn on a CPU. */
  private note(from: CoreId, to: CoreId, trip: RoundTrip): void {
    const known = this.fresh.get(from, to);
    if (known !== undefined && known.min <= trip.min) return;
    this.fresh.set(from, to, trip);
    this.trips.set(from, to, trip);
  }

  private get manyCores(): boolean {
    return this.registry.members.size > MANY_CORES;
  }

  /** A round trip from some core to the others, by the machine's description. */
  private get describedRoundTrip(): Nanos {
    const [first, ...others] = this.registry.members.keys();
    if (first === undefined || others.length === 0) return 0;
    return (2 * others.reduce((sum, other) => sum + this.latencyNs(first, other), 0)) / others.length;
  }

  /** How many cores may measure at once. */
  private get coresAtOnce(): number {
    const most = Math.floor(this.registry.members.size / CORES_PER_MEASURER);
    return Math.max(1, Math.min(Math.round(this.describedRoundTrip / ROUND_TRIP_PER_CORE), most));
  }

  /** How many peers each of them measures at once. */
  private get ralliesAtOnce(): number {
    return Math.max(
      1,
      Math.min(Math.round(this.describedRoundTrip / ROUND_TRIP_PER_RALLY), limit('measureConcurrency')),
    );
  }

  private fill(now: Nanos): void {
    const { coresAtOnce } = this;
    while (this.measuring.size < coresAtOnce) {
      // A core that still measures for an earlier start is asked again after its report.
      const place = this.queue.findIndex(({ core }) => !this.measuring.has(core));
      if (place < 0) break;
      this.begin(known(this.queue.splice(place, 1)[0]), now);
    }
    if (this.measuring.size > 0 || this.queue.length > 0) return;
    if (this.postponed.length === 0) return this.done(now);
    this.lastChanceAt ??= now + SECOND_CHANCE;
    if (now >= this.lastChanceAt) {
      const ends = new Set(this.postponed.flatMap(({ core, others }) => [core, ...others]));
      for (const end of ends) if (this.registry.members.has(end) && this.isSilent(end, now)) this.passedOver.add(end);
      return this.tryPostponed(now);
    }
    this.pause = this.timers.set(now + LOOK_EVERY, (at) => {
      this.pause = null;
      this.tryPostponed(at);
    });
  }

  private tryPostponed(now: Nanos): void {
    this.queue = this.postponed;
    this.postponed = [];
    this.fill(now);
  }

  private begin({ core, others }: MeasuringTask, now: Nanos): void {
    const { members } = this.registry;
    const member = members.get(core);
    if (member === undefined || this.passedOver.has(core)) return;
    const present = others.filter((other) => members.has(other) && !this.passedOver.has(other));
    const silent = this.isSilent(core, now) ? present : present.filter((other) => this.isSilent(other, now));
    if (silent.length > 0) this.postponed.push({ core, others: silent });
    const cores = present.filter((other) => !silent.includes(other));
    if (cores.length === 0) return;
    const batch = ++this.batch;
    const task = { core, others: cores };
    const timer = this.lookAgain(core, now);
    this.measuring.set(core, { task, batch, until: now + this.patienceFor(cores.length), timer });
    const pings = this.manyCores ? TRIPS_OF_MANY : limit('measurePings');
    this.registry.tell(member, { type: 'measure_request', batch, cores, pings, at_once: this.ralliesAtOnce });
  }

  /** A measuring core that is no longer heard is not waited for. */
  private lookAgain(core: CoreId, now: Nanos): Timer {
    return this.timers.set(now + LOOK_EVERY, (at) => {
      const running = known(this.measuring.get(core));
      const silent = this.isSilent(core, at);
      if (at < running.until && !silent) {
        running.timer = this.lookAgain(core, at);
        return;
      }
      this.measuring.delete(core);
      if (silent && at < (this.lastChanceAt ?? Infinity)) this.postponed.push(running.task);
      else this.passedOver.add(core);
      this.fill(at);
    });
  }

  /** A peer that does not answer costs a core an operation's deadline: allow for as many as it may meet. */
  private patienceFor(others: number): Nanos {
    const inTurn = Math.ceil(others / this.ralliesAtOnce);
    return Math.min(MOST_PATIENCE, (1 + inTurn) * limit('operationDeadlineNs'));
  }

  private isSilent(core: CoreId, now: Nanos): boolean {
    const peer = this.registry.members.get(core)?.peer;
    if (peer === undefined || peer.link === 0) return true;
    return now - peer.lastHeardAt > MISSED * heartbeatInterval(this.registry.members.size);
  }

  private done(now: Nanos): void {
    const cores = this.registry.members.size;
    const pairs = [...this.fresh.entries()].length;
    this.sink.log('measured', { cores, pairs, elapsed_ms: (now - this.startedAt) / 1e6 });
    this.finished(now);
    const { waiting } = this;
    this.waiting = [];
    const silent = [...this.passedOver].sort((a, b) => a - b);
    for (const then of waiting) then({ trips: this.fresh, silent });
  }
}
