/**
 * How many messages a frame carries, or 1 for one without any (a handshake, an ack), which costs as much as a message.
 * Reads only the heads of the frame's arrays: `[5, lamport, acks, missing, [lane, first, message, …], …]`.
 */
export function messagesIn(frame: Uint8Array): number {
  const parts = frame[0]! & 0x0f;
  if ((frame[0]! & 0xf0) !== 0x90 || frame[1] !== 5 || parts <= 4) return 1;
  let at = 2;
  for (let i = 0; i < 3; i++) at = skip(frame, at);
  let messages = 0;
  for (let part = 4; part < parts; part++) {
    messages += arrayLength(frame, at) - 2;
    if (part + 1 < parts) at = skip(frame, at);
  }
  return messages;
}

function arrayLength(bytes: Uint8Array, at: number): number {
  const head = bytes[at]!;
  if (head === 0xdc) return (bytes[at + 1]! << 8) | bytes[at + 2]!;
  return head & 0x0f;
}

/** Sizes of fixed-size values by first byte, head included. */
const FIXED: Readonly<Record<number, number>> = {
  0xc0: 1,
  0xc2: 1,
  0xc3: 1,
  0xca: 5,
  0xcb: 9,
  0xcc: 2,
  0xcd: 3,
  0xce: 5,
  0xcf: 9,
  0xd0: 2,
  0xd1: 3,
  0xd2: 5,
  0xd3: 9,
};

/** Where the msgpack value that begins at `at` ends; only for our own frames. */
function skip(bytes: Uint8Array, at: number): number {
  let left = 1;
  while (left > 0) {
    left -= 1;
    const head = bytes[at]!;
    if (head < 0x80 || head >= 0xe0) at += 1;
    else if (head >= 0xa0 && head < 0xc0) at += 1 + (head & 0x1f);
    else if (head >= 0x90 && head < 0xa0) {
      left += head & 0x0f;
      at += 1;
    } else if (FIXED[head] !== undefined) at += FIXED[head];
    else if (head === 0xc4 || head === 0xd9) at += 2 + bytes[at + 1]!;
    else if (head === 0xc5 || head === 0xda) at += 3 + ((bytes[at + 1]! << 8) | bytes[at + 2]!);
    else if (head === 0xdc) {
      left += (bytes[at + 1]! << 8) | bytes[at + 2]!;
      at += 3;
    } else at += 5 + (((bytes[at + 1]! << 24) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 8) | bytes[at + 4]!) >>> 0);
  }
  return at;
}
