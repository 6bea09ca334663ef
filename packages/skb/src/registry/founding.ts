import { type Nanos, SECOND } from '@mk/monitor-proto/ids';
import type { EffectSink } from '@mk/monitor-proto/outbox';
import type { Timer, TimerQueue } from '@mk/monitor-proto/timer-queue';

/** The last view that a majority of its members reported; later lives of the SKB start from it. */
export interface AgreedView {
  readonly number: number;
  /** How many members it has. */
  readonly cores: number;
}

/** What founding needs of the registry. */
export interface Foundable {
  /** Cores that are registered. */
  readonly cores: number;
  /** Whether one of them says that it is in a view: then views admit whoever comes. */
  readonly someInView: boolean;
  /** Whether this life has known a view: its members are replaced when nobody is in one now. */
  readonly hasSeenView: boolean;
  /** Founds a view of all that are registered; false: they are not all bound to one another yet. */
  found(now: Nanos): boolean;
}

export interface FoundingConfig {
  readonly expectedCores: number;
  /** Which life of the SKB this is, from 1. */
  readonly life: number;
  /** The last view that earlier lives knew; null: none. */
  readonly lastView: AgreedView | null;
  /** How long the SKB may be silent before a core dials it again. */
  readonly silenceNs: Nanos;
}

/** After this long without an arrival or a departure, the cores still expected are not coming. */
const PATIENCE: Nanos = 2 * SECOND;
/**
 * How long a core that is in a view may take to find the SKB, beyond its silence: an attempt to dial, and as much
 * again.
 */
const DIALLING: Nanos = 20 * SECOND;

/**
 * Decides when a machine is founded with fewer than MK_CORES cores (decision 0200). In the first life of the SKB nobody
 * can be in a view that it does not know. In a later one a majority of the last view may still be running:
 *
 *   - as many cores as the last view had: each stands in the place of one of its members;
 *   - more than half as many, and nobody of that view has shown up for as long as a living core takes to find the SKB;
 *   - fewer: never. An operator says how many there are (MK_CORES).
 */
export class Founding {
  private timer: Timer | null = null;
  private changedAt: Nanos = 0;
  private told = '';

  constructor(
    private readonly config: FoundingConfig,
    private readonly registry: Foundable,
    private readonly timers: TimerQueue,
    private readonly sink: EffectSink,
  ) {}

  /** A core has come or gone. */
  changed(now: Nanos): void {
    this.changedAt = now;
    this.lookAt(now + PATIENCE);
  }

  private lookAt(at: Nanos): void {
    this.timers.cancel(this.timer);
    this.timer = this.registry.someInView || this.registry.cores === 0 ? null : this.timers.set(at, this.look);
  }

  private readonly look = (now: Nanos): void => {
    this.timer = null;
    if (this.registry.someInView) return;
    const patience = this.patience;
    if (patience > PATIENCE) this.tell(patience);
    if (patience === Infinity) return;
    if (now < this.changedAt + patience) this.lookAt(this.changedAt + patience);
    else if (!this.registry.found(now)) this.lookAt(now + PATIENCE);
  };

  /** How long the number of cores must stand still until it suffices; infinite: there are too few. */
  private get patience(): Nanos {
    const { life, lastView, silenceNs } = this.config;
    const { cores, hasSeenView } = this.registry;
    if (life === 1 || hasSeenView) return PATIENCE;
    if (lastView === null) return Infinity;
    if (cores >= lastView.cores) return PATIENCE;
    return cores > lastView.cores / 2 ? 2 * silenceNs + DIALLING : Infinity;
  }

  /** Logs why the machine does not begin, once for each number of cores. */
  private tell(patience: Nanos): void {
    const { expectedCores, lastView } = this.config;
    const { cores } = this.registry;
    const before = lastView === null ? 'how many there were is not known' : `the last view had ${lastView.cores}`;
    const next =
      patience === Infinity
        ? `set MK_CORES to how many there are, or start more`
        : `they begin without the others ${patience / SECOND} s after the last of them came`;
    const text = `${cores} of ${expectedCores} cores are here, and ${before}: ${next}`;
    if (text === this.told) return;
    this.told = text;
    this.sink.log('founding_waits', { cores, expected: expectedCores, last: lastView?.cores ?? 0, text });
  }
}
