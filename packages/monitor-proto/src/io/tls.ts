/*
 * Mutual TLS 1.3 on a process's port. Both ends show a certificate of the cluster's authority, whose names say who its
 * holder may be (handshake/certified.ts). The peer's certificate is judged after TLS's own handshake, so that the
 * refusal can travel over it: a connection that just breaks gives no reason. Sessions are not resumed, so each opening
 * checks again whether a certificate has expired or been revoked.
 */
import { readFileSync, statSync } from 'node:fs';
import {
  connect,
  createSecureContext,
  createServer,
  type SecureContext,
  type SecureContextOptions,
  type Server,
  type TLSSocket,
} from 'node:tls';
import { X509Certificate } from 'node:crypto';
import type { LinkPlace } from '../address.ts';
import type { CertificateError, CertificateFault } from '../certificate-errors.ts';
import { ANY_CORE, type CertifiedNames } from '../handshake/certified.ts';
import { codeOf } from '../thrown.ts';

/** The TLS settings of a process, in PEM. Plain JSON: it travels to children in their settings. */
export interface TlsSettings {
  /** One or more certificates of the authority. */
  readonly ca: string;
  /** This process's certificate, and those between it and the authority. */
  readonly cert: string;
  readonly key: string;
  /**
   * A file with the serial numbers or SHA-256 fingerprints of revoked certificates, one per line; absent: none is
   * revoked.
   */
  readonly revoked?: string;
}

/** The proven identity at the other end of a connection. */
export interface CertifiedPeer {
  readonly names: CertifiedNames;
  /** SHA-256 of the certificate, in hex. */
  readonly fingerprint: string;
  readonly serial: string;
}

const SUITES = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';
/** SSL_OP_NO_TICKET: no session is resumed (see the header). */
const NO_TICKET = 0x4000;
/** Names under which a process answers requests. */
const SERVES = /^(?:skb|launcher|core-(?:\d+|\*))$/;
/** How often the list of revoked certificates is checked, at most. */
const LOOK_MS = 500;

/** One process's end of TLS: sets up both sides of connections, and judges certificates. */
export class TlsEnd {
  private readonly context: SecureContext;
  private readonly revocations: Revocations;
  /** Who answered where this end dialled: on the client's side, Node gives the peer's certificate only once. */
  private readonly dialled = new WeakMap<TLSSocket, CertifiedPeer>();

  constructor(private readonly settings: TlsSettings) {
    this.context = createSecureContext(contextOf(settings));
    this.revocations = new Revocations(settings.revoked ?? null);
  }

  /**
   * The server's side, for raw connections handed to it by `emit('connection', …)`. A fault comes with the socket if
   * there is one to answer on.
   */
  server(
    secured: (socket: TLSSocket, peer: CertifiedPeer) => void,
    refused: (fault: CertificateFault, socket: TLSSocket | null) => void,
    timeoutMs: number,
  ): Server {
    const server = createServer({
      ...contextOf(this.settings),
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: timeoutMs,
      allowHalfOpen: true,
    });
    server.on('secureConnection', (socket) => {
      const judged = this.judge(socket);
      if ('error' in judged) refused(judged, socket);
      else secured(socket, judged);
    });
    server.on('tlsClientError', (error, socket) => {
      if (!socket.destroyed) socket.destroy();
      const fault = faultOfOpening(error);
      if (fault !== null) refused(fault, null);
    });
    return server;
  }

  /**
   * The client's side of a connection to the holder of this name; a certificate fault arrives as the socket's error.
   */
  dial(to: LinkPlace, name: string, onread: object): TLSSocket {
    const isName = (names: CertifiedNames): boolean =>
      names.includes(name) || (name.startsWith('core-') && names.includes(ANY_CORE));
    return this.connectTo(to, (peer) => this.faultOf(peer, isName, name), { onread });
  }

  /** The client's side of a connection for requests, to any process that serves them; faults as for `dial`. */
  dialServer(to: LinkPlace): TLSSocket {
    const serves = (names: CertifiedNames): boolean => names.some((name) => SERVES.test(name));
    return this.connectTo(to, (peer) => this.faultOf(peer, serves, 'a process that serves'));
  }

  /** Who answered on a connection that we dialled; null: the connection has ended. */
  static peerOf(socket: TLSSocket): CertifiedPeer | null {
    const shown = socket.getPeerX509Certificate();
    return shown === undefined ? null : peerOf(shown);
  }

  /** The names that a certificate lets its holder use. */
  static namesOf({ subjectAltName = '' }: X509Certificate): CertifiedNames {
    return subjectAltName.split(', ').flatMap((entry) => /^DNS:([a-z0-9*.-]+)$/.exec(entry)?.[1] ?? []);
  }

  /** Describes a certificate in a sentence. */
  static titleOf(peer: CertifiedPeer): string {
    return `that of ${titleOf(peer)}, serial ${peer.serial}`;
  }

  /** Whether the certificate of an open connection has been revoked since. */
  isRevoked(peer: CertifiedPeer): boolean {
    return this.revocations.has(peer);
  }

  /** Whether the certificate of the process that this end dialled has been revoked since. */
  hasRevokedPeerOf(socket: TLSSocket): boolean {
    const peer = this.dialled.get(socket);
    return peer !== undefined && this.isRevoked(peer);
  }

  /** Calls back when the list of revoked certificates has changed; call the returned function to stop. */
  watchRevoked(changed: () => void): () => void {
    return this.revocations.watch(changed);
  }

  private judge(socket: TLSSocket): CertifiedPeer | CertificateFault {
    const shown = socket.getPeerX509Certificate();
    if (shown === undefined) return fault('CERTIFICATE_MISSING', 'it showed none; give it one (--tls, MK_TLS_DIR)');
    const peer = peerOf(shown);
    const title = titleOf(peer);
    const expired = expiry(shown);
    if (expired !== null) return fault('CERTIFICATE_EXPIRED', `that of ${title} ${expired}; ${REMEDY}`);
    if (!socket.authorized) {
      const why = String(socket.authorizationError ?? 'not verified');
      return fault('CERTIFICATE_FOREIGN', `that of ${title}: ${why}; ${REMEDY}`);
    }
    if (this.revocations.has(peer)) return fault('CERTIFICATE_REVOKED', `${TlsEnd.titleOf(peer)}; ${REMEDY}`);
    return peer.names.length > 0 ? peer : fault('WRONG_CERTIFICATE', `it names nobody; ${REMEDY}`);
  }

  private connectTo(to: LinkPlace, identity: (peer: CertifiedPeer) => Error | undefined, options = {}): TLSSocket {
    const socket = connect({
      ...to,
      secureContext: this.context,
      servername: '', // no server name: an IP address is not allowed there
      checkServerIdentity: (_host: string, { raw }: { readonly raw: Buffer }) => {
        const peer = peerOf(new X509Certificate(raw));
        this.dialled.set(socket, peer);
        return identity(peer);
      },
      ...options,
    });
    if (!('path' in to)) socket.setNoDelay(true);
    return socket;
  }

  /**
   * Judges a server's certificate that TLS has verified; returns an error with a fault, as `checkServerIdentity` must.
   */
  private faultOf(peer: CertifiedPeer, isFor: (names: CertifiedNames) => boolean, wanted: string): Error | undefined {
    if (this.revocations.has(peer)) return new CertificateFailure(fault('CERTIFICATE_REVOKED', TlsEnd.titleOf(peer)));
    if (isFor(peer.names)) return undefined;
    return new CertificateFailure(fault('WRONG_CERTIFICATE', `it is for ${titleOf(peer)}, not for ${wanted}`));
  }
}

/** The settings that both sides of a connection share. */
function contextOf({ ca, cert, key }: TlsSettings): SecureContextOptions {
  return { ca, cert, key, ciphers: SUITES, minVersion: 'TLSv1.3', secureOptions: NO_TICKET };
}

/** We refuse the other end's certificate. */
class CertificateFailure extends Error {
  override readonly name = 'CertificateFailure';

  constructor(readonly fault: CertificateFault) {
    super(`${fault.error}: ${fault.text}`);
  }
}

/** The fault behind an error of a connection that we opened; null: it failed for another reason. */
export function faultOfDial(error: Error): CertificateFault | null {
  if (error instanceof CertificateFailure) return error.fault;
  const code = codeOf(error) ?? '';
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return fault('CERTIFICATE_EXPIRED', `${error.message}; ${REMEDY}`);
  if (FOREIGN.has(code)) return fault('CERTIFICATE_FOREIGN', `${error.message}; is ca.pem here that of this cluster?`);
  return NO_TLS.has(code) || error.message.includes('wrong version number')
    ? fault('TLS_REQUIRED', 'it speaks none; reach it without certificates')
    : null;
}

/** The fault that the server's side met before there was a connection to answer on; null: the peer went away. */
function faultOfOpening(error: Error): CertificateFault | null {
  const code = codeOf(error) ?? '';
  if (/CERTIFICATE_(?:EXPIRED|REVOKED|UNKNOWN)|UNKNOWN_CA|BAD_CERTIFICATE/.test(code))
    return {
      error: 'CERTIFICATE_FOREIGN',
      text: `the peer did not take this end’s certificate (${code})`,
      ours: false,
    };
  if (!code.startsWith('ERR_SSL_')) return null;
  return fault('TLS_REQUIRED', `the peer does not speak TLS 1.3 (${code})`);
}

const REMEDY = 'mk-launch certs makes another, beside the authority’s ca.key';
const FOREIGN = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'INVALID_CA',
  'INVALID_PURPOSE',
]);
const NO_TLS = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
]);

function fault(error: CertificateError, text: string): CertificateFault {
  return { error, text, ours: true };
}

function peerOf(shown: X509Certificate): CertifiedPeer {
  return {
    names: TlsEnd.namesOf(shown),
    fingerprint: plainHex(shown.fingerprint256),
    serial: plainHex(shown.serialNumber),
  };
}

function titleOf({ names, serial }: CertifiedPeer): string {
  return names.length === 0 ? `nobody (serial ${serial})` : names.join(', ');
}

/** Why the certificate is not valid now, as the end of a sentence; null: it is valid. */
function expiry({ validFrom, validTo }: X509Certificate): string | null {
  const now = new Date().getTime();
  if (now > Date.parse(validTo)) return `expired on ${validTo}`;
  return now < Date.parse(validFrom) ? `is not valid before ${validFrom}` : null;
}

/** Normalises a serial number or fingerprint: people and tools write colons, capitals and leading zeros. */
function plainHex(text: string): string {
  return text
    .replaceAll(':', '')
    .toLowerCase()
    .replace(/^0+(?=.)/, '');
}

/** The file of revoked certificates, reread when it changes. When it becomes unreadable, its last content holds. */
class Revocations {
  private revoked = new Set<string>();
  private stamp = '';
  private lookAfter = 0;
  private readonly watchers = new Set<() => void>();

  constructor(private readonly file: string | null) {
    if (file !== null) this.read(file);
  }

  has({ serial, fingerprint }: CertifiedPeer): boolean {
    if (this.file === null) return false;
    if (performance.now() >= this.lookAfter) this.look(this.file);
    return this.revoked.has(serial) || this.revoked.has(fingerprint);
  }

  watch(changed: () => void): () => void {
    const { file, watchers } = this;
    if (file === null) return () => undefined;
    watchers.add(changed);
    const timer = setInterval(() => this.look(file), LOOK_MS);
    timer.unref();
    return () => {
      clearInterval(timer);
      watchers.delete(changed);
    };
  }

  /** Rereads a changed file. Every watcher hears of a change, whether a new connection or the clock found it. */
  private look(file: string): void {
    this.lookAfter = performance.now() + LOOK_MS;
    try {
      const { mtimeMs, size, ino } = statSync(file);
      if (`${mtimeMs} ${size} ${ino}` === this.stamp) return;
      this.read(file);
    } catch {
      return;
    }
    for (const changed of this.watchers) changed();
  }

  private read(file: string): void {
    const { mtimeMs, size, ino } = statSync(file);
    const entries = readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.replace(/#.*/, '').trim())
      .filter(Boolean);
    this.revoked = new Set(entries.map(plainHex));
    this.stamp = `${mtimeMs} ${size} ${ino}`;
  }
}
