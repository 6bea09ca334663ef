import { known } from '@mk/monitor-proto/assert';

/** Frames on the two pipes between a core and the process of one dispatcher: length (u32), kind, bytes. */
export const TO_CHILD = { begin: 0, resume: 1, answer: 2 } as const;
export const TO_CORE = { ready: 0, turn: 1, call: 2, ended: 3 } as const;
/** File descriptors in the process of the dispatcher. */
export const PIPES = { in: 3, out: 4 } as const;
export const HEAD_BYTES = 5;

export function frameOf(kind: number, bytes: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + bytes.length);
  frame.writeUInt32BE(bytes.length, 0);
  frame[4] = kind;
  frame.set(bytes, HEAD_BYTES);
  return frame;
}

/** Cuts frames out of a stream of pieces. */
export class FrameCutter {
  private kept = Buffer.alloc(0);

  /** Longer frames than `maxBytes` are refused: `frame` gets kind −1 and no bytes. */
  constructor(
    private readonly maxBytes: number,
    private readonly frame: (kind: number, bytes: Uint8Array) => void,
  ) {}

  push(chunk: Buffer): void {
    let rest = this.kept.length === 0 ? chunk : Buffer.concat([this.kept, chunk]);
    while (rest.length >= HEAD_BYTES) {
      const length = rest.readUInt32BE(0);
      if (length > this.maxBytes) {
        this.kept = Buffer.alloc(0);
        return this.frame(-1, new Uint8Array(0));
      }
      if (rest.length < HEAD_BYTES + length) break;
      this.frame(known(rest[4]), rest.subarray(HEAD_BYTES, HEAD_BYTES + length));
      rest = rest.subarray(HEAD_BYTES + length);
    }
    this.kept = Buffer.from(rest);
  }
}
