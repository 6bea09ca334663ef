import { borderLimit } from '../dispatcher/limits.ts';
import { cutLine } from '../dispatcher/output-lines.ts';

const MOST_CHARACTERS = borderLimit('lineCharacters');
const DEPTH = 4;

/**
 * What `console.log` prints of its arguments: texts as they are, everything else as a person reads it. It terminates on
 * any input: it inspects no more than it prints, and says so where inspecting a value throws, or where it was cut.
 */
export function formatLine(values: readonly unknown[]): string {
  const line = new Line();
  values.forEach((value, i) => {
    if (i > 0) line.write(' ');
    if (typeof value === 'string') line.write(value);
    else line.value(value, DEPTH, []);
  });
  return cutLine(line.text);
}

/** A line that grows a little beyond its bound, which shows that it was cut. */
class Line {
  text = '';
  private full = false;

  write(text: string): void {
    if (this.full) return;
    this.text += text.slice(0, MOST_CHARACTERS + 1 - this.text.length);
    this.full = this.text.length > MOST_CHARACTERS;
  }

  value(value: unknown, depth: number, above: readonly unknown[]): void {
    if (this.full) return;
    try {
      if (typeof value === 'object' && value !== null) this.object(value, depth, above);
      else this.write(primitive(value));
    } catch {
      this.write('[cannot be read]');
    }
  }

  private object(value: object, depth: number, above: readonly unknown[]): void {
    if (value instanceof Error) return this.write(value.stack ?? `${value.name}: ${value.message}`);
    if (above.includes(value)) return this.write('[circular]');
    if (value instanceof Date) return this.write(Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString());
    if (value instanceof RegExp) return this.write(String(value));
    if (depth === 0) return this.write(Array.isArray(value) ? '[…]' : '{…}');
    const inside = [...above, value];
    const inner = (item: unknown): void => this.value(item, depth - 1, inside);
    if (isTypedArray(value)) return this.view(value, inner);
    if (Array.isArray(value)) return this.list('[', ']', value, inner);
    if (value instanceof Map)
      return this.list('Map {', '}', value, ([key, item]) => {
        inner(key);
        this.write(' → ');
        inner(item);
      });
    if (value instanceof Set) return this.list('Set {', '}', value, inner);
    this.list('{', '}', Object.keys(value), (key) => {
      this.write(`${key}: `);
      let item: unknown;
      try {
        item = Reflect.get(value, key);
      } catch {
        return this.write('[cannot be read]');
      }
      inner(item);
    });
  }

  private view(items: ArrayLike<unknown>, inner: (item: unknown) => void): void {
    this.write(`${items instanceof Uint8Array ? 'bytes' : items.constructor.name}(${items.length}) [`);
    for (let i = 0; i < Math.min(items.length, 16); i++) {
      if (i > 0) this.write(' ');
      inner(items[i]);
    }
    this.write(items.length > 16 ? ' …]' : ']');
  }

  private list<T>(open: string, close: string, items: Iterable<T>, each: (item: T) => void): void {
    this.write(open);
    let first = true;
    for (const item of items) {
      if (this.full) return;
      if (!first) this.write(', ');
      first = false;
      each(item);
    }
    this.write(close);
  }
}

function primitive(value: unknown): string {
  if (typeof value === 'string')
    return value.length > MOST_CHARACTERS ? `"${value.slice(0, MOST_CHARACTERS)}` : JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return `[function ${value.name}]`;
  return Object.is(value, -0) ? '-0' : String(value);
}

function isTypedArray(value: object): value is ArrayLike<unknown> {
  return ArrayBuffer.isView(value) && 'length' in value;
}
