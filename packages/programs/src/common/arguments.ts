import { known } from './known.ts';
import type { Mk } from '@mk/libmk/program/mk';

/** Cores that this run may use, according to its starter (`mk.env.CORES`); by default this one alone. */
export function coresOf(mk: Mk): readonly number[] {
  const list = mk.env['CORES'] ?? '';
  return list === '' ? [mk.self.core] : list.split(',').map(Number);
}

/** A whole number given as `--name 10` or `--name=10`. */
export function whole(mk: Mk, name: string, usual: number, least: number, most: number): number {
  const text = textOf(mk, name);
  if (text === null) return usual;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw mk.error('BAD_REQUEST', `--${name} takes a whole number from ${least} to ${most}, not ${JSON.stringify(text)}`);
}

/** One of the choices, given as `--name choice` or `--name=choice`; the first by default. */
export function oneOf<T extends string>(mk: Mk, name: string, choices: readonly [T, ...T[]]): T {
  const text = textOf(mk, name);
  if (text === null) return choices[0];
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  throw mk.error('BAD_REQUEST', `--${name} is one of ${choices.join(', ')}, not ${JSON.stringify(text)}`);
}

/** An option's value, '' when it has none; null: the option is absent. */
function textOf(mk: Mk, name: string): string | null {
  const at = mk.args.findIndex((word) => word === `--${name}` || word.startsWith(`--${name}=`));
  if (at < 0) return null;
  const word = known(mk.args[at]);
  return word.includes('=') ? word.slice(name.length + 3) : (mk.args[at + 1] ?? '');
}

export function given(mk: Mk, name: string): boolean {
  return mk.args.includes(`--${name}`);
}

/** Prints a run's result: lines for people, or one JSON document for `--json`. */
export function tell(mk: Mk, lines: readonly string[], value: unknown): void {
  if (given(mk, 'json')) mk.console.log(JSON.stringify(value));
  else for (const line of lines) mk.console.log(line);
}
