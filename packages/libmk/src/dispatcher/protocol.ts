/*
 * The border between a dispatcher and the CPU driver of its core.
 *
 * A dispatcher is *resumed* with a batch of upcalls and runs until its microtasks have drained: one *turn*. What it has
 * put into `outgoing` by then goes to the CPU driver as a batch of system calls. The upcall `reply` answers a call;
 * what the CPU driver serves alone can also be called within the turn (`callNow`). Both batches cross as bytes of one
 * codec, in a running core as in the simulator, and each end checks what it gets.
 *
 *   BD1  a batch decodes to what was encoded, or is refused as a whole;
 *   BD2  a turn brings at most `callsPerTurn` calls and `turnBytes` bytes; the rest stays in `outgoing`, in order, and
 *       the dispatcher is resumed again for it.
 */
import { entriesOf, keysOf, tableOf } from '@mk/monitor-proto/tables';
import { isWhole } from '@mk/monitor-proto/guards';
import type { Nanos } from '@mk/monitor-proto/ids';
import { borderLimit } from './limits.ts';
import { BorderError, isBytes, PlainReader, type PlainValue, type PlainWriter } from './plain-value.ts';

/** The type of each kind of upcall field. */
interface FieldTypes {
  readonly whole: number;
  readonly text: string;
  readonly texts: readonly string[];
  readonly wholes: readonly number[];
  readonly numbers: readonly number[];
  readonly bytes: Uint8Array;
  readonly names: Readonly<Record<string, string>>;
  readonly value: PlainValue;
}
type FieldKind = keyof FieldTypes;

/** A test for each kind. */
const FIELDS: { readonly [K in FieldKind]: (value: PlainValue) => boolean } = {
  whole: Number.isSafeInteger,
  text: (v) => typeof v === 'string',
  texts: (v) => isListOf(v, (x) => typeof x === 'string'),
  wholes: (v) => isListOf(v, Number.isSafeInteger),
  numbers: (v) => isListOf(v, Number.isFinite),
  bytes: isBytes,
  names: isNames,
  value: () => true,
};

interface UpcallSpec {
  /** Never changes; a retired upcall keeps its row. */
  readonly ordinal: number;
  readonly fields: Readonly<Record<string, FieldKind>>;
  readonly doc: string;
}

/** The upcalls: what a CPU driver tells a dispatcher. */
const UPCALLS = {
  run: {
    ordinal: 0,
    fields: {
      domain: 'text',
      core: 'whole',
      dispatcher: 'whole',
      program: 'text',
      /** `main`: the domain's first dispatcher; `span`: one that another dispatcher of the domain asked for. */
      part: 'text',
      /** The cores on which the domain had dispatchers when this one began; the first dispatcher's core comes first. */
      cores: 'wholes',
      args: 'texts',
      environment: 'names',
      /** Addresses of the capabilities that came with the spawn, in the order given. */
      capabilities: 'wholes',
    },
    doc: 'The first upcall, once: who the dispatcher is and what its program was given.',
  },
  reply: {
    ordinal: 1,
    fields: { call: 'whole', error: 'text', text: 'text', value: 'value' },
    doc: 'The answer to a system call. error: empty, or a name of the error table with a text for people.',
  },
  message: {
    ordinal: 2,
    fields: { channel: 'whole', words: 'numbers', data: 'bytes', capabilities: 'wholes' },
    doc: 'A message on an endpoint or channel; its capabilities lie at these addresses.',
  },
  writable: { ordinal: 3, fields: { channel: 'whole' }, doc: 'A channel that said BUSY takes messages again.' },
  closed: {
    ordinal: 4,
    fields: { channel: 'whole', error: 'text' },
    doc: 'Nothing more comes on this channel; error says why, a name of the error table.',
  },
  timer: { ordinal: 5, fields: { timer: 'whole' }, doc: 'A timer that was set by set_timer is due.' },
  page_fault: {
    ordinal: 6,
    fields: { address: 'whole', access: 'text' },
    doc: 'An access to memory without the mapping or the right for it.',
  },
  trap: { ordinal: 7, fields: { error: 'text', text: 'text' }, doc: 'The dispatcher did what it may not; it goes on.' },
  interrupt: { ordinal: 8, fields: {}, doc: 'The slice is over: the dispatcher must yield the core.' },
  span_joined: {
    ordinal: 9,
    fields: { core: 'whole' },
    doc: 'The domain has a dispatcher on this core from now on; all others of the domain are told.',
  },
  span_message: {
    ordinal: 10,
    fields: { core: 'whole', data: 'value' },
    doc: 'What the dispatcher of the same domain on that core sent with span_send; FIFO, exactly once.',
  },
  span_left: {
    ordinal: 11,
    fields: { core: 'whole', error: 'text' },
    doc: 'The domain’s dispatcher on that core has stopped, or its core is gone.',
  },
  consent: {
    ordinal: 12,
    fields: { op: 'text' },
    doc: 'A revoke waits for the consent of this dispatcher, which subscribed to revocations (consent_revoke).',
  },
  credit: {
    ordinal: 20,
    fields: { channel: 'whole', bytes: 'whole' },
    doc: 'The other end’s program has taken this many more bytes of a channel: as many may be sent.',
  },
  octopus_event: {
    ordinal: 21,
    fields: { id: 'whole', mode: 'whole', record: 'value' },
    doc: 'What a trigger or subscription of the dispatcher tells; record: its text, or null when it was removed.',
  },
  octopus_reset: {
    ordinal: 22,
    fields: {},
    doc: 'The knowledge base was restarted and has lost all triggers: waiters must look again.',
  },
  octopus_session_lost: {
    ordinal: 23,
    fields: { text: 'text' },
    doc: 'This core’s session with the knowledge base is over: what was set as transient is gone, or must be assumed gone.',
  },
} as const satisfies Record<string, UpcallSpec>;

export type UpcallType = keyof typeof UPCALLS;
export type UpcallOf<T extends UpcallType> = { readonly type: T } & {
  readonly [F in keyof (typeof UPCALLS)[T]['fields']]: (typeof UPCALLS)[T]['fields'][F] extends FieldKind
    ? FieldTypes[(typeof UPCALLS)[T]['fields'][F]]
    : never;
};
/** One upcall, as an object with its type. */
export type Upcall = { readonly [T in UpcallType]: UpcallOf<T> }[UpcallType];

/** A system call. `id`: the dispatcher's own number for it, which its reply carries; 0: no reply wanted. */
export type Call = readonly [id: number, name: string, args: readonly PlainValue[]];

/** The result of a call answered at once. */
export type CallResult =
  | { readonly ok: true; readonly value: PlainValue }
  | { readonly ok: false; readonly error: string; readonly text: string };

/** The input of a turn. */
export interface Resumption {
  /** The kernel's clock when the dispatcher got the core. */
  readonly now: Nanos;
  /** When its slice ends: past it the CPU driver asks for the core. */
  readonly until: Nanos;
  readonly upcalls: readonly Upcall[];
}

/** The result of a turn. */
export interface Turn {
  /** Oldest first. */
  readonly calls: readonly Call[];
  /** Calls are left for another turn (BD2), or the program asked to go on (`yield`). */
  readonly more: boolean;
  /** Time that the program declared with `mk.work`, for the simulator. */
  readonly workNs: Nanos;
}

const BY_ORDINAL = new Map<number, UpcallType>(entriesOf(UPCALLS).map(([type, { ordinal }]) => [ordinal, type]));
const FIELDS_OF = tableOf(keysOf(UPCALLS), (type) => {
  const { fields }: UpcallSpec = UPCALLS[type];
  return Object.entries(fields);
});

/** Encodes a turn's input; the bytes are valid until the writer's next use. */
export function encodeResumption(writer: PlainWriter, { now, until, upcalls }: Resumption): Uint8Array {
  writer.clear();
  writer.write(now);
  writer.write(until);
  writer.write(upcalls.length);
  for (const upcall of upcalls) {
    writer.write(UPCALLS[upcall.type].ordinal);
    const fields: Readonly<Record<string, PlainValue>> = upcall;
    for (const [field] of FIELDS_OF[upcall.type]) writer.write(fields[field]);
  }
  return writer.written();
}

/** Decodes a turn's input; throws BorderError. */
export function decodeResumption(bytes: Uint8Array): Resumption {
  const reader = new PlainReader(bytes);
  const now = wholeOf(reader, 'the time');
  const until = wholeOf(reader, 'the end of the slice');
  const count = wholeOf(reader, 'the number of upcalls');
  const upcalls: Upcall[] = [];
  for (let i = 0; i < count; i++) upcalls.push(readUpcall(reader));
  if (!reader.done) throw new BorderError('more bytes than upcalls');
  return { now, until, upcalls };
}

function readUpcall(reader: PlainReader): Upcall {
  const type = BY_ORDINAL.get(wholeOf(reader, 'an upcall'));
  if (type === undefined) throw new BorderError('no such upcall');
  const upcall: Record<string, PlainValue> = { type };
  for (const [field, kind] of FIELDS_OF[type]) {
    const value = reader.read();
    if (!FIELDS[kind](value)) throw new BorderError(`${type}: ${field} is not a valid ${kind}`);
    upcall[field] = value;
  }
  return upcall as Upcall;
}

/**
 * Encodes a turn, and takes the calls that fit out of `outgoing` (BD2). A call that cannot cross is dropped, and given
 * to `refuse` with the reason: the dispatcher is resumed again, so that its caller hears of it. `more`: whether it
 * wants another turn in any case.
 */
export function encodeTurn(
  writer: PlainWriter,
  outgoing: unknown[],
  more: boolean,
  workNs: Nanos,
  refuse: (call: unknown, reason: string) => void,
): Uint8Array {
  writer.clear();
  writer.write(workNs);
  let taken = 0;
  let goesOn = more;
  const refuseAndGoOn = (call: unknown, reason: string): void => {
    goesOn = true;
    refuse(call, reason);
  };
  const most = Math.min(outgoing.length, borderLimit('callsPerTurn'));
  for (; taken < most; taken++) {
    const before = writer.length;
    if (tryCall(writer, outgoing[taken], refuseAndGoOn) && writer.length > borderLimit('turnBytes') && taken > 0) {
      writer.rewind(before);
      break;
    }
  }
  outgoing.splice(0, taken);
  writer.write(goesOn || outgoing.length > 0);
  return writer.written();
}

/** Returns whether the call was written or refused. The program fills the queue, so it may hold anything. */
function tryCall(writer: PlainWriter, call: unknown, refuse: (call: unknown, reason: string) => void): boolean {
  const before = writer.length;
  try {
    const [id, name, args]: readonly unknown[] = Array.isArray(call) ? call : [];
    if (!(typeof id === 'number' && Number.isSafeInteger(id) && id >= 0))
      throw new BorderError('the number of a call is whole and not negative');
    if (typeof name !== 'string' || !Array.isArray(args)) throw new BorderError('a call is [id, name, args]');
    writer.write([id, name, args]);
    if (writer.length - before > borderLimit('turnBytes')) throw new BorderError('larger than a turn may be');
    return true;
  } catch (error) {
    writer.rewind(before);
    refuse(call, error instanceof BorderError ? error.message : 'its arguments cannot be read');
    return false;
  }
}

/** Decodes a turn; throws BorderError. */
export function decodeTurn(bytes: Uint8Array): Turn {
  if (bytes.length > TURN_BYTES_MOST) throw new BorderError('larger than a turn may be');
  const reader = new PlainReader(bytes);
  const workNs = wholeOf(reader, 'the work');
  if (workNs < 0) throw new BorderError('work that takes less than no time');
  const calls: Call[] = [];
  for (;;) {
    const value = reader.read();
    if (typeof value === 'boolean') {
      if (!reader.done || calls.length > borderLimit('callsPerTurn')) throw new BorderError('more than one turn');
      return { calls, more: value, workNs };
    }
    calls.push(callOf(value));
  }
}

/** A batch may hold two calls of the largest size: the last one is taken back only if it is not the first. */
export const TURN_BYTES_MOST = 2 * borderLimit('turnBytes') + 64;

function callOf(value: PlainValue): Call {
  if (!Array.isArray(value) || value.length !== 3) throw new BorderError('a call is [id, name, args]');
  const [id, name, args]: readonly PlainValue[] = value;
  if (!isWhole(id) || typeof name !== 'string' || !Array.isArray(args))
    throw new BorderError('a call is [id, name, args]');
  return [id, name, args];
}

/** Encodes the answer to `callNow`. */
export function encodeResult(writer: PlainWriter, result: CallResult): Uint8Array {
  writer.clear();
  writer.write(result.ok ? [result.value] : [result.error, result.text]);
  return writer.written();
}

/** Decodes the answer to `callNow`; throws BorderError. */
export function decodeResult(bytes: Uint8Array): CallResult {
  const value = new PlainReader(bytes).read();
  if (Array.isArray(value) && value.length === 1) return { ok: true, value: value[0] };
  if (Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'string')
    return { ok: false, error: value[0], text: value[1] };
  throw new BorderError('no answer');
}

function wholeOf(reader: PlainReader, what: string): number {
  const value = reader.read();
  if (!isWhole(value, Number.MIN_SAFE_INTEGER)) throw new BorderError(`${what} is not a whole number`);
  return value;
}

function isListOf(value: unknown, test: (x: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(test);
}

function isNames(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !isBytes(value) &&
    Object.values(value).every((x) => typeof x === 'string')
  );
}
