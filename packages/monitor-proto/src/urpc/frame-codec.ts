import { isWhole } from '../guards.ts';
import { handlerFor } from '../handlers.ts';
import { asError } from '../thrown.ts';
import { Unpackr } from 'msgpackr';
import { limit } from '../limits.ts';
import { LANES } from '../messages/spec.ts';
import {
  type Batch,
  type DataFrame,
  FRAME,
  type Frame,
  type Identity,
  type LaneMarks,
  NO_MARKS,
  type VolleyFigures,
} from './frames.ts';
import { beginMsgpack, endMsgpack, type WireValue, write, writeArrayHead } from './msgpack-writer.ts';
import { scanMsgpack } from './scan.ts';

/*
 * Plain arrays, no records: stateless, so a lost frame never makes a later one unreadable, and the fastest form
 * measured.
 */
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number', copyBuffers: true });
const MAX_FRAME_BYTES = limit('maxFrameBytes');
const MAX_LAMPORT = limit('maxLamport');
/**
 * Frames up to this size are copied here to be read: msgpackr makes a DataView for each byte array that it has not
 * seen. A page of memory fits.
 */
const READING_PLACE = Buffer.allocUnsafeSlow(8192);
const upTo = { end: 0 };

/** Encodes a frame. The bytes belong to the caller, and are immutable from then on. */
export function encodeFrame(frame: Frame): Uint8Array {
  beginMsgpack();
  handlerFor(WRITE, frame.kind)(frame);
  return endMsgpack();
}

/**
 * Decodes bytes from outside into a frame, or says why they hold none. Messages are not decoded yet. The frame holds
 * copies: the bytes are the caller's again on return.
 */
export function decodeFrame(bytes: Uint8Array): Frame | string {
  if (bytes.length > MAX_FRAME_BYTES) return `a frame of ${bytes.length} bytes exceeds the limit of ${MAX_FRAME_BYTES}`;
  const fault = scanMsgpack(bytes);
  if (fault !== null) return fault;
  let parts: unknown;
  try {
    upTo.end = bytes.length;
    parts = unpackr.unpack(inPlace(bytes), upTo);
  } catch (error) {
    return `not msgpack: ${asError(error).message}`;
  }
  if (!Array.isArray(parts)) return 'a frame is not an array';
  const unpack = typeof parts[0] === 'number' ? UNPACK[parts[0]] : undefined;
  return unpack !== undefined ? unpack(parts) : `unknown kind of frame ${String(parts[0]).slice(0, 20)}`;
}

function inPlace(bytes: Uint8Array): Uint8Array {
  if (bytes.length > READING_PLACE.length) return bytes;
  READING_PLACE.set(bytes);
  return READING_PLACE;
}

/** Written piece by piece because it is every frame of a running cluster. */
function writeData(frame: DataFrame): void {
  const { batches } = frame;
  writeArrayHead(4 + batches.length);
  write(FRAME.data);
  write(frame.lamport);
  write(frame.acks);
  write(isZero(frame.missing) ? 0 : frame.missing);
  for (const batch of batches) writeBatch(batch);
}

function writeBatch({ lane, first, messages }: Batch): void {
  writeArrayHead(2 + messages.length);
  write(lane);
  write(first);
  for (let i = 0; i < messages.length; i++) write(messages[i] as WireValue);
}

type WriteTable = { readonly [K in Frame['kind']]: (frame: Extract<Frame, { kind: K }>) => void };
const WRITE: WriteTable = {
  [FRAME.hello]: (f) => write([FRAME.hello, ...identityParts(f.from), f.nonce, f.knows, f.received]),
  [FRAME.welcome]: (f) => write([FRAME.welcome, ...identityParts(f.from), f.nonce, f.proof, f.knows, f.received]),
  [FRAME.prove]: (f) => write([FRAME.prove, f.proof]),
  [FRAME.refuse]: (f) => write([FRAME.refuse, f.code, f.text]),
  [FRAME.data]: writeData,
  [FRAME.volley]: (f) => write([FRAME.volley, f.rally, f.serve, f.left, ...f.figures]),
};

const UNPACK: Readonly<Record<number, (parts: readonly unknown[]) => Frame | string>> = {
  [FRAME.hello]: (p) => {
    const from = unpackIdentity(p);
    if (p.length !== 9 || !from || !isNonce(p[6]) || !isShortText(p[7]) || !isMarks(p[8]))
      return 'a hello frame is malformed';
    return { kind: FRAME.hello, from, nonce: p[6], knows: p[7], received: p[8] };
  },
  [FRAME.welcome]: (p) => {
    const from = unpackIdentity(p);
    if (p.length !== 10 || !from || !isNonce(p[6]) || !isProof(p[7]) || !isShortText(p[8]) || !isMarks(p[9]))
      return 'a welcome frame is malformed';
    return { kind: FRAME.welcome, from, nonce: p[6], proof: p[7], knows: p[8], received: p[9] };
  },
  [FRAME.prove]: (p) =>
    p.length === 2 && isProof(p[1]) ? { kind: FRAME.prove, proof: p[1] } : 'a prove frame is malformed',
  [FRAME.refuse]: (p) =>
    p.length === 3 && isU32(p[1]) && isShortText(p[2])
      ? { kind: FRAME.refuse, code: p[1], text: p[2] }
      : 'a refuse frame is malformed',
  [FRAME.data]: unpackData,
  [FRAME.volley]: (p) => {
    const figures = p.slice(4);
    if (!isU32(p[1]) || !isU32(p[2]) || !isU32(p[3]) || !isFigures(figures)) return 'a volley is malformed';
    return { kind: FRAME.volley, rally: p[1], serve: p[2], left: p[3], figures };
  },
};

function unpackData(p: readonly unknown[]): Frame | string {
  const missing = p[3] === 0 ? NO_MARKS : p[3];
  if (!isLamport(p[1])) return 'a data frame has no Lamport time';
  if (!isMarks(p[2]) || !isMarks(missing)) return 'a data frame has no acks';
  const batches = new Array<Batch>(p.length - 4); // sized exactly: a `push` to an empty array allocates room for seventeen
  for (let i = 0; i < batches.length; i++) {
    const part = p[4 + i];
    if (
      !Array.isArray(part) ||
      part.length < 3 ||
      !isU32(part[0]) ||
      part[0] >= LANES.length ||
      !Number.isSafeInteger(part[1]) ||
      part[1] < 1
    ) {
      return 'a batch is malformed';
    }
    batches[i] = { lane: part[0], first: part[1], messages: part.slice(2) };
  }
  return { kind: FRAME.data, lamport: p[1], acks: p[2], missing, batches };
}

function identityParts(from: Identity): readonly WireValue[] {
  return [from.version, from.cluster, from.peer, from.incarnation, from.instance];
}

function unpackIdentity(p: readonly unknown[]): Identity | null {
  const [, version, cluster, peer, incarnation, instance] = p;
  if (!isU32(version) || !isShortText(cluster) || !isU32(peer) || !isU32(incarnation) || !isShortText(instance))
    return null;
  return { version, cluster, peer, incarnation, instance };
}

function isZero(marks: LaneMarks): boolean {
  return marks[0] === 0 && marks[1] === 0 && marks[2] === 0;
}
function isU32(v: unknown): v is number {
  return typeof v === 'number' && v >>> 0 === v;
}
function isShortText(v: unknown): v is string {
  return typeof v === 'string' && v.length <= 256;
}
function isNonce(v: unknown): v is Uint8Array {
  return v instanceof Uint8Array && v.length === 16;
}
function isProof(v: unknown): v is Uint8Array {
  return v instanceof Uint8Array && v.length === 32;
}
/**
 * A whole number with room to count on: the clock is adopted, and one without room would make every later frame of this
 * end unreadable.
 */
function isLamport(v: unknown): v is number {
  return isWhole(v, 0, MAX_LAMPORT);
}
function isFigures(v: readonly unknown[]): v is VolleyFigures {
  return (v.length === 0 || v.length === 4) && v.every(Number.isFinite);
}
function isMarks(v: unknown): v is LaneMarks {
  return Array.isArray(v) && v.length === LANES.length && v.every((x) => Number.isSafeInteger(x) && x >= 0);
}
