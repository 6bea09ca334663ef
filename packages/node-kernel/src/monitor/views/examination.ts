import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { MonitorContext } from '../context.ts';
import type { Operation } from '../operations.ts';
import type { ViewAgreement } from './view-agreement.ts';

/** How often a member is examined per view, and the pause in between, so that a false accusation costs little. */
const TIMES = 4;
const REST: Nanos = 500_000_000;

/**
 * Looks for proof. A core that misbehaves only towards the few that ask it would stay in the view, since a majority
 * must have proof (quarantine.ts). So a core that hears of an accusation examines the accused itself, and believes
 * nobody.
 */
export class Examination {
  /** Examinations in this view, and when the next may start. */
  private readonly looks = new Map<CoreId, { times: number; notBefore: Nanos }>();
  private view = 0;

  constructor(
    private readonly context: MonitorContext,
    private readonly examine: (core: CoreId) => Operation<void>,
  ) {}

  /** Others have proof: this core looks for its own, and tells the cores that it leads to look too. */
  ofAccused(agreement: ViewAgreement | null, now: Nanos): void {
    const { context } = this;
    for (const { core, by } of agreement?.sightings(now).accused ?? []) {
      if (!by.includes(context.core)) this.begin(core, now);
      if (agreement?.leader !== context.core) continue;
      for (const member of context.members)
        if (member !== core && !by.includes(member))
          context.send(member, { type: 'view_examine', view: context.view, core });
    }
  }

  /** Starts an examination unless one is under way, was just done, or was done often enough. */
  begin(core: CoreId, now: Nanos): void {
    const { operations, members, takesPart, view } = this.context;
    if (view !== this.view) this.looks.clear();
    this.view = view;
    if (!takesPart || !members.includes(core)) return;
    const look = this.looks.get(core) ?? { times: 0, notBefore: 0 };
    if (look.times >= TIMES || now < look.notBefore) return;
    this.looks.set(core, look);
    look.times += 1;
    look.notBefore = Infinity;
    operations.start(
      operations.nextId(),
      this.examine(core),
      now,
      (_outcome, at) => (look.notBefore = at + REST),
      true,
    );
  }
}
