import type { Nanos, PeerId } from '@mk/monitor-proto/ids';
import type { AnyEvent } from './sim-node.ts';

/**
 * A running hash of everything that happened in a simulation: two runs of one seed must end with the same one.
 * Two 32-bit lanes of murmur3's mixing; not for secrets.
 */
export class TraceHash {
  private a = 0x9747b28c;
  private b = 0x3c6ef372;
  private count = 0;

  word(value: number): void {
    this.count += 1;
    let k = Math.imul(value, 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    this.a ^= k;
    this.a = (Math.imul((this.a << 13) | (this.a >>> 19), 5) + 0xe6546b64) | 0;
    this.b = (Math.imul(this.b ^ value, 0x85ebca6b) + this.a) | 0;
    this.b ^= this.b >>> 13;
  }

  number(value: number): void {
    FLOAT[0] = value;
    this.word(HALVES[0]!);
    this.word(HALVES[1]!);
  }

  text(value: string): void {
    this.word(value.length);
    for (let i = 0; i < value.length; i++) this.word(value.charCodeAt(i));
  }

  bytes(value: Uint8Array): void {
    const { length } = value;
    this.word(length);
    let i = 0;
    for (; i + 3 < length; i += 4)
      this.word(value[i]! | (value[i + 1]! << 8) | (value[i + 2]! << 16) | (value[i + 3]! << 24));
    for (; i < length; i++) this.word(value[i]!);
  }

  /** An event that a node is handed, and when. */
  event(node: PeerId, event: AnyEvent, at: Nanos): void {
    this.number(at);
    this.word(node);
    this.text(event.type);
    if (event.type === 'frame_received') {
      this.word(event.link);
      this.bytes(event.frame);
    } else if (event.type === 'link_up') {
      this.word(event.link);
      if (event.first !== null) this.bytes(event.first);
    } else if (event.type === 'link_down') this.word(event.link);
  }

  /** Any value of a log line's field. */
  value(value: unknown): void {
    if (typeof value === 'number') this.number(value);
    else this.text(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));
  }

  /** 16 hex digits. */
  digest(): string {
    const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');
    return hex(finalise(this.a ^ this.count)) + hex(finalise(this.b));
  }
}

const FLOAT = new Float64Array(1);
const HALVES = new Int32Array(FLOAT.buffer);

function finalise(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
