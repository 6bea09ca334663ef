import { known } from '@mk/monitor-proto/assert';

/** Facts: ground Prolog terms as plain data, and their text. */

/** A ground term. Strings are atoms; a Prolog string is `{ string }`. */
export type FactTerm =
  | number
  | bigint
  | string
  | readonly FactTerm[]
  | { readonly string: string }
  | { readonly functor: string; readonly args: readonly FactTerm[] };

/** A fact `name(args...)`. */
export interface Fact {
  readonly name: string;
  readonly args: readonly FactTerm[];
}

/** Matches any argument of a fact. */
export const ANY = { any: true } as const;

/** Facts of that name and number of arguments whose arguments are equal, or ANY. */
export interface FactPattern {
  readonly name: string;
  readonly args: readonly (FactTerm | typeof ANY)[];
}

/** Builds a fact. */
export function fact(name: string, ...args: readonly FactTerm[]): Fact {
  return { name, args };
}

/**
 * A fact as Prolog reads it, without the full stop; equal facts have equal texts. Throws on a float that is not finite.
 */
export function factText({ name, args }: Fact): string {
  return args.length === 0 ? atomText(name) : `${atomText(name)}(${args.map(termText).join(',')})`;
}

/** An atom as Prolog reads it, quoted unless it is a plain lower-case name. */
function atomText(atom: string): string {
  if (/^[a-z][a-zA-Z0-9_]*$/.test(atom)) return atom;
  return `'${escaped(atom).replaceAll("'", "\\'")}'`;
}

/** Whether the pattern names this fact. */
export function matchesPattern(pattern: FactPattern, candidate: Fact): boolean {
  if (pattern.name !== candidate.name || pattern.args.length !== candidate.args.length) return false;
  return pattern.args.every((arg, index) => isAny(arg) || termText(arg) === termText(known(candidate.args[index])));
}

function isAny(arg: FactTerm | typeof ANY): arg is typeof ANY {
  return typeof arg === 'object' && 'any' in arg;
}

function termText(term: FactTerm): string {
  if (typeof term === 'number') return numberText(term);
  if (typeof term === 'bigint') return term.toString();
  if (typeof term === 'string') return atomText(term);
  if (isList(term)) return `[${term.map(termText).join(',')}]`;
  if ('string' in term) return `"${escaped(term.string).replaceAll('"', '\\"')}"`;
  return factText({ name: term.functor, args: term.args });
}

function isList(term: FactTerm): term is readonly FactTerm[] {
  return Array.isArray(term);
}

function numberText(value: number): string {
  if (Number.isSafeInteger(value)) return value.toString();
  if (!Number.isFinite(value)) throw new RangeError(`a fact cannot hold ${value}`);
  if (Number.isInteger(value)) return BigInt(value).toString();
  const text = value.toString();
  return text.includes('e') && !text.includes('.') ? text.replace('e', '.0e') : text;
}

/** Backslashes and control characters as codes, so that the text stays on one line. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16)}\\`;
  });
}
