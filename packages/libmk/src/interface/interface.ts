import { known } from '@mk/monitor-proto/assert';
import { isRecord } from '@mk/monitor-proto/guards';
import { formatLine } from '../runtime/format.ts';
import { MkError } from '../runtime/mk-error.ts';
import { type Fields, type Kind, record, type RecordOf } from './kinds.ts';

/** A request with an answer. */
export interface RpcSpec<I extends Fields, O extends Fields, E extends string> {
  readonly is: 'rpc';
  readonly in: I;
  readonly out: O;
  readonly errors: readonly E[];
}
/** A client's message to its server. */
export interface MessageSpec<F extends Fields> {
  readonly is: 'message';
  readonly fields: F;
}
/** A server's message to its client. */
export interface EventSpec<F extends Fields> {
  readonly is: 'event';
  readonly fields: F;
}
type AnySpec = RpcSpec<Fields, Fields, string> | MessageSpec<Fields> | EventSpec<Fields>;
export type Methods = Readonly<Record<string, AnySpec>>;

/** A request with an answer; `errors`: names with which the server may refuse, besides those of the error table. */
export function rpc<I extends Fields, O extends Fields, const E extends string = never>(spec: {
  readonly in?: I;
  readonly out?: O;
  readonly errors?: readonly E[];
}): RpcSpec<I, O, E> {
  return { is: 'rpc', in: spec.in ?? ({} as I), out: spec.out ?? ({} as O), errors: spec.errors ?? [] };
}

/** A message from client to server, without an answer. */
export function message<F extends Fields>(fields: F): MessageSpec<F> {
  return { is: 'message', fields };
}

/** A message from server to client, without an answer. */
export function event<F extends Fields>(fields: F): EventSpec<F> {
  return { is: 'event', fields };
}

/** One method on the wire. */
export interface Method {
  readonly name: string;
  readonly number: number;
  readonly is: AnySpec['is'];
  /** The kind of what its sender sends: the request, the message or the event. */
  readonly input: Kind<unknown>;
  readonly output: Kind<unknown> | null;
  readonly errors: readonly string[];
}

/** The agreement between the two ends of a channel. */
export interface Interface<M extends Methods = Methods> {
  readonly name: string;
  readonly methods: M;
  readonly rows: readonly Method[];
  readonly byName: ReadonlyMap<string, Method>;
  /** Equal for equal definitions, in whatever order: ends with different ones do not bind. */
  readonly fingerprint: string;
}

const METHOD_NAME = /^[a-zA-Z][a-zA-Z0-9_]*$/;
const MOST_METHODS = 256;

/**
 * Defines an interface: its TypeScript types are inferred, its values are checked at both ends, and its sizes are bounded.
 * The same interface is spoken over every transport. After Flounder (Barrelfish Technical Note 011, “Inter-dispatcher
 * communication in Barrelfish”).
 *
 * @example
 * export const Kv = defineInterface('kv', {
 *   get: rpc({ in: { key: text(64) }, out: { value: optional(bytes(4096)) } }),
 *   put: rpc({ in: { key: text(64), value: bytes(4096) }, errors: ['READ_ONLY'] }),
 *   forget: message({ key: text(64) }),
 *   changed: event({ key: text(64) }),
 * });
 */
export function defineInterface<const M extends Methods>(name: string, methods: M): Interface<M> {
  const names = Object.keys(methods).sort();
  if (names.length === 0 || names.length > MOST_METHODS)
    throw new RangeError(`interface ${name} has ${names.length} methods, not 1 … ${MOST_METHODS}`);
  for (const method of names) {
    if (!METHOD_NAME.test(method) || method === 'then')
      throw new RangeError(`interface ${name}: “${method}” is not a name of a method`);
  }
  const rows = names.map((method, number) => rowOf(method, number, known(methods[method])));
  const described = rows.map(describeRow).join('; ');
  return {
    name,
    methods,
    rows,
    byName: new Map(rows.map((row) => [row.name, row])),
    fingerprint: `${name}/${hash(described)}`,
  };
}

function rowOf(name: string, number: number, spec: AnySpec): Method {
  if (spec.is === 'rpc')
    return { name, number, is: 'rpc', input: kindOf(spec.in), output: kindOf(spec.out), errors: spec.errors };
  return { name, number, is: spec.is, input: kindOf(spec.fields), output: null, errors: [] };
}

function kindOf(fields: Fields): Kind<unknown> {
  return record(fields) as Kind<unknown>;
}

function describeRow({ name, is, input, output, errors }: Method): string {
  return `${is} ${name}${input.name}${output === null ? '' : ` → ${output.name} ${[...errors].sort().join('|')}`}`;
}

/** 64 bits of FNV-1a, as two halves: interfaces are not secrets. */
function hash(text: string): string {
  let [a, b] = [0x811c9dc5, 0x01000193];
  for (let i = 0; i < text.length; i++) {
    a = Math.imul(a ^ text.charCodeAt(i), 0x01000193);
    b = Math.imul(b ^ text.charCodeAt(i), 0x85ebca6b) ^ (a >>> 15);
  }
  return [a, b].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
}

/** The names of an interface's methods of one form. */
export type NamesOf<M extends Methods, Is extends AnySpec['is']> = {
  [N in keyof M]: M[N] extends { readonly is: Is } ? N : never;
}[keyof M] &
  string;

/** The values of a method's request, message or event. */
export type InputOf<S> =
  S extends RpcSpec<infer I, Fields, string>
    ? RecordOf<I>
    : S extends MessageSpec<infer F>
      ? RecordOf<F>
      : S extends EventSpec<infer F>
        ? RecordOf<F>
        : never;

/** The values of a method's answer. */
export type OutputOf<S> = S extends RpcSpec<Fields, infer O, string> ? RecordOf<O> : never;

/** Throws BAD_REQUEST for anything that `defineInterface` did not make: types do not bind a program in JavaScript. */
export function checkInterface(given: unknown): void {
  if (isRecord(given) && Array.isArray(given['rows']) && typeof given['fingerprint'] === 'string') return;
  throw new MkError(
    'BAD_REQUEST',
    `${formatLine([[given]]).slice(1, -1)} is not an interface: defineInterface makes one`,
  );
}
