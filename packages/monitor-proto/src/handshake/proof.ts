import type { Identity } from '../urpc/frames.ts';

/** HMAC-SHA-256. Injected, so that this package's pure part needs no platform. */
export type Hmac = (key: Uint8Array, data: Uint8Array) => Uint8Array;

/** Which end of a link proves: the two proofs of one handshake differ, so none can be played back to its maker. */
export type Side = 'dialler' | 'acceptor';

/** What both ends of a handshake have said. */
export interface Transcript {
  readonly dialler: Identity;
  readonly acceptor: Identity;
  readonly diallerNonce: Uint8Array;
  readonly acceptorNonce: Uint8Array;
}

/** 32 bytes that only a holder of the cluster's secret can make for this side of this handshake. */
export function proofOf(hmac: Hmac, secret: Uint8Array, side: Side, transcript: Transcript): Uint8Array {
  const { dialler, acceptor, diallerNonce, acceptorNonce } = transcript;
  const said = JSON.stringify(['mk link proof', side, identityRow(dialler), identityRow(acceptor)]);
  return hmac(secret, concat([encoder.encode(said), diallerNonce, acceptorNonce]));
}

/** Compares in time that does not depend on where the first difference is. */
export function sameProof(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

/** Nonces and other unique bytes from one piece of entropy: HMAC(entropy, label and count). */
export class NonceSource {
  private count = 0;

  constructor(
    private readonly hmac: Hmac,
    private readonly entropy: Uint8Array,
  ) {}

  next(): Uint8Array {
    this.count += 1;
    return this.hmac(this.entropy, encoder.encode(`nonce ${this.count}`)).slice(0, 16);
  }
}

const encoder = new TextEncoder();

function identityRow(who: Identity): readonly unknown[] {
  return [who.version, who.cluster, who.peer, who.incarnation, who.instance];
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
