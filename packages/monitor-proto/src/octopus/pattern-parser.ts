/** Reads a regular expression, by Unicode code points. Pure. */
import { known } from '../assert.ts';
import { complementOf, DIGITS, type Ranges, SPACE, unionOf, WORD } from './char-set.ts';
import { RECORD_LIMITS } from './limits.ts';

/** The pattern is refused; says why and where. */
export class PatternError extends Error {}

export type PatternNode =
  | { readonly kind: 'char'; readonly set: Ranges }
  | { readonly kind: 'start' | 'end' | 'empty' }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'repeat'; readonly part: PatternNode; readonly least: number; readonly most: number };

const CLASSES: { readonly [letter: string]: Ranges } = { d: DIGITS, w: WORD, s: SPACE };
const CONTROLS: { readonly [letter: string]: string } = { n: '\n', t: '\t', r: '\r' };
const NEWLINE: Ranges = [[10, 10]];
/** The deepest nesting of groups, on which the parser recurses. */
const MAX_NESTING = 50;

export class PatternParser {
  private readonly source: readonly string[];
  private at = 0;
  private depth = 0;

  constructor(source: string) {
    this.source = Array.from(source);
  }

  /** Throws a `PatternError`. */
  parse(): PatternNode {
    const node = this.choice();
    if (this.at < this.source.length) throw this.error('an unmatched bracket');
    return node;
  }

  private choice(): PatternNode {
    const parts = [this.sequence()];
    while (this.take('|')) parts.push(this.sequence());
    return parts.length === 1 ? known(parts[0]) : { kind: 'choice', parts };
  }

  private sequence(): PatternNode {
    const parts: PatternNode[] = [];
    while (this.at < this.source.length && !'|)'.includes(this.peek())) parts.push(this.repeated());
    return parts.length === 0 ? { kind: 'empty' } : { kind: 'sequence', parts };
  }

  private repeated(): PatternNode {
    let node = this.atom();
    for (;;) {
      if (this.take('*')) node = { kind: 'repeat', part: node, least: 0, most: Infinity };
      else if (this.take('+')) node = { kind: 'repeat', part: node, least: 1, most: Infinity };
      else if (this.take('?')) node = { kind: 'repeat', part: node, least: 0, most: 1 };
      else {
        const counted = this.peek() === '{' ? this.counted(node) : null;
        if (counted === null) return node;
        node = counted;
      }
    }
  }

  /** Null: the brace stands for itself. */
  private counted(part: PatternNode): PatternNode | null {
    const close = this.source.indexOf('}', this.at);
    const text = close < 0 ? '' : this.source.slice(this.at + 1, close).join('');
    if (!/^\d+(,\d*)?$/.test(text)) return null;
    const [low, high] = text.split(',');
    this.at = close + 1;
    const least = Number(low);
    const most = high === undefined ? least : high === '' ? Infinity : Number(high);
    const bound = most === Infinity ? least : most;
    if (bound > RECORD_LIMITS.maxRepeat || least > most) throw this.error('a repetition count out of bounds');
    return { kind: 'repeat', part, least, most };
  }

  private atom(): PatternNode {
    const character = this.next();
    if (character === '^') return { kind: 'start' };
    if (character === '$') return { kind: 'end' };
    if (character === '.') return { kind: 'char', set: complementOf(NEWLINE) };
    if (character === '(') return this.group();
    if (character === '[') return { kind: 'char', set: this.classOf() };
    if (character === '\\') return { kind: 'char', set: this.escape() };
    if ('*+?'.includes(character)) throw this.error('nothing to repeat');
    return { kind: 'char', set: only(character) };
  }

  private group(): PatternNode {
    if (++this.depth > MAX_NESTING) throw this.error('groups nested too deeply');
    if (this.take('?') && !this.take(':')) throw this.error('an unsupported kind of group');
    const node = this.choice();
    if (!this.take(')')) throw this.error('an unclosed group');
    this.depth -= 1;
    return node;
  }

  private classOf(): Ranges {
    const negated = this.take('^');
    const members: Ranges[] = [];
    do members.push(this.classMember());
    while (!this.take(']'));
    const set = unionOf(members);
    return negated ? complementOf(set) : set;
  }

  private classMember(): Ranges {
    const low = this.member();
    if (this.peek() !== '-' || this.source[this.at + 1] === ']') return low;
    this.at += 1;
    const high = this.member();
    const [from, to] = [onlyOf(low), onlyOf(high)];
    if (from === undefined || to === undefined) throw this.error('a range to or from a class');
    if (from > to) throw this.error('a range out of order');
    return [[from, to]];
  }

  private member(): Ranges {
    const character = this.next();
    return character === '\\' ? this.escape() : only(character);
  }

  private escape(): Ranges {
    const letter = this.next();
    const named = Object.hasOwn(CLASSES, letter.toLowerCase()) ? CLASSES[letter.toLowerCase()] : undefined;
    if (named !== undefined) return letter === letter.toLowerCase() ? named : complementOf(named);
    const control = Object.hasOwn(CONTROLS, letter) ? CONTROLS[letter] : undefined;
    if (control === undefined && /[a-zA-Z0-9]/.test(letter)) throw this.error(`an unknown escape \\${letter}`);
    return only(control ?? letter);
  }

  private peek(): string {
    return this.source[this.at] ?? '';
  }

  private next(): string {
    const character = this.source[this.at];
    if (character === undefined) throw this.error('an unexpected end');
    this.at += 1;
    return character;
  }

  private take(character: string): boolean {
    if (this.source[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  private error(what: string): PatternError {
    return new PatternError(`${what} at character ${this.at + 1} of the pattern`);
  }
}

function only(character: string): Ranges {
  const code = known(character.codePointAt(0));
  return [[code, code]];
}

function onlyOf(set: Ranges): number | undefined {
  const [range, more] = set;
  return range !== undefined && more === undefined && range[0] === range[1] ? range[0] : undefined;
}
