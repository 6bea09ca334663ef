import { isCore, type PeerId, SKB_PEER } from '../ids.ts';

/*
 * The peers that a certificate lets its holder be, by its DNS subject alternative names: `core-3`, `core-*` for any
 * core, `skb`, `launcher`, `client`. The host that verified the certificate reports the names of a link's other end;
 * null where links carry no TLS and the cluster's secret alone decides.
 */
export type CertifiedNames = readonly string[];

export const ANY_CORE = 'core-*';

/** The name that a certificate needs for its holder to be dialled as this peer. */
export function certifiedName(peer: PeerId): string {
  return peer === SKB_PEER ? 'skb' : isCore(peer) ? `core-${peer}` : 'client';
}

/**
 * Whether a certificate with these names lets its holder speak as this peer. A core without an id may present any
 * core's certificate.
 */
export function maySpeakAs(names: CertifiedNames | null, peer: PeerId): boolean {
  if (names === null) return true;
  if (peer === SKB_PEER) return names.includes('skb');
  if (isCore(peer)) return names.includes(`core-${peer}`) || names.includes(ANY_CORE);
  return names.length > 0;
}
