import { WebSocket } from 'ws';

/*
 * What comes in over a link is nearly always whole binary messages without a mask: a client's mask is zeros (decision 0003).
 * ws takes such a message apart in four typed arrays, a Writable's bookkeeping and two events, which a round trip
 * shows. Here it is cut out of the chunk as it came. Everything else goes to ws as before: control frames, text, fragments,
 * masks that are not zero, what is larger, what is not whole, and all that follows while ws holds a part of a message.
 */

/** The part of ws's receiver that is looked at; the version of ws is pinned, and the conformance suite runs over this. */
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

/** From now on whole binary messages of this WebSocket go to `deliver` and not to its listeners; `masked`: its peer is a client. */
export function readWholeMessages(webSocket: WebSocket, masked: boolean, deliver: (payload: Buffer) => void): void {
  const receiver = (webSocket as WebSocket & { readonly _receiver: Receiver })._receiver;
  const others = receiver.write.bind(receiver);
  receiver.write = (chunk) => {
    let at = 0;
    while (receiver._state === BETWEEN_MESSAGES && receiver._bufferedBytes === 0 && receiver._fragmented === 0 && webSocket.readyState === WebSocket.OPEN) {
      const from = payloadStart(chunk, at, masked);
      if (from === 0) break;
      const end = from + payloadLength(chunk, at);
      if (end > chunk.length) break;
      deliver(chunk.subarray(from, end));
      if (end === chunk.length) return true;
      at = end;
    }
    return others(at === 0 ? chunk : chunk.subarray(at));
  };
}

/** Where the payload of the message that begins at `at` begins; 0: it is for ws to read. */
function payloadStart(chunk: Buffer, at: number, masked: boolean): number {
  if (chunk.length < at + 2 || chunk[at] !== FINAL_BINARY || chunk[at + 1]! >= MASKED !== masked) return 0;
  const short = chunk[at + 1]! & ~MASKED;
  if (short > EXTENDED_16) return 0;
  const mask = at + (short === EXTENDED_16 ? 4 : 2);
  if (!masked) return mask;
  // Past the end of the chunk it is undefined: not zero either.
  return chunk[mask] === 0 && chunk[mask + 1] === 0 && chunk[mask + 2] === 0 && chunk[mask + 3] === 0 ? mask + 4 : 0;
}

function payloadLength(chunk: Buffer, at: number): number {
  const short = chunk[at + 1]! & ~MASKED;
  return short === EXTENDED_16 ? (chunk[at + 2]! << 8) | chunk[at + 3]! : short;
}
