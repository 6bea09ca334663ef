/** Converts coherence messages between their wire form (messages/memory.ts of monitor-proto) and the protocol's. */
import { handlerFor } from '@mk/monitor-proto/handlers';
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import { ERRORS, errorOfCode } from '@mk/monitor-proto/errors';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import type {
  AtomicOperation,
  PageError,
  PageMessage,
  PageMessageOf,
  PageState,
  Want,
} from '../../memory/coherence/messages.ts';

export const ATOMIC_OPERATIONS = [
  'add',
  'swap',
  'compare_and_swap',
  'and',
  'or',
] as const satisfies readonly AtomicOperation[];
const STATES = ['invalid', 'shared', 'modified'] as const satisfies readonly PageState[];
const WANTS = ['read', 'write', 'snapshot'] as const satisfies readonly Want[];
/* Names every field: object rest is several times slower in V8, and a miss converts four of these. */

const PAGE_ERRORS: readonly string[] = ['PAGE_LOST', 'HOME_LOST', 'PAGE_GONE'] satisfies PageError[];
const NOTHING = new Uint8Array(0);

type PageMessageType = PageMessage['type'];
type Wire = { readonly [T in PageMessageType]: MessageOf<T> }[PageMessageType];
type Encoders = { readonly [T in PageMessageType]: (message: PageMessageOf<T>) => MessageOf<T> };
type Decoders = { readonly [T in PageMessageType]: (message: MessageOf<T>) => PageMessageOf<T> | null };

const ENCODERS: Encoders = {
  page_request: ({ type, page, request, want, has }) => ({ type, page, request, want: WANTS.indexOf(want), has }),
  page_atomic: ({ type, page, request, atomic }) => ({
    type,
    page,
    request,
    operation: ATOMIC_OPERATIONS.indexOf(atomic.operation),
    offset: atomic.offset,
    operand: bytesOfWord(atomic.operand),
    expected: bytesOfWord(atomic.expected),
  }),
  page_grant: ({ type, page, request, transaction, version, state, data }) => ({
    type,
    page,
    request,
    transaction,
    version,
    state: STATES.indexOf(state),
    current: data === null,
    data: data ?? NOTHING,
  }),
  page_granted: (message) => message,
  page_refused: ({ error, ...rest }) => ({ ...rest, error: ERRORS[error].code }),
  page_atomic_reply: ({ old, ...rest }) => ({ ...rest, old: bytesOfWord(old) }),
  page_invalidate: (message) => message,
  page_invalidated: (message) => message,
  page_fetch: ({ type, page, transaction, keep }) => ({ type, page, transaction, keep: STATES.indexOf(keep) }),
  page_data: ({ type, page, transaction, version, held, data }) => ({
    type,
    page,
    transaction,
    version,
    held,
    has_data: data !== null,
    data: data ?? NOTHING,
  }),
  page_writeback: (message) => message,
  page_put: (message) => message,
  page_put_reply: (message) => message,
};

/** Null if a field has a value that the protocol does not know, or the bytes are not a page. */
const DECODERS: Decoders = {
  page_request({ type, page, request, want, has }) {
    const name = WANTS[want];
    return name === undefined ? null : { type, page, request, want: name, has };
  },
  page_atomic({ type, page, request, operation, offset, operand, expected }) {
    const name = ATOMIC_OPERATIONS[operation];
    if (name === undefined || offset % 8 !== 0 || offset >= PAGE_BYTES || operand.length !== 8 || expected.length !== 8)
      return null;
    const atomic = { operation: name, offset, operand: wordOfBytes(operand), expected: wordOfBytes(expected) };
    return { type, page, request, atomic };
  },
  page_grant({ type, page, request, transaction, version, state, current, data }) {
    const name = STATES[state];
    if (name === undefined || (!current && data.length !== PAGE_BYTES)) return null;
    return { type, page, request, transaction, version, state: name, data: current ? null : data };
  },
  page_granted: (message) => message,
  page_refused({ error, ...rest }) {
    const name = errorOfCode(error);
    return name === null || !PAGE_ERRORS.includes(name) ? null : { ...rest, error: name as PageError };
  },
  page_atomic_reply: ({ old, ...rest }) => (old.length === 8 ? { ...rest, old: wordOfBytes(old) } : null),
  page_invalidate: (message) => message,
  page_invalidated: (message) => message,
  page_fetch({ type, page, transaction, keep }) {
    const name = STATES[keep];
    return name === undefined ? null : { type, page, transaction, keep: name };
  },
  page_data: ({ type, page, transaction, version, held, has_data: hasData, data }) =>
    hasData && data.length !== PAGE_BYTES
      ? null
      : { type, page, transaction, version, held, data: hasData ? data : null },
  page_writeback: (message) => (message.data.length === PAGE_BYTES ? message : null),
  page_put: (message) => (message.offset + message.data.length <= PAGE_BYTES ? message : null),
  page_put_reply: (message) => message,
};

export function encodePageMessage(message: PageMessage): Wire {
  return handlerFor(ENCODERS, message.type)(message);
}

/** Decodes a peer's message; null: it is not part of the protocol. */
export function decodePageMessage(wire: Wire): PageMessage | null {
  return handlerFor(DECODERS, wire.type)(wire);
}

/** 8 bytes, little-endian. */
function bytesOfWord(word: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, word), true);
  return bytes;
}

function wordOfBytes(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
}
