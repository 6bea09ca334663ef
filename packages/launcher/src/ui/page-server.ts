import { known } from '@mk/monitor-proto/assert';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { KEEP_ALIVE_MS } from '@mk/monitor-proto/io/keep-alive';
import { portOf } from '@mk/monitor-proto/io/port';
import { isIPv6 } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { BEAT_MS, type PageEvent } from '@mk/ui/model/page-events';
import type { PagePlace } from '../boot/page-place.ts';
import { CommandError } from '../cli/usage-error.ts';
import { PageClient } from './page-client.ts';
import { type PageFiles, SAFE_HEADERS } from './page-files.ts';
import { hostRefusal, originRefusal } from './page-guard.ts';
import type { PageSource } from './page-source.ts';

/** Pages open on one cluster at a time, and bytes of one request. */
const MOST = { pages: 32, requestBytes: 16_384 } as const;
/** A connection silent for this long is closed. */
const PING_MS = 15_000;

/**
 * Serves the page and its one WebSocket on its own port; without the cluster's token, nothing that it serves changes
 * anything.
 */
export class PageServer {
  private readonly server: Server;
  private readonly sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MOST.requestBytes,
    perMessageDeflate: false,
    autoPong: false,
  });
  private readonly clients = new Set<PageClient>();
  private timers: readonly NodeJS.Timeout[] = [];

  constructor(
    private readonly place: PagePlace,
    private readonly files: PageFiles,
    private readonly source: PageSource,
  ) {
    this.server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) =>
      this.answer(request, response),
    );
    this.server.on('upgrade', (request, socket, head) => this.upgrade(request, socket, head));
  }

  /** Listens; resolves with the page's URL, without a token. */
  async listen(): Promise<string> {
    const { host, port } = this.place;
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, this.place)));
      this.server.listen(port, host, resolve);
    });
    return `http://${isIPv6(host) ? `[${host}]` : host}:${portOf(this.server)}/`;
  }

  close(): void {
    this.stopTimers();
    this.source.rest();
    for (const client of this.clients) client.close();
    this.server.close();
    this.server.closeAllConnections();
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const refusal = hostRefusal(request.headers, this.place.names);
    if (refusal !== null) return refuse(response, 403, refusal);
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return refuse(response, 405, 'the page is read; it acts over its WebSocket');
    const path = known((request.url ?? '/').split('?')[0]);
    const zipped = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
    if (!this.files.answer(path, zipped, response)) refuse(response, 404, 'there is nothing here; the page is at /');
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const refusal = this.upgradeRefusal(request);
    if (refusal !== null) {
      const [status, text] = refusal;
      socket.end(
        `HTTP/1.1 ${status}\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
      );
      return;
    }
    this.sockets.handleUpgrade(request, socket, head, (websocket) => this.opened(websocket));
  }

  private upgradeRefusal({ url, headers }: IncomingMessage): readonly [status: string, text: string] | null {
    const refusal = originRefusal(headers, this.place.names);
    if (refusal !== null) return ['403 Forbidden', refusal];
    if ((url ?? '').split('?')[0] !== '/events') return ['404 Not Found', 'the WebSocket is at /events'];
    return this.clients.size >= MOST.pages
      ? ['503 Service Unavailable', `${MOST.pages} pages look at this cluster already`]
      : null;
  }

  private opened(websocket: WebSocket): void {
    if (this.clients.size === 0) this.wake();
    const client = new PageClient(websocket, this.source, () => this.attentionChanged());
    this.clients.add(client);
    websocket.on('close', () => this.closed(client));
    client.open(this.source.opening());
  }

  private closed(client: PageClient): void {
    this.clients.delete(client);
    this.attentionChanged();
    if (this.clients.size > 0) return;
    this.source.rest();
    this.stopTimers();
  }

  private wake(): void {
    this.source.start((event: PageEvent) => {
      for (const client of this.clients) client.tell(event);
    });
    this.timers = [
      setInterval(() => this.clients.forEach((client) => client.beat()), BEAT_MS),
      setInterval(() => this.clients.forEach((client) => client.ping()), PING_MS),
    ];
    for (const timer of this.timers) timer.unref();
  }

  private stopTimers(): void {
    for (const timer of this.timers) clearInterval(timer);
    this.timers = [];
  }

  /** Every page gets what any of them looks at: they are few. The root chosen last counts for all. */
  private attentionChanged(): void {
    const all = [...this.clients].map(({ attention }) => attention);
    const tree = all.filter(({ what }) => what.has('tree')).at(-1);
    const what = new Set(all.flatMap((attention) => [...attention.what]));
    this.source.attend({ what, root: tree?.root ?? 0, plan: tree?.plan ?? 'multicast' });
  }
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { ...SAFE_HEADERS, 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}

function listenError(error: NodeJS.ErrnoException, { host, port }: PagePlace): Error {
  if (error.code === 'EADDRINUSE')
    return new CommandError(`the page cannot listen on ${host}:${port}: it is in use; choose another port`, 2);
  return new CommandError(
    `the page cannot listen on ${host}:${port} (${error.code}); choose an address of this host`,
    2,
  );
}
