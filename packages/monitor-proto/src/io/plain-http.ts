import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { KEEP_ALIVE_MS } from './keep-alive.ts';
import { FIRST_FRAME, frameOfHeader, LINK_PATH, MAX_PAYLOAD } from './websocket-opening.ts';

const BAD_REQUEST = 'HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n';

/**
 * The HTTP server of a process's port, for everything but links in our own form: `/healthz` and the like, and
 * strangers' WebSockets. Made on first use, because boot does not need it.
 */
export class PlainHttp {
  private server: Server | null = null;

  constructor(
    private readonly handler: RequestListener,
    private readonly accepted: (webSocket: WebSocket, first: Buffer | null, socket: Socket) => void,
  ) {}

  /** Serves a connection that begins with these bytes. */
  take(socket: Socket, first: Buffer): void {
    this.server ??= this.create();
    socket.pause();
    socket.unshift(first);
    this.server.emit('connection', socket);
    socket.resume();
  }

  close(): void {
    this.server?.closeAllConnections();
  }

  private create(): Server {
    const acceptor = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      autoPong: false,
      maxPayload: MAX_PAYLOAD,
      clientTracking: false,
      skipUTF8Validation: true,
    });
    const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, this.handler);
    server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      // node:http has removed its own listener: a reset would end the process
      socket.on('error', () => socket.destroy());
      if (request.url !== LINK_PATH) return void socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n');
      const header = request.headers[FIRST_FRAME.toLowerCase()];
      const first = header === undefined ? null : frameOfHeader(String(header));
      if (first === undefined) return void socket.end(BAD_REQUEST);
      acceptor.handleUpgrade(request, socket, head, (webSocket) => this.accepted(webSocket, first, socket));
    });
    // Bytes that are not HTTP, such as TLS on a port without it, get node:http's own answer: 400 or 431.
    server.emit('listening'); // the server does not listen itself; this starts its timing of connections
    return server;
  }
}
