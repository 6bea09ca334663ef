import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { ViewMessage } from './messages.ts';
import type { Accusation } from './quarantine.ts';
import type { View } from './view.ts';

/** A core, as view agreement sees it. */
export interface ViewPort {
  send(core: CoreId, message: ViewMessage): void;
  /** Shows a member that the link to it works. A sign may be lost: nothing repeats it, and nobody answers. */
  sign(core: CoreId, view: number): void;
  /** When a member was last heard over its link. */
  heardAt(core: CoreId): Nanos;
  /** Each view that has this core in it, in order, once. */
  installed(view: View, now: Nanos): void;
  /** The lease has expired (true), or is valid again. A fenced core has no effect outside itself (V2). */
  fenced(fenced: boolean, now: Nanos): void;
  /** Enough members accuse one: this core no longer listens to it, and the next view excludes it. */
  quarantined(accusation: Accusation): void;
  /** A view without this core is in force: it must come back as a new incarnation. */
  excluded(view: View, now: Nanos): void;
}
