import type { ErrorName } from '../errors.ts';
import type { PeerId } from '../ids.ts';

/** Peers whose refusals are counted; strangers may claim any number of names. */
const PEERS_MOST = 8192;

/**
 * Counts refused handshakes by peer and reason: an end that dials in vain must not flood the log, so the first is told,
 * and then whenever their number has doubled.
 */
export class Refusals {
  private readonly counts = new Map<PeerId, Map<string, number>>();

  /** One more; how many there were if that is to be told, else null. `ours`: this end refused. */
  note(peer: PeerId, error: ErrorName, ours: boolean): number | null {
    if (this.counts.size >= PEERS_MOST && !this.counts.has(peer)) this.counts.clear();
    const of = this.counts.get(peer) ?? new Map<string, number>();
    this.counts.set(peer, of);
    const key = `${error} ${ours}`;
    const count = (of.get(key) ?? 0) + 1;
    of.set(key, count);
    return (count & (count - 1)) === 0 ? count : null;
  }

  /** A link to the peer is open, or its instance is over: the next refusal is news. */
  forget(peer: PeerId): void {
    this.counts.delete(peer);
  }
}
