import type { X509Certificate } from 'node:crypto';
import { Agent, type ClientRequest, type ClientRequestArgs } from 'node:http';
import { connect, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { LinkPlace } from '@mk/monitor-proto/address';
import type { TlsEnd } from '@mk/monitor-proto/io/tls';

/**
 * How long an idle connection is kept, in ms. Far less than our servers keep theirs (KEEP_ALIVE_MS), so that no request
 * meets a connection that the server is closing; more than the interval of a caller that polls every second.
 */
const KEPT_MS = 4000;

/**
 * Connections to control ports, kept for a while: opening one over TLS costs several times the request. They keep no
 * process running. A request is never repeated automatically, since it may have taken effect.
 */
export class KeptConnections extends Agent {
  constructor(private readonly tls: TlsEnd | null) {
    super({ keepAlive: true, maxSockets: 128, scheduling: 'fifo' });
  }

  override createConnection({ host, port, socketPath }: ClientRequestArgs): Socket {
    const to: LinkPlace =
      socketPath === undefined ? { host: host ?? 'localhost', port: Number(port) } : { path: socketPath };
    return this.tls?.dialServer(to) ?? connect(to);
  }

  override keepSocketAlive(socket: Duplex): boolean {
    super.keepSocketAlive(socket);
    // The agent closes a connection that times out while no request is on it.
    if (socket instanceof Socket) socket.setTimeout(KEPT_MS);
    return true;
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    if (socket instanceof Socket) socket.setTimeout(0);
    super.reuseSocket(socket, request);
  }

  /**
   * The certificate that a process shows and this end accepts; null: the connection is not TLS. Rejects as a request
   * does.
   */
  certificateAt(to: LinkPlace, timeoutMs: number): Promise<X509Certificate | null> {
    const socket = this.tls?.dialServer(to);
    if (socket === undefined) return Promise.resolve(null);
    return new Promise<X509Certificate | null>((resolve, reject) => {
      socket.once('secureConnect', () => resolve(socket.getPeerX509Certificate() ?? null));
      socket.once('error', reject).once('close', () => reject(new Error('the connection was closed')));
      socket.setTimeout(timeoutMs, () => reject(new Error(`no answer within ${timeoutMs / 1000} s`)));
    }).finally(() => socket.on('error', () => undefined).destroy());
  }

  /** Closes idle connections to processes whose certificate was revoked since they were opened. */
  dropRevoked(): void {
    const { tls } = this;
    if (tls === null) return;
    for (const sockets of Object.values(this.freeSockets))
      for (const socket of sockets ?? [])
        if (socket instanceof TLSSocket && tls.hasRevokedPeerOf(socket)) socket.destroy();
  }
}
