import type { Prng } from '@mk/monitor-proto/prng';
import { isMember, type Member } from '@mk/node-kernel/monitor/views/view';
import type { ViewWorld } from './view-world.ts';

const MS = 1_000_000;
/** The time from one unmap of a core to its next, and between repeated requests to members that have not answered. */
const PERIOD_MS = 700;
const REPEAT_MS = 400;

type Letter =
  | { readonly type: 'unmap'; readonly id: string; readonly view: number }
  | { readonly type: 'gone'; readonly id: string };

interface Flight {
  readonly from: Member;
  readonly to: Member;
  readonly letter: Letter;
  readonly due: number;
}

interface Unmap {
  readonly id: string;
  readonly by: Member;
  /** The cores that had the translation, and those that the initiator has heard. */
  readonly acked: Set<string>;
  askedAt: number;
  returned: boolean;
}

/** Whether an unmap returns once so many of so many members have let go. */
export type Enough = (acked: number, members: number) => boolean;

/**
 * Unmaps as a kernel makes them, on the views of a `ViewWorld`: every core begins one now and then when it may act; it
 * asks the members of its view, which let go of the translation if they are in that view and may act; it returns when
 * all members of its view have. Nobody waits for a core that leaves the view. A restarted core has no translation.
 *
 *   V2  after an unmap has returned, no core that still has the translation may act;
 *   V4  when the machine has converged, every unmap of a core that lived on returns.
 *
 * Unmap messages have a network of their own, under the same broken links, so that they do not affect the views.
 */
export class Unmaps {
  returned = 0;
  private readonly open: Unmap[] = [];
  private flying: Flight[] = [];
  /** Translations that a life of a core has let go. */
  private readonly letGo = new Map<string, Set<string>>();
  private readonly nextAt = new Map<number, number>();
  private begun = 0;

  constructor(
    private readonly world: ViewWorld,
    private readonly prng: Prng,
    private readonly enough: Enough = (acked, members) => acked === members,
  ) {
    world.afterTick = () => this.tick();
  }

  /** Unfinished unmaps of living cores. */
  get waiting(): readonly string[] {
    return this.open.filter(({ by, returned }) => !returned && this.lives(by)).map(({ id }) => id);
  }

  private tick(): void {
    const due = this.flying.filter((flight) => flight.due <= this.world.now);
    this.flying = this.flying.filter((flight) => flight.due > this.world.now);
    for (const flight of due) this.arrive(flight);
    for (const { self } of this.world.cores) if (this.awake(self) && this.world.mayAct(self.core)) this.begin(self);
    for (const unmap of this.open) if (!unmap.returned && this.awake(unmap.by)) this.goOn(unmap);
    this.check();
  }

  private begin(self: Member): void {
    if ((this.nextAt.get(self.core) ?? 0) > this.world.now) return;
    this.nextAt.set(self.core, this.world.now + PERIOD_MS * MS);
    const id = `${self.core}.${self.incarnation}#${(this.begun += 1)}`;
    this.open.push({ id, by: self, acked: new Set(), askedAt: -Infinity, returned: false });
    this.let(self, id);
  }

  private goOn(unmap: Unmap): void {
    const { by, acked } = unmap;
    const { view } = this.world.cores[by.core]!.agreement;
    if (view === null || !isMember(view, by) || !this.world.mayAct(by.core)) return;
    acked.add(nameOf(by));
    const silent = view.members.filter((member) => !acked.has(nameOf(member)));
    if (this.enough(view.members.length - silent.length, view.members.length)) {
      unmap.returned = true;
      this.returned += 1;
    } else if (this.world.now >= unmap.askedAt + REPEAT_MS * MS) {
      unmap.askedAt = this.world.now;
      for (const to of silent) this.send(by, to, { type: 'unmap', id: unmap.id, view: view.number });
    }
  }

  private arrive(flight: Flight): void {
    const { from, to, letter } = flight;
    const core = this.world.cores[to.core]!;
    if (!this.lives(to)) return;
    if (core.stoppedUntil > this.world.now) return void this.flying.push({ ...flight, due: core.stoppedUntil });
    if (letter.type === 'gone') {
      this.open.find(({ id }) => id === letter.id)?.acked.add(nameOf(from));
      return;
    }
    const { view } = core.agreement;
    // In another view, or without a lease: refused, and asked again.
    if (view === null || view.number !== letter.view || !this.world.mayAct(to.core)) return;
    this.let(to, letter.id);
    this.send(to, from, { type: 'gone', id: letter.id });
  }

  private check(): void {
    for (const unmap of this.open) {
      if (!unmap.returned) continue;
      for (const { self, alive } of this.world.cores)
        if (alive && this.hasStill(self, unmap) && this.world.mayAct(self.core))
          this.world.violations.push(`V2: unmap ${unmap.id} has returned and core ${self.core} may act through it`);
    }
    // No living core has the translation any more, or none that could end the unmap lives.
    const over = this.open.filter((unmap) =>
      unmap.returned ? !this.world.cores.some(({ self }) => this.hasStill(self, unmap)) : !this.lives(unmap.by),
    );
    for (const unmap of over) this.open.splice(this.open.indexOf(unmap), 1);
  }

  /** A life that began later than the unmap never had the translation: of a core's lives only the first has any. */
  private hasStill(self: Member, { id }: Unmap): boolean {
    return self.incarnation === 1 && !this.letGoBy(self).has(id);
  }

  private let(self: Member, id: string): void {
    this.letGoBy(self).add(id);
  }

  private letGoBy(self: Member): Set<string> {
    let gone = this.letGo.get(nameOf(self));
    if (gone === undefined) this.letGo.set(nameOf(self), (gone = new Set()));
    return gone;
  }

  private send(from: Member, to: Member, letter: Letter): void {
    if (this.world.broken.has(`${from.core}>${to.core}`)) return; // lost: the request is repeated
    this.flying.push({ from, to, letter, due: this.world.now + (1 + this.prng.nextInt(40)) * MS });
  }

  private lives({ core, incarnation }: Member): boolean {
    const now = this.world.cores[core]!;
    return now.alive && now.self.incarnation === incarnation && now.excludedAt === null;
  }

  private awake(self: Member): boolean {
    return this.lives(self) && this.world.cores[self.core]!.stoppedUntil <= this.world.now;
  }
}

function nameOf({ core, incarnation }: Member): string {
  return `${core}.${incarnation}`;
}
