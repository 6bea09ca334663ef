import type { Prng } from '@mk/monitor-proto/prng';
import type { ViewMessage } from '@mk/node-kernel/monitor/views/messages';
import { ViewAgreement } from '@mk/node-kernel/monitor/views/view-agreement';
import { DEFAULT_VIEW_SETTINGS, isMember, type Member, memberIn, type View } from '@mk/node-kernel/monitor/views/view';

const MS = 1_000_000;
const TICK = 20 * MS;
const HELD_MOST = 40;

interface InFlight {
  readonly from: Member;
  readonly to: Member;
  readonly message: ViewMessage;
  readonly due: number;
}

interface Core {
  self: Member;
  agreement: ViewAgreement;
  alive: boolean;
  stoppedUntil: number;
  /** This core's clock: `now × rate`. */
  readonly rate: number;
  readonly views: View[];
  excludedAt: number | null;
  /** The members against which it has heard enough accusers. */
  readonly quarantined: Member[];
}

/** Cores with their own clocks, and links that can break in one direction and then hold messages for a while. */
export class ViewWorld {
  readonly cores: Core[] = [];
  readonly broken = new Set<string>();
  readonly violations: string[] = [];
  /** Every view by number, as first installed. */
  readonly agreed = new Map<number, View>();
  now = 0;
  messages = 0;
  /** The delay after which the launcher tells all living cores of a crash. Infinity: never. */
  proofAfter = Infinity;
  /** Other activity in this world; it may add violations. */
  afterTick: () => void = () => undefined;
  private flying: InFlight[] = [];
  private readonly held = new Map<string, InFlight[]>();
  private readonly lastDue = new Map<string, number>();
  private readonly proofs: { readonly due: number; readonly member: Member }[] = [];

  constructor(
    readonly count: number,
    readonly prng: Prng,
    readonly observers = count - 1,
  ) {
    const members = Array.from({ length: count }, (_, core) => ({ core, incarnation: 1 }));
    for (const self of members) this.cores.push(this.boot(self, 1 + (prng.nextFloat() - 0.5) * 0.0098));
    for (const core of this.cores) core.agreement.found({ number: 1, members, leader: 0 }, this.clockOf(core));
  }

  cut(from: number, to: number): void {
    this.broken.add(`${from}>${to}`);
  }

  /** Messages that wait for a broken link to heal. */
  heldTypes(from: number, to: number): readonly ViewMessage['type'][] {
    return (this.held.get(`${from}>${to}`) ?? []).map(({ message }) => message.type);
  }

  heal(): void {
    this.broken.clear();
    for (const queue of this.held.values())
      for (const flight of queue) this.launch(flight.from, flight.to, flight.message);
    this.held.clear();
  }

  crash(core: number): void {
    const { self } = this.cores[core]!;
    this.cores[core]!.alive = false;
    if (this.proofAfter < Infinity) this.proofs.push({ due: this.now + this.proofAfter, member: self });
  }

  /** Whether the machine has a majority of its view, even without `core`: otherwise only an operator can help. */
  canSpare(core = -1): boolean {
    const { members } = this.agreed.get(Math.max(...this.agreed.keys()))!;
    const left = members.filter((m) => {
      const { alive, self } = this.cores[m.core]!;
      return alive && self.incarnation === m.incarnation && m.core !== core;
    });
    return left.length > members.length / 2;
  }

  restart(core: number): void {
    const old = this.cores[core]!;
    this.cores[core] = this.boot({ core, incarnation: old.self.incarnation + 1 }, old.rate);
  }

  /** Gives a core proof against another's present life. */
  accuse(by: number, core: number): void {
    const accuser = this.cores[by]!;
    accuser.agreement.accuse(this.cores[core]!.self, this.clockOf(accuser));
  }

  hang(core: number, forMs: number): void {
    this.cores[core]!.stoppedUntil = this.now + forMs * MS;
  }

  run(ms: number): void {
    const end = this.now + ms * MS;
    while (this.now < end && this.violations.length === 0) {
      this.now += TICK;
      for (const { member } of this.take(this.proofs)) this.prove(member);
      for (const core of this.cores) {
        if (!core.alive || core.stoppedUntil > this.now) continue;
        if (core.excludedAt !== null && this.now > core.excludedAt + 300 * MS) this.restart(core.self.core);
        else core.agreement.tick(this.clockOf(core));
      }
      this.deliver();
      this.afterTick();
      this.check();
    }
  }

  /** The view that every living core has installed last, if they agree and are all in it. */
  get converged(): boolean {
    const alive = this.cores.filter((core) => core.alive);
    const newest = Math.max(...this.agreed.keys());
    const view = this.agreed.get(newest)!;
    return (
      view.members.length === alive.length &&
      alive.every(
        ({ self, agreement }) => isMember(view, self) && agreement.view?.number === newest && !agreement.isFenced,
      )
    );
  }

  /** Whether what a core does has an effect outside itself: it lives and has a lease by its own clock. */
  mayAct(core: number): boolean {
    const found = this.cores[core]!;
    return found.alive && found.agreement.mayAct(this.clockOf(found));
  }

  describe(): string {
    const rows = this.cores.map(({ self, alive, agreement }) => {
      const members = agreement.view?.members.map((m) => `${m.core}.${m.incarnation}`).join(' ');
      return `core ${self.core}.${self.incarnation}${alive ? '' : ' dead'}: view ${agreement.view?.number} [${members}] leader ${agreement.leader}${agreement.isFenced ? ' fenced' : ''}`;
    });
    return [`${this.now / MS} ms`, ...rows, ...this.violations].join('\n');
  }

  private prove(member: Member): void {
    for (const core of this.cores)
      if (core.alive && core.stoppedUntil <= this.now) core.agreement.proofOfDeath(member, this.clockOf(core));
  }

  private boot(self: Member, rate: number): Core {
    // Each on a host of its own: probes and beacons coincide on one host only.
    const hostClockNs = (self.core * 137 + self.incarnation * 61) * MS;
    const settings = { ...DEFAULT_VIEW_SETTINGS, observers: this.observers, hostClockNs };
    const others = Array.from({ length: this.count }, (_, core) => core).filter((core) => core !== self.core);
    const core: Core = {
      self,
      alive: true,
      stoppedUntil: 0,
      rate,
      views: [],
      quarantined: [],
      excludedAt: null,
      agreement: new ViewAgreement(
        self,
        {
          send: (to, message) => this.send(self, to, message),
          sign: (to, view) => this.send(self, to, { type: 'view_probe', view }),
          heardAt: () => -Infinity,
          installed: (view) => {
            core.views.push(view);
            this.agree(view, self);
          },
          fenced: () => undefined,
          quarantined: (accused) => core.quarantined.push(accused),
          excluded: () => (core.excludedAt = this.now),
        },
        settings,
        () => others,
      ),
    };
    return core;
  }

  private agree(view: View, by: Member): void {
    const known = this.agreed.get(view.number);
    if (known === undefined) this.agreed.set(view.number, view);
    else if (JSON.stringify(known) !== JSON.stringify(view))
      this.violations.push(`V3: core ${by.core} installs another view ${view.number}`);
    if (known !== undefined) return;
    // V1 in its strictest form: a core outside the view has no valid lease from the moment that anybody is in the view.
    // Nobody waits for the guilty.
    for (const core of this.cores) {
      if (
        core.alive &&
        !this.isGuilty(core.self) &&
        !isMember(view, core.self) &&
        core.agreement.mayAct(this.clockOf(core))
      )
        this.violations.push(
          `V1: view ${view.number} is in force and core ${core.self.core}, which is not in it, may act`,
        );
    }
  }

  /** Whether somebody has heard enough accusers of a core's present life. */
  private isGuilty({ core, incarnation }: Member): boolean {
    return this.cores.some(({ quarantined }) =>
      quarantined.some((one) => one.core === core && one.incarnation === incarnation),
    );
  }

  private check(): void {
    const newest = this.agreed.get(Math.max(...this.agreed.keys()))!;
    for (const core of this.cores) {
      if (!core.alive) continue;
      const may = core.agreement.mayAct(this.clockOf(core));
      if (may && !this.isGuilty(core.self) && !isMember(newest, core.self))
        this.violations.push(`V1: core ${core.self.core} acts outside view ${newest.number}`);
      core.views.forEach((view, i) => {
        if (i > 0 && view.number !== core.views[i - 1]!.number + 1)
          this.violations.push(`V3: core ${core.self.core} leaves out a view before ${view.number}`);
      });
      if (core.views.length > 8) core.views.shift();
    }
  }

  private send(from: Member, toCore: number, message: ViewMessage): void {
    const to = this.cores[toCore]?.self ?? memberIn(this.agreed.get(1)!, toCore)!;
    const key = `${from.core}>${toCore}`;
    if (!this.broken.has(key)) return this.launch(from, to, message);
    if (!this.held.has(key)) this.held.set(key, []);
    if (this.held.get(key)!.length < HELD_MOST) this.held.get(key)!.push({ from, to, message, due: 0 });
  }

  private launch(from: Member, to: Member, message: ViewMessage): void {
    const key = `${from.core}>${to.core}`;
    const due = Math.max(this.now + (1 + this.prng.nextInt(40)) * MS, this.lastDue.get(key) ?? 0);
    this.lastDue.set(key, due);
    this.flying.push({ from, to, message, due });
  }

  private deliver(): void {
    for (const { from, to, message } of this.take(this.flying)) {
      const core = this.cores[to.core]!;
      if (!core.alive || core.self.incarnation !== to.incarnation) continue;
      if (core.stoppedUntil > this.now) this.flying.push({ from, to, message, due: core.stoppedUntil });
      else if (core.excludedAt === null) {
        this.messages += 1;
        core.agreement.receive(from, message, this.clockOf(core));
      }
    }
  }

  /** Removes and returns the messages that are due, in order. */
  private take<T extends { readonly due: number }>(list: T[]): T[] {
    const due = list.filter((item) => item.due <= this.now).sort((a, b) => a.due - b.due);
    const rest = list.filter((item) => item.due > this.now);
    list.splice(0, list.length, ...rest);
    return due;
  }

  private clockOf({ rate }: { readonly rate: number }): number {
    return Math.floor(this.now * rate);
  }
}
