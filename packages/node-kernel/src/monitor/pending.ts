import { type Nanos, type PeerId, peerTitle } from '@mk/monitor-proto/ids';
import { OperationError, type Resume, type Wait } from './operations.ts';

interface Entry<T> {
  readonly peer: PeerId;
  readonly resume: Resume<T>;
}

/** Waits for a peer's answer, by the answer's key: the one map of its kind. */
export class Pending<K, T> {
  private readonly waiting = new Map<K, Entry<T>>();

  get size(): number {
    return this.waiting.size;
  }

  /** Waits until `peer` has answered `key`, or is gone (PEER_GONE). */
  answerOf(key: K, peer: PeerId): Wait<T> {
    return { arm: (resume) => this.expect(key, peer, resume) };
  }

  /** Like `answerOf`, for callers that do more than wait; call the returned function to cancel the wait. */
  expect(key: K, peer: PeerId, resume: Resume<T>): () => void {
    const entry = { peer, resume };
    this.waiting.set(key, entry);
    return () => {
      if (this.waiting.get(key) === entry) this.waiting.delete(key);
    };
  }

  /**
   * Delivers an answer. One that nobody waits for, or that another peer should give, came late or wrongly, and is
   * dropped.
   */
  answered(key: K, from: PeerId, answer: T | OperationError, now: Nanos): void {
    const entry = this.waiting.get(key);
    if (entry?.peer === from) entry.resume(answer, now);
  }

  /** Ends waits for the peer in PEER_GONE. */
  peerGone(peer: PeerId, now: Nanos): void {
    for (const entry of [...this.waiting.values()])
      if (entry.peer === peer) entry.resume(new OperationError('PEER_GONE', `${peerTitle(peer)} is gone`), now);
  }

  /** The keys and peers of all waits, in the order of asking. */
  *entries(): Generator<readonly [key: K, peer: PeerId]> {
    for (const [key, { peer }] of this.waiting) yield [key, peer];
  }
}
