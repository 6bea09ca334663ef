import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { ViewMessage } from './messages.ts';
import type { View } from './view.ts';

/** What view agreement needs of the core that it is in. */
export interface ViewPort {
  send(core: CoreId, message: ViewMessage): void;
  /** Each view that has this core in it, in order, once. */
  installed(view: View, now: Nanos): void;
  /** The lease ran out (true), or is valid again. What is fenced has no effect outside its core (V2). */
  fenced(fenced: boolean, now: Nanos): void;
  /** A view without this core is in force: it must come back as a new incarnation. */
  excluded(view: View, now: Nanos): void;
}
