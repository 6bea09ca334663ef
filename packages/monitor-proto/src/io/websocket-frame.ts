/*
 * ws hands a frame's header and payload to the socket as two buffers, corked: for 64 bytes that is a quarter of the
 * cost of sending. Up to this size, which fits a page of memory, copying both into one buffer is cheaper; larger frames
 * go through ws.
 */
export const SMALL_FRAME_BYTES = 8192;

const FINAL_BINARY = 0x82;
const MASKED = 0x80;
const SHORTEST_EXTENDED = 126;

/**
 * A whole binary WebSocket message in one buffer (RFC 6455 §5.2); a client's carries a mask of zeros (decision 0003).
 */
export function webSocketFrame(payload: Uint8Array, masked: boolean): Buffer {
  const extended = payload.length >= SHORTEST_EXTENDED;
  const header = (extended ? 4 : 2) + (masked ? 4 : 0);
  const frame = Buffer.allocUnsafe(header + payload.length);
  const maskBit = masked ? MASKED : 0;
  frame[0] = FINAL_BINARY;
  if (extended) {
    frame[1] = maskBit | SHORTEST_EXTENDED;
    frame[2] = payload.length >> 8;
    frame[3] = payload.length & 0xff;
  } else frame[1] = maskBit | payload.length;
  for (let i = masked ? header - 4 : header; i < header; i++) frame[i] = 0;
  frame.set(payload, header);
  return frame;
}
