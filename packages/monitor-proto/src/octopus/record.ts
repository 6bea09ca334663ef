/**
 * Records and queries as text: `name { attr: value, attr: > 5, name: r'regex' }`.
 * Source: Barrelfish's Octopus query language (`lib/octopus/parse`). Values are identifiers, 'strings', integers,
 * floats; an identifier and a string of the same characters are equal. Names may be quoted as well. Pure.
 */
import { RECORD_LIMITS } from './limits.ts';
import type { Meter } from './meter.ts';
import { quotedName, recipeOf, sequenceOf } from './names.ts';
import { Pattern, PatternError } from './pattern.ts';

type Value = number | string;
type Comparison = '>' | '>=' | '<' | '<=' | '==' | '!=';

/** A condition on an attribute. `any` (`_`) only demands that it exists. */
export type Constraint =
  | { readonly attribute: string; readonly kind: Comparison; readonly value: Value }
  | { readonly attribute: string; readonly kind: 'matches'; readonly pattern: Pattern }
  | { readonly attribute: string; readonly kind: 'any' };

/** A selection of records by name. */
export type NameQuery =
  | { readonly kind: 'is'; readonly name: string }
  | { readonly kind: 'matches'; readonly pattern: Pattern }
  /** The sequential records of a name; only a request can ask for them, never a text. */
  | { readonly kind: 'sequence'; readonly base: string }
  | { readonly kind: 'any' };

export type Attributes = ReadonlyMap<string, Value>;

/** Plain attributes (equality in queries, new values in `set`), separate from constraints. */
export interface ParsedRecord {
  readonly name: NameQuery;
  readonly attributes: Attributes;
  readonly constraints: readonly Constraint[];
}

/** The text is not a record; says why, and at which character, counted from 1. */
export class RecordSyntaxError extends Error {}

/** Tried in this order: pattern, string, number, identifier, symbol. */
const TOKEN_KINDS = [
  /r'(?:[^'\\]|\\[^])*'/,
  /'(?:[^'\\]|\\[^])*'/,
  /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/,
  /[A-Za-z][\w.]*/,
  />=|<=|==|!=|[{}:,<>_]/,
] as const;
const TOKEN = new RegExp(`\\s*(?:${TOKEN_KINDS.map((kind) => `(${kind.source})`).join('|')})`, 'y');
const COMPARISONS: readonly string[] = ['>', '>=', '<', '<=', '==', '!='];
const PLAIN_NAME = /^[A-Za-z][\w.]*$/;

type Token =
  | { readonly kind: 'pattern' | 'string' | 'identifier' | 'symbol'; readonly text: string; readonly at: number }
  | { readonly kind: 'number'; readonly value: number; readonly at: number }
  | { readonly kind: 'end'; readonly at: number };

/** Parses a record or a query; throws a `RecordSyntaxError`. */
export function parseRecord(text: string): ParsedRecord {
  if (text.length > RECORD_LIMITS.maxTextChars) {
    throw new RecordSyntaxError(`a record may have ${RECORD_LIMITS.maxTextChars} characters`);
  }
  return new RecordParser(text, RECORD_LIMITS).parse();
}

/** Parses a record accepted earlier, whatever the bounds were then; throws a `RecordSyntaxError`. */
export function parseKeptRecord(text: string): ParsedRecord {
  return new RecordParser(text, UNBOUNDED).parse();
}

/** A record as text that parses to the same record; attributes in the order they were set. */
export function recordText(name: string, attributes: Attributes): string {
  const parts = [...attributes].map(([attribute, value]) => `${nameText(attribute)}: ${valueText(value)}`);
  return parts.length === 0 ? `${nameText(name)} {}` : `${nameText(name)} { ${parts.join(', ')} }`;
}

/** A name as it stands in a record: quoted unless it is a plain identifier. */
function nameText(name: string): string {
  return PLAIN_NAME.test(name) ? name : quotedName(name);
}

/** Whether a record matches the query, whose plain attributes mean equality. Work on patterns goes to the meter. */
export function matchesQuery(query: ParsedRecord, name: string, attributes: Attributes, meter?: Meter): boolean {
  if (!matchesName(query.name, name, meter)) return false;
  for (const [attribute, value] of query.attributes) if (attributes.get(attribute) !== value) return false;
  return meetsConstraints(query.constraints, attributes, meter);
}

/** Like `matchesQuery`, but yields whenever the meter is full: a match may take more than a turn. */
export function* matchesSlowly(
  query: ParsedRecord,
  name: string,
  attributes: Attributes,
  meter: Meter,
): Generator<void, boolean> {
  const patterns = query.constraints.filter((each) => each.kind === 'matches');
  const others = query.constraints.filter((each) => each.kind !== 'matches');
  if (!matchesQuery({ ...query, constraints: others }, name, attributes, meter)) return false;
  for (const { attribute, pattern } of patterns) {
    const held = attributes.get(attribute);
    if (held === undefined || !(yield* pattern.slowly(String(held), meter))) return false;
  }
  return true;
}

/** The most steps that testing a record may take. */
export function costOf({ constraints }: ParsedRecord, attributes: Attributes): number {
  let steps = 0;
  for (const each of constraints)
    if (each.kind === 'matches') steps += each.pattern.size * (String(attributes.get(each.attribute) ?? '').length + 1);
  return steps;
}

/** Records of a recipe match only its sequences, their own names, and patterns with their prefix: `^lock:`. */
function matchesName(query: NameQuery, name: string, meter?: Meter): boolean {
  if (query.kind === 'is') return query.name === name;
  if (query.kind === 'sequence') return sequenceOf(name)?.base === query.base;
  const theirs = query.kind === 'matches' ? recipeOf(query.pattern.prefix) : undefined;
  return recipeOf(name) === theirs && (query.kind === 'any' || query.pattern.test(name, meter));
}

/** Whether attributes meet the constraints; order comparisons between a number and a text fail. */
export function meetsConstraints(constraints: readonly Constraint[], attributes: Attributes, meter?: Meter): boolean {
  return constraints.every((constraint) => {
    const held = attributes.get(constraint.attribute);
    if (held === undefined) return false;
    if (constraint.kind === 'any') return true;
    if (constraint.kind === 'matches') return constraint.pattern.test(String(held), meter);
    return compares(held, constraint.kind, constraint.value);
  });
}

/** Natural order: numbers inside names by value, so that `lock_2` comes before `lock_10`. */
export function compareNames(left: string, right: string): number {
  return compareKeys(orderKey(left), orderKey(right)) || compareKeys(left, right);
}

/** A text whose plain order is the natural order of names; equal for names that differ only in leading zeros. */
export function orderKey(name: string): string {
  if (!/\d/.test(name)) return name;
  return name.replace(/\d+/g, (digits) => {
    const value = digits.replace(/^0+(?=\d)/, '');
    return `0${String.fromCharCode(value.length)}${value}`;
  });
}

function compareKeys(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

const ORDERS: { readonly [K in Comparison]: (order: number) => boolean } = {
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '==': (order) => order === 0,
  '!=': (order) => order !== 0,
};

function compares(held: Value, comparison: Comparison, value: Value): boolean {
  if (typeof held !== typeof value) return comparison === '!=';
  return ORDERS[comparison](held < value ? -1 : held > value ? 1 : 0);
}

type Bounds = Pick<{ readonly [K in keyof typeof RECORD_LIMITS]: number }, 'maxNameChars' | 'maxAttributes'>;
const UNBOUNDED: Bounds = { maxNameChars: Infinity, maxAttributes: Infinity };

class RecordParser {
  private readonly text: string;
  private readonly bounds: Bounds;
  private at = 0;
  private states = 0;
  private token: Token;

  constructor(text: string, bounds: Bounds) {
    this.text = text;
    this.bounds = bounds;
    this.token = this.read();
  }

  parse(): ParsedRecord {
    const name = this.name();
    const attributes = new Map<string, Value>();
    const constraints: Constraint[] = [];
    if (this.takeSymbol('{') && !this.takeSymbol('}')) {
      do this.attribute(attributes, constraints);
      while (this.takeSymbol(','));
      if (!this.takeSymbol('}')) throw this.error("',' or '}'");
    }
    if (this.token.kind !== 'end') throw this.error('the end');
    if (attributes.size + constraints.length > this.bounds.maxAttributes) {
      throw new RecordSyntaxError(`a record may have ${this.bounds.maxAttributes} attributes`);
    }
    return { name, attributes, constraints };
  }

  private name(): NameQuery {
    const token = this.take();
    if (token.kind === 'symbol' && token.text === '_') return { kind: 'any' };
    if (token.kind === 'pattern') return { kind: 'matches', pattern: this.pattern(token.text) };
    if (token.kind !== 'identifier' && token.kind !== 'string') throw this.error('a name', token);
    if (token.text.length > this.bounds.maxNameChars) {
      throw new RecordSyntaxError(`a name may have ${this.bounds.maxNameChars} characters`);
    }
    return { kind: 'is', name: token.text };
  }

  private attribute(attributes: Map<string, Value>, constraints: Constraint[]): void {
    const token = this.take();
    if (token.kind !== 'identifier' && token.kind !== 'string') throw this.error('an attribute', token);
    if (!this.takeSymbol(':')) throw this.error("':'");
    const attribute = token.text;
    const next = this.take();
    if (next.kind === 'pattern') constraints.push({ attribute, kind: 'matches', pattern: this.pattern(next.text) });
    else if (next.kind === 'symbol' && next.text === '_') constraints.push({ attribute, kind: 'any' });
    else if (next.kind === 'symbol' && isComparison(next.text)) {
      constraints.push({ attribute, kind: next.text, value: this.value(this.take()) });
    } else if (attributes.has(attribute)) throw this.error(`${attribute} once`, token);
    else attributes.set(attribute, this.value(next));
  }

  private value(token: Token): Value {
    if (token.kind === 'number') return token.value;
    if (token.kind === 'identifier' || token.kind === 'string') return token.text;
    throw this.error('a value', token);
  }

  private pattern(source: string): Pattern {
    const pattern = compiled(source);
    this.states += pattern.size;
    if (this.states > RECORD_LIMITS.maxQueryStates)
      throw new RecordSyntaxError(
        `the patterns are too large: together they may have ${RECORD_LIMITS.maxQueryStates} states`,
      );
    return pattern;
  }

  private takeSymbol(text: string): boolean {
    if (this.token.kind !== 'symbol' || this.token.text !== text) return false;
    this.take();
    return true;
  }

  private take(): Token {
    const token = this.token;
    this.token = this.read();
    return token;
  }

  private read(): Token {
    TOKEN.lastIndex = this.at;
    const match = TOKEN.exec(this.text);
    if (match === null) return this.endOrError();
    const at = TOKEN.lastIndex - match[0].trimStart().length;
    this.at = TOKEN.lastIndex;
    const [, pattern, string, number, identifier, symbol] = match;
    if (pattern !== undefined) return { kind: 'pattern', text: pattern.slice(2, -1).replaceAll("\\'", "'"), at };
    if (string !== undefined) return { kind: 'string', text: unquoted(string), at };
    if (number !== undefined) return { kind: 'number', value: this.number(number, at), at };
    if (identifier !== undefined) return { kind: 'identifier', text: identifier, at };
    return { kind: 'symbol', text: symbol ?? '', at };
  }

  private number(text: string, at: number): number {
    const value = Number(text);
    const exact =
      Number.isFinite(value) &&
      (Number.isSafeInteger(value) || /[.eE]/.test(text) || String(value) === text) &&
      (value !== 0 || !/^[^eE]*[1-9]/.test(text));
    if (!exact) throw new RecordSyntaxError(`the number ${text} at character ${at + 1} cannot be kept exactly`);
    return value === 0 ? 0 : value;
  }

  private endOrError(): Token {
    const rest = this.text.slice(this.at);
    const at = this.at + rest.length - rest.trimStart().length;
    if (rest.trim() === '') return { kind: 'end', at };
    throw new RecordSyntaxError(`nothing begins with ${JSON.stringify(rest.trim()[0])} at character ${at + 1}`);
  }

  private error(wanted: string, token: Token = this.token): RecordSyntaxError {
    return new RecordSyntaxError(`expected ${wanted} at character ${token.at + 1}`);
  }
}

function compiled(source: string): Pattern {
  try {
    return new Pattern(source);
  } catch (error) {
    if (error instanceof PatternError) throw new RecordSyntaxError(error.message);
    throw error;
  }
}

function isComparison(text: string): text is Comparison {
  return COMPARISONS.includes(text);
}

function valueText(value: Value): string {
  if (typeof value === 'number') return String(value);
  return PLAIN_NAME.test(value) ? value : quotedName(value);
}

function unquoted(token: string): string {
  return token.slice(1, -1).replace(/\\(.)/gs, '$1');
}
