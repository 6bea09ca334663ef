import type { ErrorName } from '../errors.ts';
import type { LinkId, PeerId } from '../ids.ts';
import type { EffectSink } from '../outbox.ts';

/** Peers whose refusals are counted; strangers may claim any number of names. */
const PEERS_MOST = 8192;
const REJECTIONS_TOLD = 16;

/** A peer that sends garbage must not flood the log: after a few lines, only every power of two is logged. */
export function isRejectionTold(count: number): boolean {
  return count <= REJECTIONS_TOLD || isPowerOfTwo(count);
}

/**
 * Counts refused handshakes by peer and reason: a peer that keeps dialling must not flood the log, so it reports the
 * first, and then each time the count has doubled.
 */
export class Refusals {
  private readonly counts = new Map<PeerId, Map<string, number>>();

  constructor(private readonly sink: EffectSink) {}

  /** One more. `ours`: this end refused. */
  tell(peer: PeerId, link: LinkId, error: ErrorName, text: string, ours: boolean): void {
    if (this.counts.size >= PEERS_MOST && !this.counts.has(peer)) this.counts.clear();
    const of = this.counts.get(peer) ?? new Map<string, number>();
    this.counts.set(peer, of);
    const key = `${error} ${ours}`;
    const count = (of.get(key) ?? 0) + 1;
    of.set(key, count);
    if (isPowerOfTwo(count)) this.sink.log('link_refused', { peer, link, error, text, ours, count });
  }

  /** A link to the peer is open, or its instance is over: the next refusal is news. */
  forget(peer: PeerId): void {
    this.counts.delete(peer);
  }
}

function isPowerOfTwo(count: number): boolean {
  return (count & (count - 1)) === 0;
}
