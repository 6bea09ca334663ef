/*
 * The opening of a WebSocket (RFC 6455 §4) in the one form that our own processes write, straight on TCP or a Unix
 * socket. A mesh of n cores opens n² / 2 links while all of them boot, and node:http's request and parser made up most
 * of that cost. The first frame travels in a header of the request, so that the acceptor answers both in one packet, a
 * round trip and two wake-ups earlier. Every other form of request goes to node:http and ws (plain-http.ts), so
 * strangers meet the usual server.
 */
import { createHash, randomBytes } from 'node:crypto';
import { connect, Socket } from 'node:net';
import { WebSocket } from 'ws';
import { type LinkPlace, parseLinkAddress } from '../address.ts';
import { reasonOf } from '../certificate-errors.ts';
import { limit } from '../limits.ts';
import { BorrowedReads, NOBODY } from './borrowed-reads.ts';
import { faultOfDial } from './tls.ts';

/** Path of the links on a process's port; everything else there is plain HTTP. */
export const LINK_PATH = '/link';
/** The header that says why a certificate was refused. */
export const REFUSAL = 'Mk-Refused';
/** The header with a link's first frame, in base64. */
export const FIRST_FRAME = 'Mk-First-Frame';
export const MAX_PAYLOAD = 2 * limit('maxFrameBytes');
/** Either side of an opening gives up after the other has been silent this long. */
export const OPEN_TIMEOUT_MS = 10_000;

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const REQUEST =
  /^GET \/link HTTP\/1\.1\r\nHost: [^\r\n]+\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ([+/0-9A-Za-z]{22}==)\r\nSec-WebSocket-Version: 13\r\n(?:Mk-First-Frame: ([^\r\n]*)\r\n)?\r\n$/;
const MAX_REPLY_BYTES = 16 << 10;
const NO_MASK = (mask: Buffer): void => void mask.fill(0);
/** The defaults of ws, with our message size. */
const RECEIVING = {
  maxPayload: MAX_PAYLOAD,
  skipUTF8Validation: true,
  allowSynchronousEvents: true,
  maxBufferedChunks: 256 * 1024,
  maxFragments: 16 * 1024,
};

/** A request in our own form. */
export interface LinkRequest {
  readonly key: string;
  /** The link's first frame, if it came along. */
  readonly first: Buffer | null;
}

/** Parses bytes that are exactly one request in our own form; null otherwise. */
export function linkRequest(bytes: Buffer): LinkRequest | null {
  const [, key, first] = REQUEST.exec(bytes.toString('latin1')) ?? [];
  if (key === undefined) return null;
  const frame = first === undefined ? null : frameOfHeader(first);
  return frame === undefined ? null : { key, first: frame };
}

/**
 * The frame in a header's text; undefined when that is not base64, such as two headers of one name that node:http
 * joined.
 */
export function frameOfHeader(text: string): Buffer | undefined {
  return /^[+/0-9A-Za-z]*={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined;
}

/** A WebSocket on a paused socket: its owner resumes it once it listens and has given `reads` its taker. */
export interface OpenedWebSocket {
  readonly webSocket: WebSocket;
  readonly socket: Socket;
  readonly reads: BorrowedReads;
}

/**
 * The server's side: answers the request on a corked socket. The given socket must not be used again, except over TLS,
 * where it stays and reads in Node's way, since there is no connection beneath that could be taken over.
 */
export function acceptWebSocket(accepted: Socket, key: string, secured = false): OpenedWebSocket {
  const reads = new BorrowedReads();
  const socket = secured ? accepted.pause() : reads.takeOver(accepted);
  socket.cork();
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptOf(key)}\r\n\r\n`,
  );
  return { webSocket: webSocketOver(socket, true), socket, reads };
}

/**
 * The client's side, `over` TLS or, if that is null, TCP; `first` travels with the request. Calls once either `opened`,
 * with the bytes after the answer, or `failed`.
 */
export function dialWebSocket(
  address: string,
  first: Uint8Array | null,
  opened: (link: OpenedWebSocket, rest: Buffer) => void,
  failed: (reason: string) => void,
  over: ((to: LinkPlace, onread: object) => Socket) | null = null,
): Socket {
  const to = parseLinkAddress(address);
  if (to === null) {
    setImmediate(() => failed(`${JSON.stringify(address)} is not an address`));
    return new Socket();
  }
  const key = randomBytes(16).toString('base64');
  const reads = new BorrowedReads();
  const socket = over?.(to, reads.options) ?? connect({ ...to, noDelay: true, onread: reads.options });
  let reply = NOTHING;
  let failure = 'the peer closed the connection before it became a link';
  reads.take = (borrowed, length) => {
    reply = Buffer.concat([reply, borrowed.subarray(0, length)]);
    const end = reply.indexOf('\r\n\r\n');
    if (end < 0 && reply.length < MAX_REPLY_BYTES) return;
    const fault = faultOfReply(reply.toString('latin1', 0, Math.max(end, 0)), key);
    if (fault !== null) return give(fault);
    for (const [event, listener] of Object.entries(listeners)) socket.off(event, listener);
    socket.pause();
    reads.take = NOBODY;
    opened({ webSocket: webSocketOver(socket, false), socket, reads }, reply.subarray(end + 4));
  };
  const give = (reason: string): void => {
    reads.take = NOBODY;
    failure = reason;
    socket.destroy();
  };
  const listeners = {
    timeout: () => give('Opening handshake has timed out'),
    error: (error: NodeJS.ErrnoException) => void (failure = reasonOfError(error, over !== null)),
    close: () => failed(failure),
  };
  for (const [event, listener] of Object.entries(listeners)) socket.on(event, listener);
  socket.setTimeout(OPEN_TIMEOUT_MS);
  socket.write(
    `GET ${LINK_PATH} HTTP/1.1\r\nHost: ${'path' in to ? 'localhost' : address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n${first === null ? '' : `${FIRST_FRAME}: ${base64Of(first)}\r\n`}\r\n`,
  );
  return socket;
}

/** Why this is not a WebSocket server's answer to the key; null when it is. */
function faultOfReply(head: string, key: string): string | null {
  const [status = '', ...lines] = head.split('\r\n');
  const code = /^HTTP\/1\.1 (\d{3})(?: |$)/.exec(status)?.[1];
  const refusal = lines.find((line) => line.startsWith(`${REFUSAL}: `));
  if (refusal !== undefined) return refusal.slice(REFUSAL.length + 2);
  if (code !== '101')
    return code === undefined ? 'the peer does not speak HTTP' : `Unexpected server response: ${code}`;
  const headers = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  if (headers.get('upgrade')?.toLowerCase() !== 'websocket' || headers.get('connection')?.toLowerCase() !== 'upgrade')
    return 'Invalid Upgrade header';
  if (headers.get('sec-websocket-accept') !== acceptOf(key)) return 'Invalid Sec-WebSocket-Accept header';
  return headers.has('sec-websocket-extensions') || headers.has('sec-websocket-protocol')
    ? 'the peer chose an extension that was not offered'
    : null;
}

function reasonOfError(error: NodeJS.ErrnoException, secured: boolean): string {
  const fault = secured ? faultOfDial(error) : null;
  return fault === null ? (error.code ?? error.message) : reasonOf(fault);
}

function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}

function acceptOf(key: string): string {
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64');
}

/** Fields that ws keeps private, and that its own client and server set. */
interface Internals {
  _isServer: boolean;
  setSocket(socket: Socket, head: Buffer, options: typeof RECEIVING & { readonly generateMask?: typeof NO_MASK }): void;
}

/** A WebSocket over a socket whose opening is complete, as ws's own server makes it. */
function webSocketOver(socket: Socket, isServer: boolean): WebSocket {
  socket.pause();
  const webSocket = new (
    WebSocket as unknown as new (address: null, protocols: undefined, options: object) => WebSocket & Internals
  )(null, undefined, { autoPong: false, closeTimeout: 30_000 });
  webSocket._isServer = isServer;
  webSocket.setSocket(socket, NOTHING, isServer ? RECEIVING : { ...RECEIVING, generateMask: NO_MASK });
  return webSocket;
}

const NOTHING: Buffer = Buffer.alloc(0);
