/*
 * The transport contract, which the simulated network keeps as well (test/conformance):
 *
 *   T1  a frame arrives whole and unaltered, or not at all, and on one link in the order of sending;
 *   T2  link_up comes once, before the link's other frames; at the accepting end it brings the frame that came with the
 *       opening. link_down comes once, after the last frame, for every link that was requested or came up, unless this
 *       end closed it itself;
 *   T3  frames sent before `close` are delivered if the link still carries them; after it this end hears nothing more.
 */
import { portOf } from './port.ts';
import type { RequestListener } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { LinkPlace } from '../address.ts';
import type { LinkId } from '../ids.ts';
import type { BorrowedReads } from './borrowed-reads.ts';
import { PlainHttp } from './plain-http.ts';
import { SocketListener } from './socket-listener.ts';
import { type CertificateFault, reasonOf } from '../certificate-errors.ts';
import type { CertifiedNames } from '../handshake/certified.ts';
import { SecuredConnections } from './secured-connections.ts';
import type { TlsEnd } from './tls.ts';
import { SMALL_FRAME_BYTES, webSocketFrame } from './websocket-frame.ts';
import { answerPings } from './websocket-pings.ts';
import { readWholeMessages } from './websocket-reading.ts';
import {
  acceptWebSocket,
  dialWebSocket,
  linkRequest,
  OPEN_TIMEOUT_MS,
  type OpenedWebSocket,
} from './websocket-opening.ts';

/** The events that a transport reports to its host. */
export interface TransportOwner {
  /**
   * `first`: the frame that came with the opening, for the callee to keep; null on a link that this end opened.
   * `names`: whom the certificate of the other end, which opened the link, lets it be; TLS only.
   */
  linkUp(link: LinkId, first: Uint8Array | null, names?: CertifiedNames): void;
  linkDown(link: LinkId, reason: string): void;
  /** The frame's bytes are borrowed: valid until this returns. */
  frame(link: LinkId, frame: Uint8Array): void;
  /** TLS refused a connection before it became a link or a request. */
  connectionRefused?(fault: CertificateFault, from: string): void;
}

/** Carries frames between processes. */
export interface Transport {
  /** Starts accepting links; resolves to the port. Rejects when the port is not available. */
  listen(host: string, port: number): Promise<number>;
  /** Also accepts links at a Unix socket. Rejects with one line that says why the socket is not available. */
  listenAt(path: string): Promise<void>;
  /**
   * Opens a link to `host:port` or `ws+unix:/path` under an odd id that the caller chooses; `first`, if not null,
   * travels with the opening. Over TLS the other end’s certificate must be for `name`.
   */
  open(link: LinkId, address: string, first: Uint8Array | null, name?: string): void;
  send(link: LinkId, frame: Uint8Array): void;
  close(link: LinkId, reason: string): void;
  /** Breaks a link's socket without notice, as a network does. */
  reset(link: LinkId): void;
  /** Ends every link and stops accepting. */
  shutdown(): void;
}

/** A peer that does not answer a close frame within this time is cut off. */
const CLOSE_PATIENCE_MS = 1000;

/** Links over WebSockets: one socket per link, one binary message per frame. */
export class WebSocketTransport implements Transport {
  private readonly sockets = new Map<LinkId, WebSocket>();
  /** Links that this end is opening. */
  private readonly opening = new Map<LinkId, Socket>();
  /** Connections that have said nothing yet. */
  private readonly silent = new Set<Socket>();
  private readonly server: Server;
  /** Where processes of the same host connect; null: at the port. */
  private local: SocketListener | null = null;
  private readonly http: PlainHttp;
  private readonly secured: SecuredConnections | null;
  private nextAccepted: LinkId = 2;

  constructor(
    private readonly owner: TransportOwner,
    http: RequestListener,
    private readonly tls: TlsEnd | null = null,
  ) {
    this.http = new PlainHttp(http, (webSocket, first, socket) =>
      this.accepted(webSocket, null, first, this.secured?.namesOf(socket)),
    );
    this.secured =
      tls === null
        ? null
        : new SecuredConnections(tls, {
            secured: (socket) => this.connected(socket),
            refused: (fault, from) => owner.connectionRefused?.(fault, from),
            revoked: (socket, fault) => this.revoked(socket, fault),
          });
    this.server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.connecting(socket));
  }

  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ host, port, backlog: 2048 }, () => {
        // a connection that could not be accepted: the dialler tries again
        this.server.off('error', reject).on('error', () => undefined);
        resolve(portOf(this.server));
      });
    });
  }

  async listenAt(path: string): Promise<void> {
    this.local = await SocketListener.at(path, (socket) => this.connecting(socket));
  }

  open(link: LinkId, address: string, first: Uint8Array | null, name = ''): void {
    const opened = ({ webSocket, socket, reads }: OpenedWebSocket, rest: Buffer): void => {
      this.opening.delete(link);
      this.secured?.dialled(socket);
      this.adopt(link, webSocket, reads);
      this.owner.linkUp(link, null);
      if (rest.length > 0) reads.take(rest, rest.length);
      socket.resume();
    };
    const failed = (reason: string): void => {
      if (this.opening.delete(link)) this.owner.linkDown(link, reason);
    };
    const { tls } = this;
    const over = tls === null ? null : (to: LinkPlace, onread: object) => tls.dial(to, name, onread);
    this.opening.set(link, dialWebSocket(address, first, opened, failed, over));
  }

  send(link: LinkId, frame: Uint8Array): void {
    const socket = this.sockets.get(link);
    if (socket?.readyState !== WebSocket.OPEN) return;
    if (frame.length > SMALL_FRAME_BYTES) socket.send(frame, BINARY);
    else rawSocketOf(socket).write(webSocketFrame(frame, isDialled(link)));
  }

  close(link: LinkId, reason: string): void {
    const socket = this.sockets.get(link);
    if (socket === undefined) return this.giveUp(link);
    this.sockets.delete(link);
    socket.removeAllListeners('message');
    socket.close(CLOSE_CODE, reason.slice(0, 120));
    const patience = setTimeout(() => socket.terminate(), CLOSE_PATIENCE_MS);
    patience.unref();
    socket.once('close', () => clearTimeout(patience));
  }

  reset(link: LinkId): void {
    this.opening.get(link)?.destroy();
    const socket = this.sockets.get(link);
    if (socket === undefined) return;
    const raw = rawSocketOf(socket);
    if (this.tls === null) breakOff(raw);
    else raw.destroy(); // Node can reset only plain TCP
  }

  shutdown(): void {
    this.server.close();
    this.local?.close();
    this.http.close();
    this.secured?.close();
    for (const socket of this.silent) socket.destroy();
    for (const link of [...this.opening.keys()]) this.giveUp(link);
    for (const socket of this.sockets.values()) socket.close(CLOSE_CODE, 'SHUTTING_DOWN');
  }

  /** Ends a link that is not up yet, without telling its owner, who asked for it. */
  private giveUp(link: LinkId): void {
    const socket = this.opening.get(link);
    this.opening.delete(link);
    socket?.destroy();
  }

  /** Handles a new connection; TLS comes first if there is any. */
  private connecting(socket: Socket): void {
    if (this.secured === null) this.connected(socket);
    else this.secured.take(socket);
  }

  /** Handles a new connection whose first bytes decide between a link and an HTTP request. */
  private connected(socket: Socket): void {
    const first = (bytes: Buffer): void => {
      leave();
      const request = linkRequest(bytes);
      if (request === null) return this.http.take(socket, bytes);
      const accepted = acceptWebSocket(socket, request.key, this.tls !== null);
      this.accepted(accepted.webSocket, accepted.reads, request.first, this.secured?.namesOf(socket));
      accepted.socket.uncork(); // the answer and the reply to the first frame leave together
      accepted.socket.resume();
    };
    const end = (): void => void socket.destroy();
    const leave = (): void => {
      this.silent.delete(socket);
      socket.off('data', first).off('error', end).off('timeout', end).off('end', end).off('close', leave);
      socket.setTimeout(0);
    };
    this.silent.add(socket);
    socket.on('data', first).on('error', end).on('timeout', end).on('end', end).on('close', leave);
    socket.setTimeout(OPEN_TIMEOUT_MS);
  }

  private accepted(
    webSocket: WebSocket,
    reads: BorrowedReads | null,
    first: Buffer | null,
    names?: CertifiedNames,
  ): void {
    const link = this.nextAccepted;
    this.nextAccepted += 2;
    this.adopt(link, webSocket, reads);
    if (names === undefined) this.owner.linkUp(link, first);
    else this.owner.linkUp(link, first, names);
  }

  /** The certificate of a connection's other end has been revoked since it was opened. */
  private revoked(socket: Socket, fault: CertificateFault): void {
    for (const [link, webSocket] of this.sockets) {
      if (rawSocketOf(webSocket) !== socket) continue;
      this.close(link, fault.error);
      this.owner.linkDown(link, reasonOf(fault));
    }
    socket.destroy();
  }

  private adopt(link: LinkId, socket: WebSocket, reads: BorrowedReads | null): void {
    let failure = '';
    this.sockets.set(link, socket);
    socket.binaryType = 'nodebuffer';
    answerPings(socket);
    const take = readWholeMessages(socket, !isDialled(link), (payload) => this.owner.frame(link, payload));
    if (reads !== null) reads.take = take;
    socket.on('message', (data, isBinary) => {
      this.owner.frame(link, isBinary && Buffer.isBuffer(data) ? data : NOT_A_FRAME);
    });
    socket.on('error', (error) => {
      failure = describe(error);
    });
    socket.on('close', (code, reason) => {
      if (this.sockets.get(link) !== socket) return;
      this.sockets.delete(link);
      this.owner.linkDown(link, failure || reason.toString() || `closed with code ${code}`);
    });
  }
}

/**
 * The socket beneath an open WebSocket: ws keeps it private, and has no other way to reset it or to write past its
 * queue.
 */
function rawSocketOf(socket: WebSocket): Socket {
  return (socket as WebSocket & { readonly _socket: Socket })._socket;
}

/** A Unix socket has no reset: it just ends, which is as sudden. */
function breakOff(socket: Socket): void {
  if (socket.remoteFamily === undefined) socket.destroy();
  else socket.resetAndDestroy();
}

/** Links that this end opened have odd ids: the client side of a WebSocket, which masks. */
export function isDialled(link: LinkId): boolean {
  return link % 2 === 1;
}

const BINARY = { binary: true, compress: false } as const;
const CLOSE_CODE = 4000;
/**
 * A text message is not a frame: it is delivered as a byte that no frame may begin with, and refused like any garbage.
 */
const NOT_A_FRAME = Uint8Array.of(0xc1);

function describe(error: Error & { readonly code?: string }): string {
  if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') return 'FRAME_TOO_LARGE';
  return error.code ?? error.message;
}
