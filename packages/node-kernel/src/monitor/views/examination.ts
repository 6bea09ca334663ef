import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { MonitorContext } from '../context.ts';
import type { Operation } from '../operations.ts';
import type { ViewAgreement } from './view-agreement.ts';

/** Times that one member is looked at in a view, and the rest in between: whoever is accused without reason costs little. */
const TIMES = 4;
const REST: Nanos = 500_000_000;

/**
 * Looking for proof. Who misbehaves towards a few only, because only they ask it anything, would stay in the view: a
 * majority must have proof (quarantine.ts). So whoever hears of an accusation finds out for itself; it believes nobody.
 */
export class Examination {
  /** How often in this view, and when the next time may be. */
  private readonly looks = new Map<CoreId, { times: number; notBefore: Nanos }>();
  private view = 0;

  constructor(
    private readonly context: MonitorContext,
    private readonly examine: (core: CoreId) => Operation<void>,
  ) {}

  /** Others have proof: this core looks for its own, and has those look whom it leads. */
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

  /** Begins, unless it is under way, was just done, or has been done often enough. */
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
