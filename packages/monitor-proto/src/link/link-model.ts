import type { Nanos } from '../ids.ts';
import { Heap } from '../heap.ts';
import type { Prng } from '../prng.ts';
import { isClear } from './link-settings.ts';
import type { BurstLoss, LinkSettings } from './link-settings.ts';

export type DropReason = 'partition' | 'loss' | 'limit' | 'reset';

/** The fate of one frame. Delays count from its sending. */
export type Verdict =
  | { readonly kind: 'pass' }
  | { readonly kind: 'deliver_after'; readonly delayNs: Nanos }
  | { readonly kind: 'drop'; readonly reason: DropReason }
  | { readonly kind: 'duplicate'; readonly delayNs: Nanos; readonly copyDelayNs: Nanos }
  /** Loses the frame and breaks the link, after delivering earlier frames. */
  | { readonly kind: 'reset'; readonly delayNs: Nanos };

/**
 * Maps the due times of frames under way to new ones after a change of settings: never later, and in the same order.
 */
export type Retiming = (dueNs: Nanos) => Nanos;

/** Stands for the end of a link's handshake while it is under way. */
export const OPENING: Nanos = Infinity;

export const PASS: Verdict = { kind: 'pass' };
export const DROP: { readonly [R in DropReason]: Verdict } = {
  partition: { kind: 'drop', reason: 'partition' },
  loss: { kind: 'drop', reason: 'loss' },
  limit: { kind: 'drop', reason: 'limit' },
  reset: { kind: 'drop', reason: 'reset' },
};

/** A reordered frame is held back at least about this long, so that reordering shows on a link without delay. */
const REORDER_HOLD_NS = 1_000_000;
/** Shape of the Pareto distribution, as in netem's tables; mean and deviation exist. */
const PARETO_SHAPE = 3;
const PARETO_MEAN = PARETO_SHAPE / (PARETO_SHAPE - 1);
const PARETO_DEVIATION = Math.sqrt(PARETO_SHAPE / (PARETO_SHAPE - 2)) / (PARETO_SHAPE - 1);

/**
 * One direction of one link: decides each frame's fate when it is sent.
 *
 * Guarantees:
 * - LM1 With clear settings and nothing under way the verdict is `PASS` itself and no random number is drawn.
 * - LM2 Due times never fall from one frame to the next, even across a change of settings, except for reordered frames.
 * - LM3 New settings delay no frame under way, keep the order, and let none wait longer than a frame sent at the change
 *   would, behind the line's queue at its new rate.
 * - LM4 `reset_after` spares a link until its handshake has ended, by age lets at least one frame through, and delivers
 *   every frame sent before the reset.
 * The same settings, stream and calls give the same verdicts. Source: netem(8); the correlation keeps the distribution
 * as it is (a normal copula), where netem's narrows it.
 */
export class LinkModel {
  private settings: LinkSettings;
  private clear: boolean;
  private readonly prng: Prng;
  private lastDueNs = 0;
  private busyUntilNs = 0;
  /** When the last frame under way is due, reordered ones included. */
  private latestDueNs = 0;
  /** The link whose frames are counted, identified by the end of its handshake. */
  private countedLink: Nanos = OPENING;
  private framesOnLink = 0;
  private broken = false;
  private framesSinceChange = 0;
  private bad = false;
  private carried = Number.NaN;
  private underWay = new Heap<null>();

  constructor(settings: LinkSettings, prng: Prng) {
    this.settings = settings;
    this.clear = isClear(settings);
    this.prng = prng;
  }

  /**
   * Applies new settings from the next frame on. Returns a function for the due times of frames under way, whose holder
   * must apply it at once; null: they stay.
   */
  update(settings: LinkSettings, nowNs: Nanos): Retiming | null {
    const retime = this.retiming(settings, nowNs);
    this.settings = settings;
    this.clear = isClear(settings);
    this.framesSinceChange = 0;
    this.framesOnLink = 0;
    this.broken = false;
    this.bad = false;
    this.carried = Number.NaN;
    return retime;
  }

  private retiming(settings: LinkSettings, nowNs: Nanos): Retiming | null {
    const old = this.settings;
    // The share of its remaining time that the line's queue still takes: none without a rate, at most all of it.
    const share =
      old.rateBytesPerSecond > 0 && settings.rateBytesPerSecond > 0
        ? Math.min(1, old.rateBytesPerSecond / settings.rateBytesPerSecond)
        : 0;
    if (this.busyUntilNs > nowNs) this.busyUntilNs = nowNs + share * (this.busyUntilNs - nowNs);
    const retime: Retiming = (dueNs) => {
      const queuedNs = share * Math.max(0, dueNs - old.delayNs - nowNs);
      return Math.min(dueNs, Math.round(nowNs + settings.delayNs + queuedNs));
    };
    // Earlier frames move less than the latest: if that one stays, all do.
    if (this.latestDueNs <= nowNs || retime(this.latestDueNs) === this.latestDueNs) return null;
    this.latestDueNs = retime(this.latestDueNs);
    this.lastDueNs = retime(this.lastDueNs);
    const underWay = new Heap<null>();
    for (let dueNs = this.underWay.minKey; this.underWay.pop() !== undefined; dueNs = this.underWay.minKey)
      underWay.push(retime(dueNs), null);
    this.underWay = underWay;
    return retime;
  }

  /** Whether a frame sent now passes at once, whatever the random numbers. */
  passes(nowNs: Nanos): boolean {
    return this.clear && nowNs >= this.lastDueNs;
  }

  /** Whether a frame may still be on its way. */
  isUnderWay(nowNs: Nanos): boolean {
    return this.latestDueNs > nowNs;
  }

  /** The verdict on a frame; `openedAtNs`: when the handshake of its link ended. */
  verdict(nowNs: Nanos, bytes: number, openedAtNs: Nanos = OPENING): Verdict {
    if (this.passes(nowNs)) return PASS;
    return this.shape(nowNs, bytes, openedAtNs);
  }

  private shape(nowNs: Nanos, bytes: number, openedAtNs: Nanos): Verdict {
    const s = this.settings;
    this.framesSinceChange += 1;
    if (openedAtNs !== this.countedLink) this.countOn(openedAtNs);
    if (this.broken) return DROP.reset;
    if (this.breaks(nowNs, openedAtNs)) return { kind: 'reset', delayNs: this.dueTime(nowNs, bytes) - nowNs };
    if (this.loses()) return DROP.loss;
    if (s.limit > 0 && this.countUnderWay(nowNs) >= s.limit) return DROP.limit;
    const dueNs = this.dueTime(nowNs, bytes);
    if (s.duplicate > 0 && this.prng.nextFloat() < s.duplicate) {
      return { kind: 'duplicate', delayNs: dueNs - nowNs, copyDelayNs: this.dueTime(nowNs, bytes) - nowNs };
    }
    return dueNs === nowNs ? PASS : { kind: 'deliver_after', delayNs: dueNs - nowNs };
  }

  private countOn(openedAtNs: Nanos): void {
    this.countedLink = openedAtNs;
    this.framesOnLink = 0;
    this.broken = false;
  }

  private breaks(nowNs: Nanos, openedAtNs: Nanos): boolean {
    const s = this.settings;
    if (openedAtNs === OPENING) return s.resetOpening > 0 && this.prng.nextFloat() < s.resetOpening;
    this.framesOnLink += 1;
    // Not the first: a sender slower than that would never get a frame across.
    const timeIsUp = s.resetAfterNs > 0 && this.framesOnLink > 1 && nowNs - openedAtNs >= s.resetAfterNs;
    const framesAreUp = s.resetAfterFrames > 0 && this.framesOnLink >= s.resetAfterFrames;
    this.broken = timeIsUp || framesAreUp;
    return this.broken;
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
    if (dueNs > this.latestDueNs) this.latestDueNs = dueNs;
    if (s.limit > 0 && dueNs > nowNs) this.underWay.push(dueNs, null);
    return dueNs;
  }

  private delay(): number {
    const s = this.settings;
    if (s.jitterNs === 0 || s.distribution === 'constant') return s.delayNs;
    return Math.max(0, s.delayNs + s.jitterNs * this.deviate());
  }

  /** A draw with mean 0: uniform in ±1; the others have deviation 1. */
  private deviate(): number {
    const s = this.settings;
    if (s.distribution === 'normal') return this.nextNormal();
    const uniform = s.correlation === 0 ? this.prng.nextFloat() : normalCdf(this.nextNormal());
    if (s.distribution === 'uniform') return 2 * uniform - 1;
    return ((1 - uniform) ** (-1 / PARETO_SHAPE) - PARETO_MEAN) / PARETO_DEVIATION;
  }

  /** A standard normal draw, correlated with the previous one: a first-order autoregression. */
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
