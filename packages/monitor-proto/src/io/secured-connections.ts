import { Socket } from 'node:net';
import { type Server, TLSSocket } from 'node:tls';
import { type CertificateFault, reasonOf } from '../certificate-errors.ts';
import type { CertifiedNames } from '../handshake/certified.ts';
import { type CertifiedPeer, TlsEnd } from './tls.ts';
import { OPEN_TIMEOUT_MS, REFUSAL } from './websocket-opening.ts';

/** The events of a TLS transport's connections. */
export interface SecuredOwner {
  /** Both ends have shown good certificates: a link or a request follows. */
  secured(socket: Socket): void;
  refused(fault: CertificateFault, from: string): void;
  /** The certificate of an open connection has been revoked. */
  revoked(socket: Socket, fault: CertificateFault): void;
}

/** The first byte of a TLS client: a handshake record. */
const TLS_HANDSHAKE = 0x16;
const PLAIN: CertificateFault = {
  error: 'TLS_REQUIRED',
  text: 'this cluster speaks TLS; give a certificate of its authority (--tls, MK_TLS_DIR)',
  ours: true,
};

/** How long a refusal may take to reach the caller. */
const TELL_MS = 2000;

/** The accepted and dialled connections of a process that speaks TLS, and the identities at their other ends. */
export class SecuredConnections {
  private readonly server: Server;
  /** Connections that TLS has not secured yet. */
  private readonly raw = new Set<Socket>();
  private readonly peers = new Map<Socket, CertifiedPeer>();
  private readonly stopWatching: () => void;

  constructor(
    private readonly tls: TlsEnd,
    private readonly owner: SecuredOwner,
  ) {
    this.server = tls.server(
      (socket, peer) => {
        this.raw.delete(below(socket));
        this.keep(socket, peer);
        owner.secured(socket);
      },
      (fault, socket) => this.refuse(fault, socket),
      OPEN_TIMEOUT_MS,
    );
    this.stopWatching = tls.watchRevoked(() => this.dropRevoked());
  }

  /** Starts TLS on an accepted connection if the other end speaks it. */
  take(socket: Socket): void {
    const drop = (): void => void socket.destroy();
    this.raw.add(socket);
    socket.once('close', () => this.raw.delete(socket));
    socket.once('data', (first: Buffer) => {
      socket.setTimeout(0).off('timeout', drop).off('end', drop).off('error', drop);
      if (first[0] !== TLS_HANDSHAKE) return this.refuse(PLAIN, socket, true);
      socket.pause();
      socket.unshift(first);
      this.server.emit('connection', socket);
    });
    socket.on('timeout', drop).on('end', drop).on('error', drop).setTimeout(OPEN_TIMEOUT_MS);
  }

  /** Notes that this end opened a connection, as a link. */
  dialled(socket: Socket): void {
    const peer = socket instanceof TLSSocket ? TlsEnd.peerOf(socket) : null;
    if (peer !== null) this.keep(socket, peer);
  }

  /** Whom the other end of an accepted connection may speak as. */
  namesOf(socket: Socket): CertifiedNames {
    return this.peers.get(socket)?.names ?? [];
  }

  /** Ends connections that are not secured yet. */
  close(): void {
    this.stopWatching();
    for (const socket of this.raw) socket.destroy();
  }

  private keep(socket: Socket, peer: CertifiedPeer): void {
    this.peers.set(socket, peer);
    socket.once('close', () => this.peers.delete(socket));
  }

  /** Answers the other end's request with the reason. */
  private refuse(fault: CertificateFault, socket: Socket | null, asked = false): void {
    this.owner.refused(fault, socket?.remoteAddress ?? 'somebody');
    if (socket === null) return;
    const { error, text } = fault;
    const body = `${JSON.stringify({ ok: false, error, text })}\n`;
    const headers = [
      'HTTP/1.1 403 Forbidden',
      `${REFUSAL}: ${reasonOf({ ...fault, ours: false }).replaceAll(/[^ -~]/g, '?')}`,
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
    ];
    socket.setTimeout(TELL_MS, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.destroy());
    const answer = (): void => void socket.end(`${headers.join('\r\n')}\r\n\r\n${body}`);
    if (asked) answer();
    else socket.once('data', answer);
  }

  private dropRevoked(): void {
    for (const [socket, peer] of [...this.peers]) {
      if (!this.tls.isRevoked(peer)) continue;
      const fault = { error: 'CERTIFICATE_REVOKED', text: TlsEnd.titleOf(peer), ours: true } as const;
      this.owner.revoked(socket, fault);
    }
  }
}

/** The connection beneath TLS, which Node keeps private. */
function below(socket: TLSSocket): Socket {
  return '_parent' in socket && socket._parent instanceof Socket ? socket._parent : socket;
}
