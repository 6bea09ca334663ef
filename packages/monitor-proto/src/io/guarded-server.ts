import { createServer as createHttpServer, type RequestListener, type Server as HttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import type { CertificateFault } from '../certificate-errors.ts';
import { KEEP_ALIVE_MS } from './keep-alive.ts';
import { portOf } from './port.ts';
import { SecuredConnections } from './secured-connections.ts';
import { TlsEnd, type TlsSettings } from './tls.ts';

/** An HTTP server whose connections pass mutual TLS first, if it has credentials. */
export class GuardedServer {
  private readonly http: HttpServer;
  private readonly secured: SecuredConnections | null;
  private readonly server: Server;

  constructor(
    handler: RequestListener,
    tls: TlsSettings | null,
    refused: (fault: CertificateFault, from: string) => void,
  ) {
    this.http = createHttpServer({ keepAliveTimeout: KEEP_ALIVE_MS }, handler);
    this.secured =
      tls === null
        ? null
        : new SecuredConnections(new TlsEnd(tls), {
            secured: (socket) => this.http.emit('connection', socket),
            refused,
            revoked: (socket) => socket.destroy(),
          });
    const { secured } = this;
    this.server = secured === null ? this.http : createServer((socket) => secured.take(socket));
  }

  /** Listens; resolves to the port. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject).listen(port, host, () => {
        if (this.server !== this.http) this.http.emit('listening'); // starts the HTTP server's timing of connections
        resolve(portOf(this.server));
      });
    });
  }

  close(): void {
    this.server.close();
    this.secured?.close();
    this.http.closeAllConnections();
  }
}
