import { type CoreSet, isCoreSet } from './core-set.ts';

/** A multicast's data besides its payload: the cores asked, and which of the initiator's rounds are over. */
export interface Envelope {
  /** The initiator and all cores asked; a core that knows of another member must refuse (J2). */
  readonly members: CoreSet;
  /** The round's number at its initiator, and the lowest of the initiator's open rounds (A7). */
  readonly round: number;
  readonly oldest: number;
  /**
   * Per member, in order of ids, a seal that only the initiator can have made for it; empty when nobody relays the
   * round.
   */
  readonly seals: readonly number[];
  readonly body: Uint8Array;
}

/** Encodes and decodes the payload of one kind of round. */
export interface PayloadCodec<P> {
  encode(payload: P): Uint8Array;
  /** Decodes a payload from a peer; null when the bytes hold none. */
  decode(bytes: Uint8Array): P | null;
}

const NUMBER_BYTES = 8;

/**
 * Encodes an envelope: [number of words of members, …, round, oldest, number of seals, …], each a double,
 * little-endian; then the body.
 */
export function encodeEnvelope({ members, round, oldest, seals, body }: Envelope): Uint8Array {
  const head = encodeNumbers([members.length, ...members, round, oldest, seals.length, ...seals]);
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  return bytes;
}

/** Decodes an envelope from a peer; null when the bytes hold none. */
export function decodeEnvelope(bytes: Uint8Array): Envelope | null {
  const [count] = decodeNumbers(bytes.subarray(0, NUMBER_BYTES)) ?? [];
  if (count === undefined || count < 0) return null;
  const sealsAt = (count + 3) * NUMBER_BYTES;
  if (!(sealsAt + NUMBER_BYTES <= bytes.length)) return null;
  const [sealCount = -1] = decodeNumbers(bytes.subarray(sealsAt, sealsAt + NUMBER_BYTES)) ?? [];
  const headBytes = sealsAt + NUMBER_BYTES * (1 + sealCount);
  if (sealCount < 0 || !(headBytes <= bytes.length)) return null;
  const numbers = decodeNumbers(bytes.subarray(0, headBytes));
  if (numbers === null) return null;
  const members = numbers.slice(1, count + 1);
  const [round = -1, oldest = -1, , ...seals] = numbers.slice(count + 1);
  return isCoreSet(members) ? { members, round, oldest, seals, body: bytes.subarray(headBytes) } : null;
}

/** Encodes whole numbers: each a double, little-endian. */
export function encodeNumbers(numbers: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(numbers.length * NUMBER_BYTES));
  numbers.forEach((number, i) => view.setFloat64(i * NUMBER_BYTES, number, true));
  return new Uint8Array(view.buffer);
}

/** Decodes numbers from a peer; null when they are not safe integers. */
export function decodeNumbers(bytes: Uint8Array): number[] | null {
  if (bytes.length % NUMBER_BYTES !== 0) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const numbers: number[] = [];
  for (let at = 0; at < bytes.length; at += NUMBER_BYTES) {
    const value = view.getFloat64(at, true);
    if (!Number.isSafeInteger(value)) return null;
    numbers.push(value);
  }
  return numbers;
}
