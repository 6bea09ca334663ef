import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import type { LinkId } from '../ids.ts';
import { limit } from '../limits.ts';
import { SMALL_FRAME_BYTES, webSocketFrame } from './websocket-frame.ts';

/*
 * The transport contract, which the simulated network keeps as well (test/conformance):
 *
 *   T1  a frame arrives whole and unaltered, or not at all; on one link in the order of sending;
 *   T2  link_up comes once, before the link's first frame; link_down comes once, after its last one, for every link that
 *       was asked for or came up, whatever ended it but this end's own `close`;
 *   T3  frames sent before `close` are delivered if the link still carries them; after it this end hears nothing more.
 */

/** What a transport tells its host. */
export interface TransportOwner {
  linkUp(link: LinkId): void;
  linkDown(link: LinkId, reason: string): void;
  frame(link: LinkId, frame: Uint8Array): void;
}

/** Carries frames between processes. */
export interface Transport {
  /** Begins to accept links; resolves to the port. Rejects when the port cannot be had. */
  listen(host: string, port: number): Promise<number>;
  /** Opens a link to `host:port` under an odd id of the caller's choice. */
  open(link: LinkId, address: string): void;
  send(link: LinkId, frame: Uint8Array): void;
  close(link: LinkId, reason: string): void;
  /** Breaks the socket of a link without a word, as a network does. */
  reset(link: LinkId): void;
  /** Ends every link and stops accepting. */
  shutdown(): void;
}

/** Path of the links on a process's port; everything else there is plain HTTP. */
export const LINK_PATH = '/link';

const MAX_PAYLOAD = 2 * limit('maxFrameBytes');
/** A peer that does not answer a close frame within this time is cut off. */
const CLOSE_PATIENCE_MS = 1000;
const OPEN_TIMEOUT_MS = 10_000;
const NO_MASK = (mask: Buffer): void => void mask.fill(0);

/** Links over WebSockets: one socket a link, one binary message a frame. */
export class WebSocketTransport implements Transport {
  private readonly sockets = new Map<LinkId, WebSocket>();
  private readonly server: Server;
  private readonly acceptor = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: MAX_PAYLOAD, clientTracking: false, skipUTF8Validation: true });
  private nextAccepted: LinkId = 2;

  constructor(
    private readonly owner: TransportOwner,
    http: RequestListener,
  ) {
    this.server = createServer(http);
    this.server.on('upgrade', (request, socket, head) => this.upgrade(request, socket as Socket, head));
    this.server.on('clientError', (_error, socket) => socket.destroy());
  }

  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ host, port, backlog: 2048 }, () => {
        this.server.off('error', reject);
        resolve((this.server.address() as AddressInfo).port);
      });
    });
  }

  open(link: LinkId, address: string): void {
    const socket = new WebSocket(`ws://${address}${LINK_PATH}`, {
      perMessageDeflate: false, maxPayload: MAX_PAYLOAD, skipUTF8Validation: true, generateMask: NO_MASK, handshakeTimeout: OPEN_TIMEOUT_MS,
    });
    this.adopt(link, socket);
    socket.on('open', () => this.owner.linkUp(link));
  }

  send(link: LinkId, frame: Uint8Array): void {
    const socket = this.sockets.get(link);
    if (socket?.readyState !== WebSocket.OPEN) return;
    if (frame.length > SMALL_FRAME_BYTES) socket.send(frame, BINARY);
    else rawSocketOf(socket).write(webSocketFrame(frame, isDialled(link)));
  }

  close(link: LinkId, reason: string): void {
    const socket = this.sockets.get(link);
    if (socket === undefined) return;
    this.sockets.delete(link);
    socket.removeAllListeners('message');
    if (socket.readyState === WebSocket.CONNECTING) return socket.terminate();
    socket.close(CLOSE_CODE, reason.slice(0, 120));
    const patience = setTimeout(() => socket.terminate(), CLOSE_PATIENCE_MS);
    patience.unref();
    socket.once('close', () => clearTimeout(patience));
  }

  reset(link: LinkId): void {
    const socket = this.sockets.get(link);
    if (socket === undefined) return;
    if (socket.readyState === WebSocket.CONNECTING) socket.terminate();
    else rawSocketOf(socket).resetAndDestroy();
  }

  shutdown(): void {
    this.server.close();
    this.server.closeAllConnections();
    for (const socket of this.sockets.values()) socket.close(CLOSE_CODE, 'SHUTTING_DOWN');
  }

  private upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    if (request.url !== LINK_PATH) return void socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n');
    this.acceptor.handleUpgrade(request, socket, head, (accepted) => {
      const link = this.nextAccepted;
      this.nextAccepted += 2;
      this.adopt(link, accepted);
      this.owner.linkUp(link);
    });
  }

  private adopt(link: LinkId, socket: WebSocket): void {
    let failure = '';
    this.sockets.set(link, socket);
    socket.binaryType = 'nodebuffer';
    socket.on('message', (data, isBinary) => {
      if (isBinary) this.owner.frame(link, data as Buffer);
      else this.owner.frame(link, NOT_A_FRAME);
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

/** The TCP socket below an open WebSocket; ws keeps it to itself, and has no other way to reset it or to write past its queue. */
function rawSocketOf(socket: WebSocket): Socket {
  return (socket as WebSocket & { readonly _socket: Socket })._socket;
}

/** Links that this end opened have odd ids: the client's side of a WebSocket, which masks. */
function isDialled(link: LinkId): boolean {
  return link % 2 === 1;
}

const BINARY = { binary: true, compress: false } as const;
const CLOSE_CODE = 4000;
/** A text message is no frame: it is handed on as a byte that no frame may begin with, and refused like any other garbage. */
const NOT_A_FRAME = Uint8Array.of(0xc1);

function describe(error: Error & { readonly code?: string }): string {
  if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') return 'FRAME_TOO_LARGE';
  return error.code ?? error.message;
}
