/**
 * Regular expressions that cannot run away: a Thompson automaton, stepped over all states at once.
 *
 * Guarantees: time is at most states x characters, whatever the pattern; a pattern is refused beyond the limits. A
 * backtracking engine (JavaScript's own) would let one client's `(a+)+$` stop the store for everybody.
 * Understands literals, `.`, classes with ranges and negation, `\d \w \s` and their opposites, escapes, groups, `|`,
 * `* + ? {n} {n,} {n,m}`, `^` and `$`. As in Barrelfish's PCRE use, a pattern matches anywhere unless anchored.
 */
import { RECORD_LIMITS } from './limits.ts';

/** Refused with what is wrong and where. */
export class PatternError extends Error {}

type CharTest = (code: number) => boolean;

/** A state consumes a character, branches, asserts a position, or accepts. */
type State =
  | { readonly kind: 'char'; readonly test: CharTest; next: number }
  | { readonly kind: 'split'; next: number; other: number }
  | { readonly kind: 'start' | 'end'; next: number }
  | { readonly kind: 'accept' };

type Node =
  | { readonly kind: 'char'; readonly test: CharTest }
  | { readonly kind: 'start' | 'end' | 'empty' }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Node[] }
  | { readonly kind: 'repeat'; readonly part: Node; readonly least: number; readonly most: number };

export class Pattern {
  readonly source: string;
  readonly #states: State[] = [];
  readonly #first: number;

  /** Compiles; throws a `PatternError`. */
  constructor(source: string) {
    if (source.length > RECORD_LIMITS.maxPatternChars) {
      throw new PatternError(`a pattern may have ${RECORD_LIMITS.maxPatternChars} characters`);
    }
    this.source = source;
    const accept = this.#add({ kind: 'accept' });
    this.#first = this.#compile(new PatternParser(source).parse(), accept);
  }

  /** Whether the pattern matches somewhere in the text. */
  test(text: string): boolean {
    let current = new Set<number>();
    for (let index = 0; index <= text.length; index++) {
      // A match may begin anywhere: the first state is alive at every position.
      if (this.#follow(this.#first, index, text.length, current)) return true;
      if (index === text.length) return false;
      const code = text.charCodeAt(index);
      const following = new Set<number>();
      for (const id of current) {
        const state = this.#states[id] as State;
        if (state.kind !== 'char' || !state.test(code)) continue;
        if (this.#follow(state.next, index + 1, text.length, following)) return true;
      }
      current = following;
    }
    return false;
  }

  /** Adds what is reachable without a character; true if that is acceptance. */
  #follow(from: number, index: number, length: number, into: Set<number>): boolean {
    const pending = [from];
    for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
      if (into.has(id)) continue;
      into.add(id);
      const state = this.#states[id] as State;
      if (state.kind === 'accept') return true;
      if (state.kind === 'split') pending.push(state.next, state.other);
      else if (state.kind === 'start' ? index === 0 : state.kind === 'end' && index === length)
        pending.push(state.next);
    }
    return false;
  }

  #compile(node: Node, next: number): number {
    switch (node.kind) {
      case 'empty':
        return next;
      case 'char':
        return this.#add({ kind: 'char', test: node.test, next });
      case 'start':
      case 'end':
        return this.#add({ kind: node.kind, next });
      case 'sequence':
        return node.parts.reduceRight((after, part) => this.#compile(part, after), next);
      case 'choice':
        return node.parts
          .map((part) => this.#compile(part, next))
          .reduceRight((other, branch) => this.#add({ kind: 'split', next: branch, other }));
      case 'repeat':
        return this.#repeat(node.part, node.least, node.most, next);
    }
  }

  #repeat(part: Node, least: number, most: number, next: number): number {
    let after = next;
    if (most === Number.POSITIVE_INFINITY) {
      const loop = { kind: 'split' as const, next, other: next };
      after = this.#add(loop);
      loop.next = this.#compile(part, after);
    } else {
      for (let optional = least; optional < most; optional++) {
        after = this.#add({ kind: 'split', next: this.#compile(part, after), other: next });
      }
    }
    for (let needed = 0; needed < least; needed++) after = this.#compile(part, after);
    return after;
  }

  #add(state: State): number {
    if (this.#states.length >= RECORD_LIMITS.maxPatternStates) {
      throw new PatternError(`the pattern is too large: it needs more than ${RECORD_LIMITS.maxPatternStates} states`);
    }
    return this.#states.push(state) - 1;
  }
}

const CLASSES: { readonly [letter: string]: CharTest } = {
  d: (code) => code >= 48 && code <= 57,
  w: (code) => /\w/.test(String.fromCharCode(code)),
  s: (code) => /\s/.test(String.fromCharCode(code)),
};
const CONTROLS: { readonly [letter: string]: string } = { n: '\n', t: '\t', r: '\r' };
/** Groups inside groups; the parser recurses. */
const MAX_NESTING = 50;

class PatternParser {
  readonly #source: string;
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
  }

  parse(): Node {
    const node = this.#choice();
    if (this.#at < this.#source.length) throw this.#error('a bracket too many');
    return node;
  }

  #choice(): Node {
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    return parts.length === 1 ? (parts[0] as Node) : { kind: 'choice', parts };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (this.#at < this.#source.length && !'|)'.includes(this.#peek())) parts.push(this.#repeated());
    return parts.length === 0 ? { kind: 'empty' } : { kind: 'sequence', parts };
  }

  #repeated(): Node {
    let node = this.#atom();
    for (;;) {
      if (this.#take('*')) node = { kind: 'repeat', part: node, least: 0, most: Number.POSITIVE_INFINITY };
      else if (this.#take('+')) node = { kind: 'repeat', part: node, least: 1, most: Number.POSITIVE_INFINITY };
      else if (this.#take('?')) node = { kind: 'repeat', part: node, least: 0, most: 1 };
      else if (/^\{\d+(,\d*)?\}/.test(this.#source.slice(this.#at))) node = this.#counted(node);
      else return node;
    }
  }

  #counted(part: Node): Node {
    const close = this.#source.indexOf('}', this.#at);
    const [low, high] = this.#source.slice(this.#at + 1, close).split(',');
    this.#at = close + 1;
    const least = Number(low);
    const most = high === undefined ? least : high === '' ? Number.POSITIVE_INFINITY : Number(high);
    const bound = most === Number.POSITIVE_INFINITY ? least : most;
    if (bound > RECORD_LIMITS.maxRepeat || least > most) throw this.#error('a repetition out of bounds');
    return { kind: 'repeat', part, least, most };
  }

  #atom(): Node {
    const character = this.#next();
    if (character === '^') return { kind: 'start' };
    if (character === '$') return { kind: 'end' };
    if (character === '.') return { kind: 'char', test: (code) => code !== 10 };
    if (character === '(') return this.#group();
    if (character === '[') return { kind: 'char', test: this.#classOf() };
    if (character === '\\') return { kind: 'char', test: this.#escape() };
    if ('*+?'.includes(character)) throw this.#error('nothing to repeat');
    return { kind: 'char', test: equals(character) };
  }

  #group(): Node {
    if (++this.#depth > MAX_NESTING) throw this.#error('groups nested too deep');
    if (this.#take('?') && !this.#take(':')) throw this.#error('a group of a kind that is not supported');
    const node = this.#choice();
    if (!this.#take(')')) throw this.#error('a group that is not closed');
    this.#depth -= 1;
    return node;
  }

  #classOf(): CharTest {
    const negated = this.#take('^');
    const tests: CharTest[] = [];
    do tests.push(this.#classMember());
    while (!this.#take(']'));
    return (code) => tests.some((test) => test(code)) !== negated;
  }

  #classMember(): CharTest {
    const low = this.#next();
    if (low === '\\') return this.#escape();
    if (this.#peek() !== '-' || this.#source[this.#at + 1] === ']') return equals(low);
    this.#at += 1;
    const from = low.charCodeAt(0);
    const to = this.#next().charCodeAt(0);
    if (from > to) throw this.#error('a range out of order');
    return (code) => code >= from && code <= to;
  }

  #escape(): CharTest {
    const letter = this.#next();
    const named = CLASSES[letter.toLowerCase()];
    if (named !== undefined && Object.hasOwn(CLASSES, letter.toLowerCase())) {
      return letter === letter.toLowerCase() ? named : (code) => !named(code);
    }
    if (/[a-zA-Z0-9]/.test(letter) && !Object.hasOwn(CONTROLS, letter))
      throw this.#error(`an unknown escape \\${letter}`);
    return equals(CONTROLS[letter] ?? letter);
  }

  #peek(): string {
    return this.#source[this.#at] ?? '';
  }

  #next(): string {
    const character = this.#source[this.#at];
    if (character === undefined) throw this.#error('an end too early');
    this.#at += 1;
    return character;
  }

  #take(character: string): boolean {
    if (this.#source[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #error(what: string): PatternError {
    return new PatternError(`${what} at character ${this.#at + 1} of the pattern`);
  }
}

function equals(character: string): CharTest {
  const wanted = character.charCodeAt(0);
  return (code) => code === wanted;
}
