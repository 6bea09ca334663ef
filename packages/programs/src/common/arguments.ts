import { borderLimit } from '@mk/libmk/dispatcher/limits';
import { jsonLines } from './json-lines.ts';
import { known } from './known.ts';
import { isByFault } from './losses.ts';
import type { Mk } from '@mk/libmk/program/mk';
import { EXIT_STATUS } from '@mk/libmk/program/exit-status';
import { type Program, program, type ProgramSpec } from '@mk/libmk/program/program';

/** A mistake in a program's arguments, in one line. */
export class ArgumentError extends Error {}

/**
 * A program with options: a mistake in them, and a fault that takes what it needs, ends it with one line and a status
 * that tells it, without a stack.
 */
export function tool(spec: ProgramSpec, main: (mk: Mk) => Promise<number | void>): Program {
  return program(spec, async (mk) => {
    try {
      return await main(mk);
    } catch (error) {
      if (!(error instanceof ArgumentError) && !isByFault(error)) throw error;
      const isUsage = error instanceof ArgumentError;
      mk.console.error(`${spec.name}: ${isUsage ? '' : 'lost: '}${error.message}`);
      return isUsage ? EXIT_STATUS.usage : EXIT_STATUS.lost;
    }
  });
}

/** Throws if an option is given that is not among these, such as a misspelt one. */
export function onlyOptions(mk: Mk, names: readonly string[]): void {
  const other = mk.args.find((word) => word.startsWith('--') && !names.includes(known(word.slice(2).split('=')[0])));
  if (other !== undefined)
    throw new ArgumentError(`there is no option ${other}; there are ${names.map((name) => `--${name}`).join(', ')}`);
}

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
  throw new ArgumentError(`--${name} takes a whole number from ${least} to ${most}, not ${JSON.stringify(text)}`);
}

/** One of the choices, given as `--name choice` or `--name=choice`; the first by default. */
export function oneOf<T extends string>(mk: Mk, name: string, choices: readonly [T, ...T[]]): T {
  const text = textOf(mk, name);
  if (text === null) return choices[0];
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  throw new ArgumentError(`--${name} is one of ${choices.join(', ')}, not ${JSON.stringify(text)}`);
}

/** An option's value, empty if it has none; null: the option is absent. */
function textOf(mk: Mk, name: string): string | null {
  const at = mk.args.findIndex((word) => word === `--${name}` || word.startsWith(`--${name}=`));
  if (at < 0) return null;
  const word = known(mk.args[at]);
  return word.includes('=') ? word.slice(name.length + 3) : (mk.args[at + 1] ?? '');
}

export function given(mk: Mk, name: string): boolean {
  return mk.args.includes(`--${name}`);
}

/** Prints a run's result: lines for people, or one JSON document for `--json`, which is never cut. */
export function tell(mk: Mk, lines: readonly string[], value: unknown): void {
  const told = given(mk, 'json') ? jsonLines(JSON.stringify(value), borderLimit('lineCharacters')) : lines;
  for (const line of told) mk.console.log(line);
}
