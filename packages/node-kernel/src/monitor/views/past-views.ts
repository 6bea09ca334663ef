import type { CoreId } from '@mk/monitor-proto/ids';
import { memberIn, type View } from './view.ts';
import type { ViewPort } from './view-port.ts';

/** How many past views a member keeps for those that lag behind. */
const KEPT = 64;

/** The views that a member has installed, the oldest first. */
export class PastViews {
  readonly views: View[] = [];

  add(view: View): void {
    this.views.push(view);
    if (this.views.length > KEPT) this.views.shift();
  }

  /** Sends a core the views that it lacks, which has come as far as a number. */
  teach(core: CoreId, number: number, { send }: Pick<ViewPort, 'send'>): void {
    const views = this.views.filter((view) => view.number > number);
    if (views.length > 0) send(core, { type: 'view_install', views });
  }

  /** From the view on that took in the core as it is in the newest. */
  sinceJoinOf(core: CoreId): View[] {
    const newest = this.views.at(-1);
    const incarnation = newest && memberIn(newest, core)?.incarnation;
    const first = this.views.findIndex((view) => memberIn(view, core)?.incarnation === incarnation);
    return this.views.slice(first);
  }
}
