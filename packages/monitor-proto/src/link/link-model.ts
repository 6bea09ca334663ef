import type { Nanos } from '../ids.ts';
import { Heap } from '../heap.ts';
import type { Prng } from '../prng.ts';
import { isClear } from './link-settings.ts';
import type { BurstLoss, LinkSettings } from './link-settings.ts';

export type DropReason = 'partition' | 'loss' | 'limit';

/** What becomes of one frame. Delays count from the moment at which it was sent. */
export type Verdict =
  | { readonly kind: 'pass' }
  | { readonly kind: 'deliver_after'; readonly delayNs: Nanos }
  | { readonly kind: 'drop'; readonly reason: DropReason }
  | { readonly kind: 'duplicate'; readonly delayNs: Nanos; readonly copyDelayNs: Nanos }
  /** The frame is lost and the socket breaks. */
  | { readonly kind: 'reset' };

export const PASS: Verdict = { kind: 'pass' };
export const RESET: Verdict = { kind: 'reset' };
export const DROP: { readonly [R in DropReason]: Verdict } = {
  partition: { kind: 'drop', reason: 'partition' },
  loss: { kind: 'drop', reason: 'loss' },
  limit: { kind: 'drop', reason: 'limit' },
};

/** A reordered frame is held back at least around this long, so that reorder does something on a link without delay. */
const REORDER_HOLD_NS = 1_000_000;
/** Shape of the Pareto distribution: netem's tables have the same; mean and deviation exist. */
const PARETO_SHAPE = 3;
const PARETO_MEAN = PARETO_SHAPE / (PARETO_SHAPE - 1);
const PARETO_DEVIATION = Math.sqrt(PARETO_SHAPE / (PARETO_SHAPE - 2)) / (PARETO_SHAPE - 1);

/**
 * One direction of one link: says what becomes of each frame, when it is sent.
 *
 * Guarantees:
 * - L1 With clear settings and nothing under way the verdict is `PASS` itself and no random number is drawn.
 * - L2 Due times never fall from one frame to the next, also across a change of settings, except for reordered frames.
 * - L3 A verdict, once given, stands: new settings concern later frames only.
 * Same settings, stream and calls give the same verdicts. Source: netem(8); the correlation keeps the distribution
 * as it is (a normal copula), where netem's narrows it.
 */
export class LinkModel {
  private settings: LinkSettings;
  private clear: boolean;
  private readonly prng: Prng;
  private lastDueNs = 0;
  private busyUntilNs = 0;
  private lastResetNs = -1;
  private framesSinceReset = 0;
  private framesSinceChange = 0;
  private bad = false;
  private carried = Number.NaN;
  private readonly underWay = new Heap<null>();

  constructor(settings: LinkSettings, prng: Prng) {
    this.settings = settings;
    this.clear = isClear(settings);
    this.prng = prng;
  }

  /** New settings, from the next frame on. The line's queue and the order of frames carry over. */
  update(settings: LinkSettings): void {
    this.settings = settings;
    this.clear = isClear(settings);
    this.framesSinceChange = 0;
    this.framesSinceReset = 0;
    this.lastResetNs = -1;
    this.bad = false;
    this.carried = Number.NaN;
  }

  /** Whether a frame that is sent now passes at once, whatever the random numbers say. */
  passes(nowNs: Nanos): boolean {
    return this.clear && nowNs >= this.lastDueNs;
  }

  verdict(nowNs: Nanos, bytes: number): Verdict {
    if (this.passes(nowNs)) return PASS;
    return this.shape(nowNs, bytes);
  }

  private shape(nowNs: Nanos, bytes: number): Verdict {
    const s = this.settings;
    this.framesSinceChange += 1;
    if (this.breaks(nowNs)) return RESET;
    if (this.loses()) return DROP.loss;
    if (s.limit > 0 && this.countUnderWay(nowNs) >= s.limit) return DROP.limit;
    const dueNs = this.dueTime(nowNs, bytes);
    if (s.duplicate > 0 && this.prng.nextFloat() < s.duplicate) {
      return { kind: 'duplicate', delayNs: dueNs - nowNs, copyDelayNs: this.dueTime(nowNs, bytes) - nowNs };
    }
    return dueNs === nowNs ? PASS : { kind: 'deliver_after', delayNs: dueNs - nowNs };
  }

  private breaks(nowNs: Nanos): boolean {
    const s = this.settings;
    if (s.resetAfterNs === 0 && s.resetAfterFrames === 0) return false;
    if (this.lastResetNs < 0) this.lastResetNs = nowNs;
    this.framesSinceReset += 1;
    const timeIsUp = s.resetAfterNs > 0 && nowNs - this.lastResetNs >= s.resetAfterNs;
    const framesAreUp = s.resetAfterFrames > 0 && this.framesSinceReset >= s.resetAfterFrames;
    if (!timeIsUp && !framesAreUp) return false;
    this.lastResetNs = nowNs;
    this.framesSinceReset = 0;
    return true;
  }

  private loses(): boolean {
    const s = this.settings;
    if (this.framesSinceChange <= s.dropFirst) return true;
    if (s.burst !== null && this.losesInBurst(s.burst)) return true;
    return s.loss > 0 && this.prng.nextFloat() < s.loss;
  }

  private losesInBurst(burst: BurstLoss): boolean {
    const turns = this.prng.nextFloat() < (this.bad ? burst.leave : burst.enter);
    if (turns) this.bad = !this.bad;
    return this.prng.nextFloat() < (this.bad ? burst.bad : burst.good);
  }

  private countUnderWay(nowNs: Nanos): number {
    while (this.underWay.minKey <= nowNs) this.underWay.pop();
    return this.underWay.size;
  }

  /** When the frame arrives: its turn on the line, then delay and jitter, and never before an earlier frame. */
  private dueTime(nowNs: Nanos, bytes: number): Nanos {
    const s = this.settings;
    let sentNs = nowNs;
    if (s.rateBytesPerSecond > 0) {
      sentNs = Math.max(nowNs, this.busyUntilNs) + (bytes * 1e9) / s.rateBytesPerSecond;
      this.busyUntilNs = sentNs;
    }
    let dueNs = Math.round(sentNs + this.delay());
    if (s.reorder > 0 && this.prng.nextFloat() < s.reorder) {
      dueNs = Math.max(dueNs, this.lastDueNs) + this.holdBack();
    } else {
      dueNs = Math.max(dueNs, this.lastDueNs, nowNs);
      this.lastDueNs = dueNs;
    }
    if (s.limit > 0 && dueNs > nowNs) this.underWay.push(dueNs, null);
    return dueNs;
  }

  private delay(): number {
    const s = this.settings;
    if (s.jitterNs === 0 || s.distribution === 'constant') return s.delayNs;
    return Math.max(0, s.delayNs + s.jitterNs * this.deviate());
  }

  /** A draw of the distribution with mean 0; uniform in ±1, the others with deviation 1. */
  private deviate(): number {
    const s = this.settings;
    if (s.distribution === 'normal') return this.nextNormal();
    const uniform = s.correlation === 0 ? this.prng.nextFloat() : normalCdf(this.nextNormal());
    if (s.distribution === 'uniform') return 2 * uniform - 1;
    return ((1 - uniform) ** (-1 / PARETO_SHAPE) - PARETO_MEAN) / PARETO_DEVIATION;
  }

  /** Standard normal draws, each correlated with the one before: a first-order autoregression. */
  private nextNormal(): number {
    const rho = this.settings.correlation;
    const fresh = this.prng.nextNormal();
    if (rho === 0) return fresh;
    this.carried = Number.isNaN(this.carried) ? fresh : rho * this.carried + Math.sqrt(1 - rho * rho) * fresh;
    return this.carried;
  }

  private holdBack(): number {
    const scale = Math.max(this.settings.delayNs, this.settings.jitterNs, REORDER_HOLD_NS);
    return Math.round(scale * (0.5 + this.prng.nextFloat()));
  }
}

/** The standard normal distribution function (Abramowitz and Stegun 26.2.17, error below 1e-7), kept inside (0, 1). */
function normalCdf(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const poly = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = Math.exp((-x * x) / 2) * 0.3989422804014327 * poly;
  return Math.min(Math.max(x >= 0 ? 1 - tail : tail, 1e-9), 1 - 1e-9);
}
