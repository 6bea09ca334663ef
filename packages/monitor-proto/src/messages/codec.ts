import { entriesOf } from '../tables.ts';
import { known } from '../assert.ts';
import { CHECKERS, FIELD_KINDS, type FieldKind } from './fields.ts';
import { LANES, type MessageSpec } from './spec.ts';
import { type Message, MESSAGES, type MessageType, RETIRED_ORDINALS } from './table.ts';

/** A message as it stands in a frame: [ordinal, field, field, …] in the order of its row. */
export type WireMessage = readonly [ordinal: number, ...fields: unknown[]];
/** A message or, as a string, what is wrong with the bytes. */
export type Decoded = Message | string;

/** Source expressions for the size of fields other than plain numbers. */
const SIZE_OF_KIND: { readonly [K in FieldKind]?: (value: string) => string } = {
  str: (v) => `5 + ${v}.length`,
  bytes: (v) => `5 + ${v}.length`,
  u32s: (v) => `5 + 5 * ${v}.length`,
  floats: (v) => `5 + 9 * ${v}.length`,
  strs: (v) => `nestedBytes(${v})`,
  monitors: (v) => `nestedBytes(${v})`,
  route: (v) => `nestedBytes(${v})`,
  answers: (v) => `nestedBytes(${v})`,
  cap: (v) => `nestedBytes(${v})`,
  caps: (v) => `nestedBytes(${v})`,
};

function nestedBytes(value: unknown): number {
  if (typeof value === 'string') return 5 + value.length;
  if (!Array.isArray(value)) return 9;
  let bytes = 5;
  for (const item of value) bytes += nestedBytes(item);
  return bytes;
}

/** A compiled row: looked up once per message, by type when sending and by ordinal when receiving. */
export interface MessageCodec {
  readonly type: MessageType;
  readonly ordinal: number;
  /** Its lane's number: 0 is the most urgent. */
  readonly lane: number;
  /** The array form of a message of our own, which must be valid. */
  encode(message: Message): WireMessage;
  /** Its approximate size in a frame, in bytes; never less than half the true one. */
  bytes(message: Message): number;
  /** What is wrong with an array from a peer; null: nothing. Pure and allocation-free. */
  fault(wire: readonly unknown[]): string | null;
  /** The message in a valid array. */
  decode(wire: readonly unknown[]): Message;
}

/*
 * Encoders and decoders are generated from the table once, at load: one flat function per message, which V8 keeps
 * monomorphic. A loop over a field list costs three times as much per message (decision 0009).
 */
function compile(type: string, spec: MessageSpec): MessageCodec {
  const fields = Object.entries(spec.fields);
  const pack = fields.map(([name]) => `m.${name}`);
  const checks = fields.map(
    ([name, kind], i) =>
      `if (!(${FIELD_KINDS[kind].check(`w[${i + 1}]`)})) return '${type}.${name} is not a ${FIELD_KINDS[kind].doc}';`,
  );
  const sizes = fields.map(([name, kind]) => SIZE_OF_KIND[kind]?.(`m.${name}`) ?? '9');
  const unpack = fields.map(([name], i) => `${name}: w[${i + 1}]`);
  const helpers = Object.keys(CHECKERS).join(', ');
  const source = `
    const { ${helpers}, nestedBytes } = helpers;
    return {
      type: '${type}', ordinal: ${spec.ordinal}, lane: ${LANES.indexOf(spec.lane)},
      encode: (m) => [${[spec.ordinal, ...pack].join(', ')}],
      bytes: (m) => ${['4', ...sizes].join(' + ')},
      fault: (w) => {
        if (w.length !== ${fields.length + 1}) return '${type} has ' + (w.length - 1) + ' fields, not ${fields.length}';
        ${checks.join('\n        ')}
        return null;
      },
      decode: (w) => ({ ${[`type: '${type}'`, ...unpack].join(', ')} }),
    };`;
  // The source comes from the table alone, never from input.
  return new Function('helpers', source)({ ...CHECKERS, nestedBytes }) as MessageCodec;
}

/*
 * A codec is made when its message first occurs: compiling all of them took a booting core 16 ms, and it uses a dozen.
 */
const BY_TYPE = new Map<MessageType, MessageCodec>();
const BY_ORDINAL: (MessageCodec | undefined)[] = [];
const TYPE_OF_ORDINAL = new Map<unknown, MessageType>();
for (const [type, spec] of entriesOf(MESSAGES)) {
  if (TYPE_OF_ORDINAL.has(spec.ordinal)) throw new Error(`message ordinal ${spec.ordinal} is used twice`);
  if (RETIRED_ORDINALS.has(spec.ordinal)) throw new Error(`message ordinal ${spec.ordinal} is retired`);
  TYPE_OF_ORDINAL.set(spec.ordinal, type);
}

function make(type: MessageType): MessageCodec {
  const codec = compile(type, MESSAGES[type]);
  BY_TYPE.set(type, codec);
  BY_ORDINAL[codec.ordinal] = codec;
  return codec;
}

const NO_ARRAY = 'a message is not an array';

/** The codec of a message of our own. */
export function codecOf(type: MessageType): MessageCodec {
  return BY_TYPE.get(type) ?? make(type);
}

/** The codec of a message from a peer, or why there is none. */
export function codecOfWire(wire: unknown): MessageCodec | string {
  if (!Array.isArray(wire)) return NO_ARRAY;
  // Only a number may be looked up: an array also answers to 'length' and its methods' names.
  const codec = typeof wire[0] === 'number' ? BY_ORDINAL[wire[0]] : undefined;
  if (codec !== undefined) return codec;
  const type = TYPE_OF_ORDINAL.get(wire[0]);
  return type === undefined ? `no message has ordinal ${String(wire[0]).slice(0, 20)}` : make(type);
}

/** The array form of a message of our own, which must be valid. */
export function encodeMessage(message: Message): WireMessage {
  return codecOf(message.type).encode(message);
}

/** The message in an array from a peer, or what is wrong with it. */
export function decodeMessage(wire: unknown): Decoded {
  if (!Array.isArray(wire)) return NO_ARRAY;
  const codec = codecOfWire(wire);
  if (typeof codec === 'string') return codec;
  return codec.fault(wire) ?? codec.decode(wire);
}

/** The codec of a validated message. */
export function codecOfValid(wire: WireMessage): MessageCodec {
  return known(BY_ORDINAL[wire[0]]);
}
