import { isKeyOf } from '../tables.ts';
import { isOneOf, isRecord, isWhole } from '../guards.ts';
import type { Nanos } from '../ids.ts';

/** The shape of jitter; `jitterNs` is the half-width of `uniform` and the standard deviation of the others. */
type Distribution = 'constant' | 'uniform' | 'normal' | 'pareto';

const DISTRIBUTIONS: readonly Distribution[] = ['constant', 'uniform', 'normal', 'pareto'];

/** Gilbert–Elliott loss: a link that alternates between good and bad. All are probabilities per frame. */
export interface BurstLoss {
  /** Chance that good turns bad. */
  readonly enter: number;
  /** Chance that bad turns good; the mean burst is 1 / leave frames. */
  readonly leave: number;
  /** Loss while good. */
  readonly good: number;
  /** Loss while bad. */
  readonly bad: number;
}

/** The shape of one direction of a link, in netem's vocabulary. Ratios are 0 … 1; 0 always means off. */
export interface LinkSettings {
  readonly delayNs: Nanos;
  readonly jitterNs: Nanos;
  readonly distribution: Distribution;
  /** How much of a frame's jitter the next one repeats. */
  readonly correlation: number;
  /** Independent loss, per frame. */
  readonly loss: number;
  readonly burst: BurstLoss | null;
  /** So many frames are lost once the settings take effect; then frames pass. */
  readonly dropFirst: number;
  readonly duplicate: number;
  readonly reorder: number;
  readonly rateBytesPerSecond: number;
  /** Frames that may be under way at once; further ones are dropped. */
  readonly limit: number;
  /** The first frame at this age or later resets the link; its age counts from the end of its handshake. */
  readonly resetAfterNs: Nanos;
  /** The number of the frame after the handshake that resets the link. */
  readonly resetAfterFrames: number;
  /** Chance, per frame of the handshake, that the link is reset; the other two resets spare handshakes. */
  readonly resetOpening: number;
}

/** Settings under which every frame passes. */
export const CLEAR_LINK: LinkSettings = {
  delayNs: 0,
  jitterNs: 0,
  distribution: 'uniform',
  correlation: 0,
  loss: 0,
  burst: null,
  dropFirst: 0,
  duplicate: 0,
  reorder: 0,
  rateBytesPerSecond: 0,
  limit: 0,
  resetAfterNs: 0,
  resetAfterFrames: 0,
  resetOpening: 0,
};

/** Whether frames pass untouched: no timer, no copy, no random draw. A `limit` alone limits nothing. */
export function isClear(settings: LinkSettings): boolean {
  return (
    settings.delayNs === 0 &&
    settings.jitterNs === 0 &&
    settings.loss === 0 &&
    settings.burst === null &&
    settings.dropFirst === 0 &&
    settings.duplicate === 0 &&
    settings.reorder === 0 &&
    settings.rateBytesPerSecond === 0 &&
    settings.resetAfterNs === 0 &&
    settings.resetAfterFrames === 0 &&
    settings.resetOpening === 0
  );
}

/** Settings of a link as JSON: snake_case, and only those that a rule changes. */
export interface LinkOverrides {
  readonly delay_ns?: number;
  readonly jitter_ns?: number;
  readonly distribution?: Distribution;
  readonly correlation?: number;
  readonly loss?: number;
  readonly burst?: BurstLoss | null;
  readonly drop_first?: number;
  readonly duplicate?: number;
  readonly reorder?: number;
  readonly rate_bytes_per_second?: number;
  readonly limit?: number;
  readonly reset_after_ns?: number;
  readonly reset_after_frames?: number;
  readonly reset_opening?: number;
}

interface LinkField {
  readonly field: keyof LinkSettings;
  readonly check: (value: unknown) => string | null;
}

/** For every override, its field of `LinkSettings` and its check. */
const LINK_FIELDS: { readonly [K in keyof Required<LinkOverrides>]: LinkField } = {
  delay_ns: { field: 'delayNs', check: checkAmount },
  jitter_ns: { field: 'jitterNs', check: checkAmount },
  distribution: { field: 'distribution', check: checkDistribution },
  correlation: { field: 'correlation', check: checkCorrelation },
  loss: { field: 'loss', check: checkRatio },
  burst: { field: 'burst', check: checkBurst },
  drop_first: { field: 'dropFirst', check: checkCount },
  duplicate: { field: 'duplicate', check: checkRatio },
  reorder: { field: 'reorder', check: checkRatio },
  rate_bytes_per_second: { field: 'rateBytesPerSecond', check: checkAmount },
  limit: { field: 'limit', check: checkCount },
  reset_after_ns: { field: 'resetAfterNs', check: checkAmount },
  reset_after_frames: { field: 'resetAfterFrames', check: checkCount },
  reset_opening: { field: 'resetOpening', check: checkRatio },
};

/** A copy of `base` with the overrides applied. */
export function applyOverrides(base: LinkSettings, overrides: LinkOverrides): LinkSettings {
  const result: Record<string, unknown> = { ...base };
  for (const [name, value] of Object.entries(overrides)) {
    const row = LINK_FIELDS[name as keyof LinkOverrides];
    if (row !== undefined && value !== undefined) result[row.field] = value;
  }
  return result as unknown as LinkSettings;
}

/** What is wrong with a set of overrides, in one line; null: nothing. */
export function checkLinkOverrides(value: unknown): string | null {
  if (!isRecord(value)) return 'settings must be an object';
  for (const [name, entry] of Object.entries(value)) {
    if (!isKeyOf(LINK_FIELDS, name)) {
      return `unknown setting ${name}; known: ${Object.keys(LINK_FIELDS).join(', ')}`;
    }
    const error = LINK_FIELDS[name].check(entry);
    if (error !== null) return `${name} ${error}`;
  }
  if (Object.keys(value).length === 0) return `set at least one of ${Object.keys(LINK_FIELDS).join(', ')}`;
  if (value['distribution'] === 'constant' && Number(value['jitter_ns'] ?? 0) > 0) {
    return 'distribution constant has no jitter; use uniform, normal or pareto';
  }
  return null;
}

function checkAmount(value: unknown): string | null {
  const sound = typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
  return sound ? null : 'must be a number, 0 or more';
}

function checkCount(value: unknown): string | null {
  return isWhole(value) ? null : 'must be a whole number, 0 or more';
}

function checkRatio(value: unknown): string | null {
  return typeof value === 'number' && value >= 0 && value <= 1 ? null : 'must be a ratio from 0 to 1';
}

function checkCorrelation(value: unknown): string | null {
  return typeof value === 'number' && value >= 0 && value < 1 ? null : 'must be a ratio from 0 to below 1';
}

function checkDistribution(value: unknown): string | null {
  return isOneOf(DISTRIBUTIONS, value) ? null : `must be one of ${DISTRIBUTIONS.join(', ')}`;
}

function checkBurst(value: unknown): string | null {
  if (value === null) return null;
  if (!isRecord(value)) return 'must be null or { enter, leave, good, bad }';
  for (const name of ['enter', 'leave', 'good', 'bad']) {
    const error = checkRatio(value[name]);
    if (error !== null) return `${name} ${error}`;
  }
  return Object.keys(value).length === 4 ? null : 'has only enter, leave, good and bad';
}
