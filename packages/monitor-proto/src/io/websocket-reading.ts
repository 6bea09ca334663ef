/*
 * A link nearly always brings whole binary messages, unmasked or with a mask of zeros (decision 0003). ws parses such a
 * message with four typed arrays, a Writable's bookkeeping and two events, which shows in a round trip. Here it is cut
 * out of the chunk. Everything else goes to ws as before: control frames, text, fragments, other masks, larger or
 * partial messages, and whatever follows while ws holds part of a message.
 */
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { TakeBytes } from './borrowed-reads.ts';

/** The part of ws's receiver that we use; ws's version is pinned, and the conformance suite covers this. */
interface Receiver {
  write(chunk: Buffer): boolean;
  readonly _state: number;
  readonly _bufferedBytes: number;
  readonly _fragmented: number;
}

const BETWEEN_MESSAGES = 0;
const FINAL_BINARY = 0x82;
const MASKED = 0x80;
const EXTENDED_16 = 126;

/**
 * Sends whole binary messages of this WebSocket to `deliver` instead of its listeners from now on; `masked`: its peer
 * is a client. Returns the taker of borrowed reads; a payload cut out of a borrowed buffer is valid only during the
 * call.
 */
export function readWholeMessages(
  webSocket: WebSocket,
  masked: boolean,
  deliver: (payload: Buffer) => void,
): TakeBytes {
  const { _receiver: receiver, _socket: socket } = webSocket as WebSocket & {
    readonly _receiver: Receiver;
    readonly _socket: Socket;
  };
  const others = receiver.write.bind(receiver);
  /** Delivers the whole messages that the chunk begins with; returns where they end. */
  const takeWhole = (chunk: Buffer, length: number): number => {
    let at = 0;
    while (
      at < length &&
      receiver._state === BETWEEN_MESSAGES &&
      receiver._bufferedBytes === 0 &&
      receiver._fragmented === 0 &&
      webSocket.readyState === WebSocket.OPEN
    ) {
      const from = payloadStart(chunk, at, length, masked);
      if (from === 0) break;
      const end = from + payloadLength(chunk, at);
      if (end > length) break;
      deliver(chunk.subarray(from, end));
      at = end;
    }
    return at;
  };
  receiver.write = (chunk) => {
    const at = takeWhole(chunk, chunk.length);
    return (at > 0 && at === chunk.length) || others(chunk.subarray(at));
  };
  return (borrowed, length) => {
    const at = takeWhole(borrowed, length);
    if (at < length && !others(Buffer.from(borrowed.subarray(at, length)))) socket.pause();
  };
}

/** Where the payload of the message at `at` begins, if its header is whole; 0: ws must read it. */
function payloadStart(chunk: Buffer, at: number, length: number, masked: boolean): number {
  if (length < at + 2 || chunk[at] !== FINAL_BINARY || chunk[at + 1]! >= MASKED !== masked) return 0;
  const short = chunk[at + 1]! & ~MASKED;
  if (short > EXTENDED_16) return 0;
  const mask = at + (short === EXTENDED_16 ? 4 : 2);
  if (length < mask + (masked ? 4 : 0)) return 0;
  if (!masked) return mask;
  return chunk[mask] === 0 && chunk[mask + 1] === 0 && chunk[mask + 2] === 0 && chunk[mask + 3] === 0 ? mask + 4 : 0;
}

function payloadLength(chunk: Buffer, at: number): number {
  const short = chunk[at + 1]! & ~MASKED;
  return short === EXTENDED_16 ? (chunk[at + 2]! << 8) | chunk[at + 3]! : short;
}
