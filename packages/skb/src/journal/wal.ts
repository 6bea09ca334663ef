/**
 * Reads SQLite's write-ahead log, to report whether a kill left a torn write in it. SQLite repairs that by itself when
 * it opens the database (it stops at the first frame whose checksum is wrong); we only report it. Pure. Source:
 * https://www.sqlite.org/fileformat2.html#walformat
 */

/** Contents of a log: frames up to the last commit, then an unfinished write. */
export interface WalSummary {
  readonly committedFrames: number;
  /** Bytes of the current generation after the last commit: a transaction that was never acknowledged. */
  readonly tornBytes: number;
}

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The low bit of the magic number says that checksums read the data as big-endian words. */
const MAGIC = 0x377f0682;

export function summarizeWal(bytes: Uint8Array): WalSummary {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < HEADER_BYTES) return { committedFrames: 0, tornBytes: bytes.byteLength };
  const magic = view.getUint32(0);
  const littleEndian = magic === MAGIC;
  const frameBytes = FRAME_HEADER_BYTES + view.getUint32(8);
  let sums = checksum(view, 0, 24, [0, 0], littleEndian);
  if (!littleEndian && magic !== MAGIC + 1) return { committedFrames: 0, tornBytes: bytes.byteLength };
  if (sums[0] !== view.getUint32(24) || sums[1] !== view.getUint32(28)) {
    return { committedFrames: 0, tornBytes: bytes.byteLength };
  }
  let committedFrames = 0;
  let frames = 0;
  let at = HEADER_BYTES;
  for (; at + frameBytes <= bytes.byteLength && sameGeneration(view, at); at += frameBytes) {
    sums = checksum(view, at, 8, sums, littleEndian);
    sums = checksum(view, at + FRAME_HEADER_BYTES, frameBytes - FRAME_HEADER_BYTES, sums, littleEndian);
    if (sums[0] !== view.getUint32(at + 16) || sums[1] !== view.getUint32(at + 20)) break;
    frames += 1;
    if (view.getUint32(at + 4) > 0) committedFrames = frames;
  }
  return { committedFrames, tornBytes: tornFrom(view, HEADER_BYTES + committedFrames * frameBytes, frameBytes) };
}

/** Frames of an earlier generation normally lie after the current ones; they are not torn. */
function tornFrom(view: DataView, committedEnd: number, frameBytes: number): number {
  let at = committedEnd;
  while (at + frameBytes <= view.byteLength && sameGeneration(view, at)) at += frameBytes;
  const rest = view.byteLength - at;
  const partial = rest < frameBytes && (rest < FRAME_HEADER_BYTES || sameGeneration(view, at)) ? rest : 0;
  return at - committedEnd + partial;
}

function sameGeneration(view: DataView, at: number): boolean {
  return view.getUint32(at + 8) === view.getUint32(16) && view.getUint32(at + 12) === view.getUint32(20);
}

function checksum(
  view: DataView,
  from: number,
  bytes: number,
  start: readonly [number, number],
  littleEndian: boolean,
): [number, number] {
  let [first, second] = start;
  for (let at = from; at < from + bytes; at += 8) {
    first = (first + view.getUint32(at, littleEndian) + second) >>> 0;
    second = (second + view.getUint32(at + 4, littleEndian) + first) >>> 0;
  }
  return [first, second];
}
