import { entriesOf } from './tables.ts';
import { CERTIFICATE_ERRORS } from './certificate-errors.ts';
import { CAPABILITY_ERRORS } from './capability-errors.ts';
import { PROGRAM_ERRORS } from './program-errors.ts';
import { CHANNEL_ERRORS } from './channel-errors.ts';
import { MEMORY_ERRORS } from './memory-errors.ts';

/**
 * Every error that a peer, a program or a person may receive. `definite`: the operation certainly did not happen. Codes
 * never change, and retired ones are not reused: 0 (no error), 4 and 34.
 */
export const ERRORS = {
  BUSY: { code: 1, definite: true, doc: 'The queue to the peer is full; try again when it drains.' },
  PEER_GONE: { code: 2, definite: false, doc: 'The peer’s incarnation was declared gone before it answered.' },
  PEER_UNKNOWN: { code: 3, definite: true, doc: 'No core of that id is a member.' },
  OPERATION_TIMEOUT: { code: 5, definite: false, doc: 'Not everyone answered before the operation’s deadline.' },
  ROUND_REFUSED: { code: 6, definite: true, doc: 'A participant was not ready, so the round was aborted everywhere.' },
  VIEW_STALE: { code: 7, definite: true, doc: 'The operation belongs to another view than the participant’s.' },
  TOO_MANY_OPERATIONS: { code: 8, definite: true, doc: 'The core has reached its limit of operations in flight.' },
  NOT_A_MEMBER: { code: 9, definite: true, doc: 'This core has not finished joining.' },
  BAD_REQUEST: { code: 10, definite: true, doc: 'The arguments do not fit the verb.' },
  JOIN_TIMEOUT: {
    code: 11,
    definite: true,
    doc: 'The SKB answered, but did not admit the core before its join deadline.',
  },
  SKB_UNREACHABLE: { code: 12, definite: true, doc: 'The SKB did not answer at its address.' },
  WRONG_SECRET: { code: 20, definite: true, doc: 'The peer did not prove that it knows the cluster’s secret.' },
  WRONG_VERSION: { code: 21, definite: true, doc: 'The peer speaks another version of the protocol.' },
  WRONG_CLUSTER: { code: 22, definite: true, doc: 'The peer belongs to another cluster.' },
  WRONG_INCARNATION: { code: 23, definite: true, doc: 'The peer is not the incarnation that the registry announced.' },
  WRONG_PEER: {
    code: 24,
    definite: true,
    doc: 'A core other than the dialled one answered, or the peer may not link here.',
  },
  CORE_ID_TAKEN: { code: 25, definite: true, doc: 'A live core holds the requested id.' },
  CLUSTER_FULL: { code: 26, definite: true, doc: 'Every core id of the cluster is taken.' },
  BAD_FRAME: { code: 27, definite: true, doc: 'A frame did not decode or did not validate.' },
  FRAME_TOO_LARGE: { code: 28, definite: true, doc: 'A frame is larger than the limit.' },
  OUT_OF_PLACE: { code: 29, definite: true, doc: 'The protocol does not allow a frame or message at this point.' },
  HANDSHAKE_TIMEOUT: { code: 30, definite: true, doc: 'The link did not finish its handshake in time.' },
  SUPERSEDED: { code: 31, definite: true, doc: 'A newer link to the same peer took this one’s place.' },
  SHUTTING_DOWN: { code: 32, definite: true, doc: 'The process is ending.' },
  TOO_MANY_LINKS: { code: 33, definite: true, doc: 'Too many links are waiting for their handshake.' },
  INTERNAL: {
    code: 35,
    definite: false,
    doc: 'A bug in mk, hit while handling this request; the process’s log says more.',
  },
  POISONED: {
    code: 36,
    definite: true,
    doc: 'The same request ended an earlier life of this process, which now refuses it.',
  },
  LINK_CROSSED: {
    code: 38,
    definite: true,
    doc: 'Both ends opened a link at the same time; the lower core’s goes on and carries everything.',
  },
  CORE_FENCED: {
    code: 37,
    definite: false,
    doc: 'The core has no lease: it does not reach a majority of the view, so nothing that it computes may leave it.',
  },
  ...CAPABILITY_ERRORS,
  ...PROGRAM_ERRORS,
  ...CHANNEL_ERRORS,
  ...MEMORY_ERRORS,
  ...CERTIFICATE_ERRORS,
} as const;

export type ErrorName = keyof typeof ERRORS;

const NAME_BY_CODE = new Map<number, ErrorName>(entriesOf(ERRORS).map(([name, row]) => [row.code, name]));

/** The error with this code on the wire; null when this version knows no such code. */
export function errorOfCode(code: number): ErrorName | null {
  return NAME_BY_CODE.get(code) ?? null;
}

export function isErrorName(text: string): text is ErrorName {
  return Object.hasOwn(ERRORS, text);
}

/** Whether the same call may succeed a little later, because only another operation was in the way. */
export function isWorthRetrying(name: ErrorName): boolean {
  return 'again' in ERRORS[name] || RETRIED.has(name);
}

const RETRIED: ReadonlySet<ErrorName> = new Set<ErrorName>([
  'BUSY',
  'ROUND_REFUSED',
  'VIEW_STALE',
  'TOO_MANY_OPERATIONS',
]);
