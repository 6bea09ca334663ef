import type { ErrorName } from '../errors.ts';
import type { LinkId, PeerId } from '../ids.ts';
import type { EffectSink } from '../outbox.ts';

/** Peers whose refusals are counted; strangers may claim any number of names. */
const PEERS_MOST = 8192;
const REJECTIONS_TOLD = 16;

/**
 * Whether to log the rejection of this number: a peer that sends garbage must not flood the log, so after a few lines
 * only powers of two are.
 */
export function isRejectionTold(count: number): boolean {
  return count <= REJECTIONS_TOLD || isPowerOfTwo(count);
}

/**
 * Counts refused handshakes by peer and reason. A peer that keeps dialling must not flood the log: the first refusal is
 * reported, then each doubling of the count.
 */
export class Refusals {
  private readonly counts = new Map<PeerId, Map<string, number>>();

  constructor(private readonly sink: EffectSink) {}

  /** Counts one more refusal. `ours`: this end refused. */
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
