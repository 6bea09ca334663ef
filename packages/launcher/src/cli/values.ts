import { parseCores, parseDuration, parsePeers } from '@mk/machine/duration';
import { isOneOf } from '@mk/monitor-proto/guards';
import type { PeerId } from '@mk/monitor-proto/ids';
import type { Result } from '@mk/monitor-proto/result';
import { UsageError } from './usage-error.ts';

/** The value of an option, or a UsageError that names it. */
export function valueOf<T>(option: string, result: Result<T, string>): T {
  if (result.ok) return result.value;
  throw new UsageError(`${option}: ${result.error}`);
}

export function duration(option: string, text: string): number {
  return valueOf(option, parseDuration(text));
}

/** A duration above 0, in milliseconds. */
export function durationMs(option: string, text: string): number {
  const ns = duration(option, text);
  if (ns <= 0) throw new UsageError(`${option} must be longer than 0, like 5s`);
  return ns / 1e6;
}

/** `0,3-7`; ascending. */
export function coreList(option: string, text: string): number[] {
  return [...valueOf(option, parseCores(text))].sort((a, b) => a - b);
}

/** `0,3-7` with `skb` among them; ascending. */
export function peerList(option: string, text: string): PeerId[] {
  return [...valueOf(option, parsePeers(text))].sort((a, b) => a - b);
}

export function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = /^\d{1,15}$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`${option} must be a whole number from ${min} to ${max}, not ${JSON.stringify(text)}`);
}

/** One of these words. */
export function oneOf<const T extends string>(option: string, text: string, choices: readonly T[]): T {
  if (isOneOf(choices, text)) return text;
  throw new UsageError(`${option} must be one of ${choices.join(', ')}, not ${JSON.stringify(text)}`);
}

/** One core by its number. */
export function coreNumber(option: string, text: string): number {
  return wholeNumber(option, text, 0, 65_000);
}
