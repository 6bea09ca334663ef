/**
 * Regular expressions that cannot run away: a Thompson automaton, stepped over all states at once.
 *
 * Guarantees: time is at most states × characters, whatever the pattern; a pattern beyond the limits is refused; each
 * step is counted, so that matching many texts can pause (docs/decisions/0075). A backtracking engine (JavaScript's
 * own) would let one client's `(a+)+$` stop the store for everybody. Understands literals, `.`, classes with ranges and
 * negation, `\d \w \s` and their complements, escapes, groups, `|`, `* + ? {n} {n,} {n,m}`, `^` and `$`, by Unicode
 * code points. As in Barrelfish's PCRE use, a pattern matches anywhere unless anchored.
 */
import { CharSet, type Ranges } from './char-set.ts';
import { RECORD_LIMITS } from './limits.ts';
import { Meter } from './meter.ts';
import { PatternError, type PatternNode, PatternParser } from './pattern-parser.ts';

export { PatternError } from './pattern-parser.ts';

const OP = { char: 0, set: 1, split: 2, start: 3, end: 4, accept: 5 } as const;
const MOST = RECORD_LIMITS.maxPatternStates;

/** The states alive at one position, each once; `stamps` records when each was last entered. */
class Alive {
  current: Int32Array;
  following: Int32Array;
  stamp = 0;
  readonly stamps: Float64Array;
  /** Twice the states, because two others can push each state before it is entered. */
  readonly pending: Int32Array;

  constructor(states: number) {
    this.current = new Int32Array(states);
    this.following = new Int32Array(states);
    this.stamps = new Float64Array(states);
    this.pending = new Int32Array(2 * states + 2);
  }
}

/** Shared by all matches that do not pause. */
const SHARED = new Alive(MOST);

export class Pattern {
  readonly source: string;
  /** The prefix of every matching text: the literals after `^`; '' when the pattern is not anchored. */
  readonly prefix: string;
  private readonly ops: number[] = [];
  /** For a `char` its code point, for a `set` its index. */
  private readonly operands: number[] = [];
  private readonly nexts: number[] = [];
  /** The second way of a `split`. */
  private readonly others: number[] = [];
  private readonly sets: CharSet[] = [];
  private readonly first: number;
  private readonly anchored: boolean;

  /** Compiles a pattern; throws a `PatternError`. */
  constructor(source: string) {
    if (source.length > RECORD_LIMITS.maxPatternChars) {
      throw new PatternError(`a pattern may have ${RECORD_LIMITS.maxPatternChars} characters`);
    }
    this.source = source;
    const root = new PatternParser(source).parse();
    this.first = this.compile(root, this.add(OP.accept, 0, -1));
    const parts = root.kind === 'sequence' ? root.parts : [root];
    this.anchored = parts[0]?.kind === 'start';
    this.prefix = this.anchored ? literalsOf(parts.slice(1)) : '';
  }

  /** The number of states, and so the most steps per character of a match. */
  get size(): number {
    return this.ops.length;
  }

  /** Whether the pattern matches anywhere in the text; adds the work to the meter. */
  test(text: string, meter: Meter = new Meter()): boolean {
    if (this.prefix !== '' && !text.startsWith(this.prefix)) {
      meter.steps += 1;
      return false;
    }
    return this.match(text, meter, SHARED, false).next().value === true;
  }

  /** Like `test`, but yields whenever the meter is full, for work beyond a turn. */
  slowly(text: string, meter: Meter): Generator<void, boolean> {
    return this.match(text, meter, new Alive(this.size), true);
  }

  private *match(text: string, meter: Meter, alive: Alive, pauses: boolean): Generator<void, boolean> {
    meter.steps += 1;
    if (this.prefix !== '' && !text.startsWith(this.prefix)) return false;
    alive.stamp += 1;
    let count = 0;
    for (let at = 0; ;) {
      // A match may begin anywhere: the first state is alive at every position.
      if (at === 0 || !this.anchored) count = this.enter(this.first, at === 0, at === text.length, alive, count);
      if (count < 0) return true;
      if (count === 0 || at === text.length) return false;
      meter.steps += count + 1;
      if (pauses && meter.full) yield;
      const code = text.codePointAt(at)!;
      at += code > 0xffff ? 2 : 1;
      count = this.advance(code, count, at === text.length, alive);
      if (count < 0) return true;
    }
  }

  /** Moves every living state over one code point; returns how many live then, or −1 when the pattern matches. */
  private advance(code: number, count: number, atEnd: boolean, alive: Alive): number {
    const { ops, operands, nexts, sets } = this;
    const { current, following } = alive;
    alive.stamp += 1;
    alive.current = following;
    alive.following = current;
    let entered = 0;
    for (let index = 0; index < count; index++) {
      const id = current[index]!;
      const op = ops[id]!;
      const passes = op === OP.char ? operands[id] === code : op === OP.set ? sets[operands[id]!]!.has(code) : false;
      if (!passes) continue;
      entered = this.enter(nexts[id]!, false, atEnd, alive, entered);
      if (entered < 0) return -1;
    }
    return entered;
  }

  /** Adds the states reachable without a character; −1 when acceptance is among them. */
  private enter(from: number, atStart: boolean, atEnd: boolean, alive: Alive, count: number): number {
    const { ops, nexts, others } = this;
    const { pending, stamps, stamp, current } = alive;
    let waiting = 0;
    let entered = count;
    pending[waiting++] = from;
    while (waiting > 0) {
      const id = pending[--waiting]!;
      if (stamps[id] === stamp) continue;
      stamps[id] = stamp;
      const op = ops[id]!;
      if (op === OP.accept) return -1;
      current[entered++] = id;
      if (op === OP.split) {
        pending[waiting++] = others[id]!;
        pending[waiting++] = nexts[id]!;
      } else if (op === OP.start ? atStart : op === OP.end && atEnd) pending[waiting++] = nexts[id]!;
    }
    return entered;
  }

  private compile(node: PatternNode, next: number): number {
    switch (node.kind) {
      case 'empty':
        return next;
      case 'char':
        return this.addSet(node.set, next);
      case 'start':
      case 'end':
        return this.add(OP[node.kind], 0, next);
      case 'sequence':
        return node.parts.reduceRight((after, part) => this.compile(part, after), next);
      case 'choice':
        return node.parts
          .map((part) => this.compile(part, next))
          .reduceRight((other, branch) => this.add(OP.split, 0, branch, other));
      case 'repeat':
        return this.repeat(node.part, node.least, node.most, next);
    }
  }

  private repeat(part: PatternNode, least: number, most: number, next: number): number {
    let after = next;
    if (most === Infinity) {
      after = this.add(OP.split, 0, next, next);
      this.nexts[after] = this.compile(part, after);
    } else {
      for (let optional = least; optional < most; optional++)
        after = this.add(OP.split, 0, this.compile(part, after), next);
    }
    for (let needed = 0; needed < least; needed++) {
      const states = this.ops.length;
      after = this.compile(part, after);
      // repeating an empty part changes nothing, and `(){64}{64}{64}…` would take ages
      if (this.ops.length === states) break;
    }
    return after;
  }

  private addSet(ranges: Ranges, next: number): number {
    const set = new CharSet(ranges);
    if (set.single >= 0) return this.add(OP.char, set.single, next);
    return this.add(OP.set, this.sets.push(set) - 1, next);
  }

  private add(op: number, operand: number, next: number, other = -1): number {
    if (this.ops.length >= MOST) throw new PatternError(`the pattern is too large: it needs more than ${MOST} states`);
    this.operands.push(operand);
    this.nexts.push(next);
    this.others.push(other);
    return this.ops.push(op) - 1;
  }
}

/** The text that a sequence of parts must begin with. */
function literalsOf(parts: readonly PatternNode[]): string {
  let text = '';
  for (const part of parts) {
    const range: Ranges[number] | undefined = part.kind === 'char' && part.set.length === 1 ? part.set[0] : undefined;
    if (range === undefined || range[0] !== range[1]) break;
    text += String.fromCodePoint(range[0]);
  }
  return text;
}
