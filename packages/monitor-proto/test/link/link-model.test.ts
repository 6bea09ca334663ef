import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DROP, LinkModel, OPENING, PASS } from '../../src/link/link-model.ts';
import type { Verdict } from '../../src/link/link-model.ts';
import { CLEAR_LINK, checkLinkOverrides } from '../../src/link/link-settings.ts';
import type { LinkSettings } from '../../src/link/link-settings.ts';
import { createPrng } from '../../src/prng.ts';
import type { Prng } from '../../src/prng.ts';

const MS = 1_000_000;

function model(settings: Partial<LinkSettings>, seed: string | number = 1): LinkModel {
  return new LinkModel({ ...CLEAR_LINK, ...settings }, createPrng(seed));
}

/** Delays of n frames sent far apart, so that no frame waits for an earlier one. */
function delays(settings: Partial<LinkSettings>, n: number): number[] {
  const link = model(settings);
  return Array.from({ length: n }, (_, i) => delayOf(link.verdict(i * 10_000 * MS, 64)));
}

function delayOf(verdict: Verdict): number {
  if (verdict.kind === 'pass') return 0;
  if (verdict.kind === 'deliver_after' || verdict.kind === 'duplicate') return verdict.delayNs;
  throw new Error(`no delay in ${verdict.kind}`);
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

function deviation(values: readonly number[]): number {
  const m = mean(values);
  return Math.sqrt(mean(values.map((v) => (v - m) ** 2)));
}

function autocorrelation(values: readonly number[]): number {
  const m = mean(values);
  const products = values.slice(1).map((v, i) => (v - m) * (values[i]! - m));
  return mean(products) / deviation(values) ** 2;
}

function share(verdicts: readonly Verdict[], kind: Verdict['kind']): number {
  return verdicts.filter((verdict) => verdict.kind === kind).length / verdicts.length;
}

function run(settings: Partial<LinkSettings>, n: number, gapNs = MS): Verdict[] {
  const link = model(settings);
  return Array.from({ length: n }, (_, i) => link.verdict(i * gapNs, 64));
}

const forbidden: Prng = {
  nextUint32: () => {
    throw new Error('drawn');
  },
  nextFloat: () => {
    throw new Error('drawn');
  },
  nextInt: () => {
    throw new Error('drawn');
  },
  nextNormal: () => {
    throw new Error('drawn');
  },
  split: () => forbidden,
};

describe('clear links', () => {
  test('LM1: pass everything as the one PASS, without drawing', () => {
    const link = new LinkModel(CLEAR_LINK, forbidden);
    for (let i = 0; i < 1000; i++) expect(link.verdict(i, 64)).toBe(PASS);
  });

  test('a constant delay draws nothing either', () => {
    const link = new LinkModel({ ...CLEAR_LINK, delayNs: 5 * MS }, forbidden);
    expect(link.verdict(100, 64)).toEqual({ kind: 'deliver_after', delayNs: 5 * MS });
  });

  test('LM3: a link made clear delivers at once what was under way, and nothing overtakes it', () => {
    const link = model({ delayNs: 5 * MS });
    link.verdict(0, 64);
    const retime = link.update(CLEAR_LINK, 2 * MS);
    expect(retime!(5 * MS)).toBe(2 * MS);
    expect(link.verdict(2 * MS, 64)).toBe(PASS);
    expect(link.update(CLEAR_LINK, 2 * MS)).toBeNull();
  });
});

describe('distributions', () => {
  const base = { delayNs: 100 * MS, jitterNs: 10 * MS };

  test('uniform: delay ± jitter, mean at the delay', () => {
    const d = delays({ ...base, distribution: 'uniform' }, 20_000);
    expect(Math.min(...d)).toBeGreaterThanOrEqual(90 * MS);
    expect(Math.max(...d)).toBeLessThanOrEqual(110 * MS);
    expect(Math.abs(mean(d) - 100 * MS)).toBeLessThan(0.15 * MS);
    expect(Math.abs(deviation(d) - (10 * MS) / Math.sqrt(3))).toBeLessThan(0.1 * MS);
  });

  test('normal: the jitter is the standard deviation', () => {
    const d = delays({ ...base, distribution: 'normal' }, 20_000);
    expect(Math.abs(mean(d) - 100 * MS)).toBeLessThan(0.25 * MS);
    expect(Math.abs(deviation(d) - 10 * MS)).toBeLessThan(0.2 * MS);
    const within = d.filter((v) => Math.abs(v - 100 * MS) < 10 * MS).length / d.length;
    expect(Math.abs(within - 0.683)).toBeLessThan(0.015);
  });

  test('pareto: mean at the delay, a floor, and a heavy tail', () => {
    const d = delays({ ...base, distribution: 'pareto' }, 50_000);
    expect(Math.abs(mean(d) - 100 * MS)).toBeLessThan(0.4 * MS);
    expect(Math.min(...d)).toBeGreaterThan(94 * MS);
    const share6 = d.filter((v) => v > 160 * MS).length / d.length;
    expect(share6).toBeGreaterThan(0.0005); // a normal distribution would have none at six deviations
    const median = [...d].sort((a, b) => a - b)[25_000]!;
    expect(Math.abs(median - (100 + 10 * ((2 ** (1 / 3) - 1.5) / Math.sqrt(0.75))) * MS)).toBeLessThan(0.15 * MS);
  });

  test('constant: no jitter', () => {
    expect(new Set(delays({ ...base, distribution: 'constant' }, 100))).toEqual(new Set([100 * MS]));
  });

  test('a delay is never negative', () => {
    const d = delays({ delayNs: MS, jitterNs: 10 * MS, distribution: 'normal' }, 2000);
    expect(Math.min(...d)).toBe(0);
  });

  test.each(['uniform', 'normal', 'pareto'] as const)('correlation repeats part of a draw: %s', (distribution) => {
    const d = delays({ ...base, distribution, correlation: 0.8 }, 20_000);
    const plain = delays({ ...base, distribution }, 20_000);
    expect(autocorrelation(d)).toBeGreaterThan(0.6);
    expect(autocorrelation(d)).toBeLessThan(0.9);
    expect(Math.abs(autocorrelation(plain))).toBeLessThan(0.05);
    // It does not narrow the distribution.
    expect(Math.abs(deviation(d) / deviation(plain) - 1)).toBeLessThan(0.2);
  });
});

describe('order', () => {
  const settings = fc.record({
    delayNs: fc.integer({ min: 0, max: 20 * MS }),
    jitterNs: fc.integer({ min: 0, max: 20 * MS }),
    distribution: fc.constantFrom('uniform' as const, 'normal' as const, 'pareto' as const),
    duplicate: fc.constantFrom(0, 0.3),
    rateBytesPerSecond: fc.constantFrom(0, 100_000),
  });

  test('LM2, LM3: due times never fall across jitter, duplicates, rates and changes of settings; a change makes none later', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(settings, fc.array(fc.nat(5 * MS)))), fc.nat(), (phases, seed) => {
        const link = model({}, seed);
        let now = 0;
        let dues: number[] = [];
        for (const [phase, gaps] of phases) {
          const retime = link.update({ ...CLEAR_LINK, ...phase }, now);
          const moved = retime === null ? dues : dues.map(retime);
          moved.forEach((due, i) => {
            expect(due).toBeLessThanOrEqual(dues[i]!);
            expect(due).toBeGreaterThanOrEqual(Math.min(now, dues[i]!));
            if (phase.rateBytesPerSecond === 0)
              expect(due).toBeLessThanOrEqual(Math.max(now + phase.delayNs, Math.min(now, dues[i]!)));
          });
          dues = moved;
          for (const gap of gaps) {
            now += gap;
            const verdict = link.verdict(now, 64);
            dues.push(now + delayOf(verdict));
            if (verdict.kind === 'duplicate') dues.push(now + verdict.copyDelayNs);
          }
          expect(dues).toEqual([...dues].sort((a, b) => a - b));
        }
      }),
    );
  });

  test('reorder: the stated share is overtaken, on a link without delay too', () => {
    const link = model({ reorder: 0.1 });
    const dues = Array.from({ length: 10_000 }, (_, i) => i * 100_000 + delayOf(link.verdict(i * 100_000, 64)));
    const overtaken = dues.filter((due, i) => i + 1 < dues.length && dues[i + 1]! < due).length;
    expect(overtaken / dues.length).toBeGreaterThan(0.07);
    expect(overtaken / dues.length).toBeLessThan(0.12);
  });

  test('the same seed gives the same verdicts', () => {
    const noisy = { delayNs: MS, jitterNs: MS, loss: 0.1, duplicate: 0.1, reorder: 0.1 };
    expect(run(noisy, 500)).toEqual(run(noisy, 500));
  });
});

describe('loss', () => {
  test('independent: the stated share', () => {
    expect(Math.abs(share(run({ loss: 0.05 }, 50_000), 'drop') - 0.05)).toBeLessThan(0.005);
    expect(share(run({ loss: 1 }, 100), 'drop')).toBe(1);
  });

  test('bursts: the stated share and the stated mean length', () => {
    const verdicts = run({ burst: { enter: 0.01, leave: 0.25, good: 0, bad: 1 } }, 100_000);
    const lost = verdicts.map((verdict) => verdict.kind === 'drop');
    const bursts = lost.filter((now, i) => now && !lost[i - 1]).length;
    expect(Math.abs(share(verdicts, 'drop') - 0.01 / 0.26)).toBeLessThan(0.005);
    expect(Math.abs(lost.filter(Boolean).length / bursts - 4)).toBeLessThan(0.4);
  });

  test('the first two frames after a change, then none', () => {
    const link = model({});
    link.verdict(0, 64);
    link.update({ ...CLEAR_LINK, dropFirst: 2 }, 0);
    expect([1, 2, 3, 4].map((at) => link.verdict(at, 64).kind)).toEqual(['drop', 'drop', 'pass', 'pass']);
  });

  test('duplicates: the stated share, the copy not before the frame', () => {
    expect(Math.abs(share(run({ duplicate: 0.2, delayNs: 10 }, 20_000), 'duplicate') - 0.2)).toBeLessThan(0.015);
  });
});

describe('rate, limit and reset', () => {
  test('rate: frames queue behind one another', () => {
    const link = model({ rateBytesPerSecond: 1_000_000 });
    expect([0, 0, 0].map((at) => delayOf(link.verdict(at, 1000)))).toEqual([MS, 2 * MS, 3 * MS]);
    expect(delayOf(link.verdict(10 * MS, 1000))).toBe(MS);
  });

  test('limit: one frame too many is dropped, and there is room again when one arrived', () => {
    const link = model({ delayNs: 10 * MS, limit: 3 });
    expect([0, 1, 2, 3].map((at) => link.verdict(at, 64).kind === 'drop')).toEqual([false, false, false, true]);
    expect(link.verdict(10 * MS, 64).kind).toBe('deliver_after');
    expect(link.verdict(10 * MS, 64)).toEqual({ kind: 'drop', reason: 'limit' });
  });

  /**
   * The kinds of verdicts on frames sent every millisecond over links that each open this long after the last reset.
   */
  function lives(settings: Partial<LinkSettings>, frames: number, openingMs: number): string[] {
    const link = model(settings);
    let openedAt = 0;
    return Array.from({ length: frames }, (_, ms) => {
      const { kind } = link.verdict(ms * MS, 64, ms * MS < openedAt ? OPENING : openedAt);
      if (kind === 'reset') openedAt = (ms + openingMs) * MS;
      return kind;
    });
  }

  test('LM4: reset after so many frames of a link, those of its opening not counted', () => {
    expect(lives({ resetAfterFrames: 3 }, 12, 3)).toEqual([
      ...['pass', 'pass', 'reset'],
      ...['pass', 'pass', 'pass', 'pass', 'reset'],
      ...['pass', 'pass', 'pass', 'pass'],
    ]);
  });

  test('LM4: reset at so great an age of the link, however long its opening took', () => {
    const kinds = lives({ resetAfterNs: 50 * MS }, 1000, 200);
    const resets = kinds.flatMap((kind, ms) => (kind === 'reset' ? [ms] : []));
    expect(resets).toEqual([50, 300, 550, 800]);
  });

  test('a link that is to break carries nothing more, and breaks once', () => {
    const link = model({ delayNs: 5 * MS, resetAfterFrames: 2 });
    const verdicts = [0, 1, 2, 3].map((ms) => link.verdict(ms * MS, 64, 0));
    expect(verdicts).toEqual([
      { kind: 'deliver_after', delayNs: 5 * MS },
      { kind: 'reset', delayNs: 5 * MS },
      DROP.reset,
      DROP.reset,
    ]);
    expect(link.verdict(4 * MS, 64, 4 * MS).kind).toBe('deliver_after');
  });

  test('openings are reset by a setting of their own, open links not by it', () => {
    const link = model({ resetOpening: 0.5 });
    const opening = Array.from({ length: 1000 }, (_, at) => link.verdict(at, 64));
    expect(Math.abs(share(opening, 'reset') - 0.5)).toBeLessThan(0.06);
    expect(share(opening, 'drop')).toBe(0);
    expect(link.verdict(2000, 64, 1000)).toBe(PASS);
  });
});

describe('checkLinkOverrides', () => {
  test.each([
    [{ delay: 5 }, /unknown setting delay/],
    [{ delay_ns: -1 }, /delay_ns must be a number, 0 or more/],
    [{ delay_ns: Number.NaN }, /delay_ns/],
    [{ loss: 1.5 }, /loss must be a ratio/],
    [{ correlation: 1 }, /correlation/],
    [{ distribution: 'cauchy' }, /distribution must be one of/],
    [{ distribution: 'constant', jitter_ns: 5 }, /constant has no jitter/],
    [{ burst: { enter: 2, leave: 0, good: 0, bad: 0 } }, /burst enter/],
    [{ limit: 0.5 }, /limit must be a whole number/],
    [[], /must be an object/],
    [{}, /set at least one of/],
    [{ reset_opening: 2 }, /reset_opening must be a ratio/],
  ])('refuses %j', (value, error) => {
    expect(checkLinkOverrides(value)).toMatch(error);
  });

  test('takes every setting', () => {
    const all = { delay_ns: 1, jitter_ns: 1, distribution: 'normal', burst: null, reset_after_frames: 3 };
    expect(checkLinkOverrides(all)).toBeNull();
  });
});
