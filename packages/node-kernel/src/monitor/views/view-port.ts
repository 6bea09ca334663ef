import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { ViewMessage } from './messages.ts';
import type { Accusation } from './quarantine.ts';
import type { View } from './view.ts';

/** What view agreement needs of its core. */
export interface ViewPort {
  send(core: CoreId, message: ViewMessage): void;
  /** Shows a member that the link to it works. One sign may be lost: nothing repeats it, and nobody answers. */
  sign(core: CoreId, view: number): void;
  /** When anything last came from a member over its link. */
  heardAt(core: CoreId): Nanos;
  /** Each view that has this core in it, in order, once. */
  installed(view: View, now: Nanos): void;
  /** The lease ran out (true), or is valid again. A fenced core has no effect outside itself (V2). */
  fenced(fenced: boolean, now: Nanos): void;
  /** Enough members accuse one: this core hears it no more, and the next view is to be without it. */
  quarantined(accusation: Accusation): void;
  /** A view without this core is in force: it must come back as a new incarnation. */
  excluded(view: View, now: Nanos): void;
}
