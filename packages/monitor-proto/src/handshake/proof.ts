import { known } from '../assert.ts';
import type { Identity } from '../urpc/frames.ts';
import { Writer } from './writer.ts';

/**
 * HMAC-SHA-256, injected so that the pure part of this package needs no platform. The result is valid until the next
 * call.
 */
export type Hmac = (key: Uint8Array, data: Uint8Array) => Uint8Array;

/** Which end of a link proves. The two proofs of a handshake differ, so neither can be replayed to its maker. */
export type Side = 'dialler' | 'acceptor';

/** What both ends of a handshake have said. */
export interface Transcript {
  readonly dialler: Identity;
  readonly acceptor: Identity;
  readonly diallerNonce: Uint8Array;
  readonly acceptorNonce: Uint8Array;
}

/**
 * 32 bytes that only a holder of the cluster's secret can make for this side of this handshake; valid until the next
 * call.
 */
export function proofOf(hmac: Hmac, secret: Uint8Array, side: Side, transcript: Transcript): Uint8Array {
  const { dialler, acceptor, diallerNonce, acceptorNonce } = transcript;
  const most =
    256 + 6 * (dialler.cluster.length + dialler.instance.length + acceptor.cluster.length + acceptor.instance.length);
  const said = new Writer(most);
  said.ascii('["mk link proof","').ascii(side).ascii('",');
  writeIdentity(said, dialler);
  said.ascii(',');
  writeIdentity(said, acceptor);
  said.ascii(']').bytes(diallerNonce).bytes(acceptorNonce);
  return hmac(secret, said.whole());
}

/** Whether two proofs are equal, in constant time. */
export function sameProof(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= known(a[i]) ^ known(b[i]);
  return difference === 0;
}

/** Derives nonces and other unique bytes from one piece of entropy: HMAC(entropy, label and count). */
export class NonceSource {
  private count = 0;
  private pool = new Uint8Array(POOL);
  private used = 0;

  constructor(
    private readonly hmac: Hmac,
    private readonly entropy: Uint8Array,
  ) {}

  next(): Uint8Array {
    this.count += 1;
    const mac = this.hmac(this.entropy, new Writer(32).ascii('nonce ').ascii(String(this.count)).whole());
    if (this.used === POOL) this.beginPool();
    const from = this.used;
    for (let i = 0; i < NONCE; i++) this.pool[from + i] = known(mac[i]);
    this.used += NONCE;
    return this.pool.subarray(from, this.used);
  }

  private beginPool(): void {
    this.pool = new Uint8Array(POOL);
    this.used = 0;
  }
}

const NONCE = 16;
/** Nonces are slices of one array: a separate array costs ten times its contents for as long as a handshake lasts. */
const POOL = 16 * NONCE;

/** Writes what `JSON.stringify` would. */
function writeIdentity(to: Writer, { version, cluster, peer, incarnation, instance }: Identity): void {
  to.ascii('[').ascii(String(version)).ascii(',').json(cluster).ascii(',');
  to.ascii(String(peer)).ascii(',').ascii(String(incarnation)).ascii(',').json(instance).ascii(']');
}
