import type { CoreId, Incarnation } from '@mk/monitor-proto/ids';
import type { ViewMessageOf } from './messages.ts';
import { isMember, type Member, memberIn, type View } from './view.ts';
import type { ViewPort } from './view-port.ts';

/** Past views that a member keeps for those that lag behind. */
const KEPT = 64;

/**
 * The views that a member has installed, oldest first, and the cores that left them of their own will, as far as it has
 * heard.
 */
export class PastViews {
  readonly views: View[] = [];
  /** The last incarnation of each core that ended of its own will. */
  private readonly left = new Map<CoreId, Incarnation>();

  add(view: View): void {
    this.views.push(view);
    if (this.views.length > KEPT) this.views.shift();
  }

  /** Sends a core the views after the number that it has reached. */
  teach(core: CoreId, number: number, { send }: Pick<ViewPort, 'send'>): void {
    const views = this.views.filter((view) => view.number > number);
    if (views.length > 0) send(core, this.word(views));
  }

  /** The message for a core that may lack these views. */
  word(views: readonly View[]): ViewMessageOf<'view_install'> {
    const left = [...this.left].map(([core, incarnation]) => ({ core, incarnation }));
    return { type: 'view_install', views, left: left.filter((one) => views.some((view) => !isMember(view, one))) };
  }

  noteLeft(members: readonly Member[]): void {
    for (const { core, incarnation } of members) this.left.set(core, Math.max(incarnation, this.left.get(core) ?? 0));
  }

  /** Whether that incarnation ended of its own will. */
  hasLeft({ core, incarnation }: Member): boolean {
    return this.left.get(core) === incarnation;
  }

  /** The views from the one that took in the core's present incarnation on. */
  sinceJoinOf(core: CoreId): View[] {
    const newest = this.views.at(-1);
    const incarnation = newest && memberIn(newest, core)?.incarnation;
    const first = this.views.findIndex((view) => memberIn(view, core)?.incarnation === incarnation);
    return this.views.slice(first);
  }
}
