import type { CoreId } from '@mk/monitor-proto/ids';
import type { Member } from './view.ts';

/** What a core tells of membership as it sees it: the answer to the verb `view`. */
export interface CoreView {
  readonly core: CoreId;
  /** 0: it is in none yet. */
  readonly view: number;
  readonly leader: CoreId | null;
  readonly members: readonly Member[];
  readonly fenced: boolean;
  readonly lease_ms: number;
  readonly lease_left_ms: number;
  /** Whose links to this core seem broken. */
  readonly suspects: readonly CoreId[];
  /** Proven deaths: the highest incarnation of each core that certainly is no more. */
  readonly dead: readonly Member[];
  /** Who asks to be taken in, and is heard here. */
  readonly newcomers: readonly CoreId[];
  /** The views that this core has installed, the oldest first. */
  readonly history: readonly PastView[];
}

export interface PastView {
  readonly view: number;
  readonly leader: CoreId;
  readonly members: number;
  readonly joined: readonly CoreId[];
  readonly lost: readonly CoreId[];
  readonly age_ms: number;
}
