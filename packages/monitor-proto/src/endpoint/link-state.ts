import type { CertifiedNames } from '../handshake/certified.ts';
import type { LinkId, Nanos } from '../ids.ts';
import type { Timer } from '../timer-queue.ts';
import type { HelloFrame } from '../urpc/frames.ts';
import type { Peer } from './peer.ts';

/**
 * Phases of a link. Dialled: greeting (hello sent with the opening) → proving (prove sent) → open, at the first data frame.
 * Accepted: waiting → answered (welcome sent) → open, at a good proof.
 */
type LinkPhase = 'greeting' | 'proving' | 'waiting' | 'answered' | 'open';

export interface LinkState {
  readonly id: LinkId;
  readonly dialled: boolean;
  phase: LinkPhase;
  /** Whom the other end’s certificate lets it be; null: no TLS, or we dialled and required that one name. */
  readonly names: CertifiedNames | null;
  /** Known from the start on a dialled link, from the proof on an accepted one. */
  peer: Peer | null;
  /** Null once the link is open: a thousand cores have a million link ends. */
  handshake: Handshake | null;
}

/** A link end's state until both ends have proved themselves. */
export interface Handshake {
  nonce: Uint8Array;
  hello: HelloFrame | null;
  /** The handshake frame to repeat until the other end answers. */
  lastFrame: Uint8Array | null;
  repeat: Timer | null;
  /** When the handshake is given up; later if this process itself stood still. */
  deadline: Nanos;
  /** When this end last looked for an answer. */
  lookedAt: Nanos;
}

/** The other end's id, proved or claimed; undefined until it says one. */
export function claimedPeer(link: LinkState): number | undefined {
  return link.peer?.id ?? link.handshake?.hello?.from.peer;
}
