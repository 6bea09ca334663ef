import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import { type Offence, OFFENCES } from '@mk/monitor-proto/offences';
import type { EffectSink } from '@mk/monitor-proto/outbox';

/** An offence of a peer. */
export interface OffenceRow {
  readonly peer: CoreId;
  readonly offence: Offence;
  readonly count: number;
  /** Whether no honest monitor commits it. */
  readonly proof: boolean;
  readonly first: Nanos;
  readonly last: Nanos;
  /** The latest case, in a sentence. */
  readonly text: string;
}

const NOBODY: readonly CoreId[] = [];

type Entry = { -readonly [K in keyof OffenceRow]: OffenceRow[K] };

/**
 * The offences of peers, for as long as the process lives. Only messages over an authenticated link count against a
 * peer: nobody is blamed for what another says.
 */
export class Offences {
  /** Proven offences of each peer's present life. */
  private readonly proven = new Map<CoreId, number>();
  private readonly byPeer = new Map<CoreId, Map<Offence, Entry>>();

  constructor(private readonly sink: EffectSink) {}

  /** Counts an offence; logs the first and then each doubling, so that an offender cannot flood the log. */
  note(peer: CoreId, offence: Offence, text: string, now: Nanos): void {
    const entry = this.entryOf(peer, offence, now);
    entry.count += 1;
    if (entry.proof) this.proven.set(peer, (this.proven.get(peer) ?? 0) + 1);
    entry.last = now;
    entry.text = text.slice(0, 200);
    if ((entry.count & (entry.count - 1)) === 0)
      this.sink.log('peer_offence', { peer, offence, count: entry.count, text: entry.text });
  }

  /** The peers with at least so many proven offences in their present life. */
  provenAgainst(count: number): readonly CoreId[] {
    return this.proven.size === 0 ? NOBODY : [...this.proven].filter(([, sum]) => sum >= count).map(([peer]) => peer);
  }

  /** Whether a peer has enough proven offences in its present life to be accused. */
  isProven(peer: CoreId): boolean {
    return (this.proven.get(peer) ?? 0) >= limit('quarantineOffences');
  }

  /** Whether any peer has a proven offence in its present life. */
  get any(): boolean {
    return this.proven.size > 0;
  }

  /** Forgets a peer's proven offences with its instance: they do not count against the next one. */
  instanceGone(peer: CoreId): void {
    this.proven.delete(peer);
  }

  rows(): readonly OffenceRow[] {
    return [...this.byPeer.values()].flatMap((entries) => [...entries.values()]);
  }

  private entryOf(peer: CoreId, offence: Offence, now: Nanos): Entry {
    let entries = this.byPeer.get(peer);
    if (entries === undefined) this.byPeer.set(peer, (entries = new Map()));
    let entry = entries.get(offence);
    if (entry === undefined) {
      entry = { peer, offence, count: 0, proof: OFFENCES[offence].proof, first: now, last: now, text: '' };
      entries.set(offence, entry);
    }
    return entry;
  }
}
