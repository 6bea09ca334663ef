/*
 * RECLAIM: memory that lost a capability goes home, and only the home frees it. Unless it is certain that nobody covers
 * it, the home asks everybody in the two phases of one round: prepare begins a watch on every core; commit ends it and
 * reports everything covered there at any time in between. One batch at a time; candidates that come meanwhile are the
 * next batch. The home's own watch lasts until it frees: it gives the memory out again. C5: a core that lets go
 * of memory accounts for it until the home has taken it over.
 */
import { assertInvariant, known } from '@mk/monitor-proto/assert';
import type { CoreId, Incarnation, OperationId } from '@mk/monitor-proto/ids';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import { limit } from '@mk/monitor-proto/limits';
import { CAPABILITY_LIMITS } from '../../capability/model/limits.ts';
import { makeCapability, type Range } from '../../capability/model/capability.ts';
import type { ReclaimCandidate } from '../../capability/model/changes.ts';
import { subtractRanges, unionRanges } from '../../capability/model/ranges.ts';
import { lendMemory } from '../../capability/global/monitor-primitives.ts';
import { beginWatch, endWatch, reclaimAtHome } from '../../capability/global/reclaim.ts';
import type { RangeWatch } from '../../capability/store/holds.ts';
import { type Act, PHASES } from '../agreement/round-actions.ts';
import { type Operation, OperationError } from '../operations.ts';
import { notItsMemory } from './claims.ts';
import { ByInitiator } from './by-core.ts';
import type { CapopsContext } from './context.ts';
import { coreOf, isBegunBy } from '../agreement/finished.ts';
import { pause } from '../waits.ts';

interface Batch {
  readonly range: Range;
  readonly freed: (bytes: number) => void;
}

/** Memory that waits here until its home has answered an earlier request. */
interface Freed {
  readonly range: Range;
  readonly certain: boolean;
}

const NONE: readonly Range[] = [];
/** In one request: some 18 KB. */
const RANGES_MOST = 1024;

export class Reclaims {
  /** Ranges on their way home from here. */
  private readonly leaving = new Map<OperationId, readonly Range[]>();
  /**
   * By home; an entry means that a request is on its way there. So a core that frees much at once sends a few large
   * requests, not a burst.
   */
  private readonly next = new Map<CoreId, Freed[]>();
  /** Handed to a revoke's initiator, until a watch shows that they have reached their home. */
  private entrusted: Range[] = [];
  /** Memory of a restarted home, whose holders have not been asked yet. */
  private reserved: readonly Range[] = [];
  private queue: Batch[] = [];
  private current: readonly Range[] = [];
  private running = false;
  private readonly watches = new ByInitiator<readonly RangeWatch[]>(limit('arrivalsPerSender'));
  readonly act: Act;

  constructor(private readonly m: CapopsContext) {
    this.act = m.rounds.act({
      wrong: (initiator, { rest }) => notItsMemory(m, initiator, pairs(rest)),
      prepare: (op, { rest }, answer) => {
        if (coreOf(op) !== m.context.core && this.watches.isFull(op)) return answer('TOO_MANY_OPERATIONS');
        this.watches.set(
          op,
          pairs(rest).map((range) => beginWatch(m.state, range)),
        );
        answer(null);
      },
      commit: (op, { rest }, answer) => {
        this.entrusted = subtractRanges(this.entrusted, pairs(rest));
        answer(null, this.endWatches(op));
      },
      abort: (op, _given, answer) => {
        this.endWatches(op);
        answer(null);
      },
    });
  }

  /** All ranges that this core answers for and that are neither free nor covered. */
  ranges(): readonly Range[] {
    const parts = [this.entrusted, this.reserved, this.queue, this.current];
    const { leaving, next } = this;
    const { departing } = this.m.state.loans;
    if (leaving.size + next.size + departing.size === 0 && parts.every(({ length }) => length === 0)) return NONE;
    return [
      ...[...departing.values()].map(({ range }) => range),
      ...[...leaving.values()].flat(),
      ...[...next.values()].flat().map(({ range }) => range),
      ...this.entrusted,
      ...this.reserved,
      ...this.queue.map(({ range }) => range),
      ...this.current,
    ];
  }

  /** CF1. Throws AssertionFailure. */
  invariants(): void {
    const { running, current, watches } = this;
    assertInvariant('CF1', running || current.length === 0, () => `${current.length} ranges asked about by nobody`);
    for (const op of watches.keys())
      assertInvariant('CF1', this.m.rounds.isPresent(op), () => `the initiator of the watch ${op} is gone`);
  }

  get idle(): boolean {
    const { departing } = this.m.state.loans;
    return !this.running && this.leaving.size + this.next.size + departing.size === 0;
  }

  /** Whether a watch of this round is active here. */
  isWatching(op: OperationId): boolean {
    return this.watches.has(op);
  }

  /** Reclaims the memory freed by a single deletion. */
  take({ address, size, home, certain }: ReclaimCandidate): void {
    this.send(home, [{ address, size }], certain);
  }

  /** Reclaims the memory that a revoke freed on all cores together. */
  offer(ranges: readonly Range[]): void {
    const { homeOf, memory } = this.m.state;
    const byHome = new Map<CoreId, Range[]>();
    for (const range of unionRanges(ranges.filter(isRange))) {
      for (const part of splitBy(range, memory.size)) {
        const home = homeOf(part.address);
        const known = byHome.get(home);
        if (known === undefined) byHome.set(home, [part]);
        else known.push(part);
      }
    }
    for (const [home, parts] of byHome) this.send(home, parts, false);
  }

  /**
   * Entrusts this core's share of the memory that a revoke freed to the initiator. Memory whose home is gone went with
   * it.
   */
  entrust(ranges: readonly Range[]): void {
    this.entrusted.push(...ranges.filter((range) => this.hasHome(range)));
  }

  /** Frees this home's ranges that nobody covers because their holders are gone. */
  recover(ranges: readonly Range[]): void {
    const missing = subtractRanges(ranges, this.m.state.ram.freeRanges());
    if (missing.length > 0) this.arrive(missing, false, () => undefined);
  }

  /** Reserves all of this home's memory until the members have been asked for capabilities from its earlier life. */
  reserve(): void {
    const { ram, memory } = this.m.state;
    this.reserved = ram.take(memory);
    lendMemory(this.m.state);
  }

  recoverReserved(): void {
    const { reserved } = this;
    if (reserved.length === 0) return;
    this.reserved = [];
    this.recover(reserved);
  }

  /** Ends the watches of a home that is gone, since nobody else will. */
  peerGone(core: CoreId, incarnation: Incarnation): void {
    for (const op of this.watches.keys()) if (isBegunBy(op, core, incarnation)) this.endWatches(op);
    this.entrusted = this.entrusted.filter(({ address }) => this.m.state.homeOf(address) !== core);
  }

  private hasHome({ address }: Range): boolean {
    const home = this.m.state.homeOf(address);
    return home === this.m.context.core || this.m.context.monitors.has(home);
  }

  /** Handles ranges that arrive at their home. */
  onRequest(from: CoreId, { op, ranges }: MessageOf<'cap_reclaim_request'>): void {
    const given = pairs(ranges).filter((range) => isRange(range) && this.isHome(range));
    const answer = (freed: number): void =>
      this.m.exchange.tell(from, { type: 'cap_reclaim_reply', op, freed }, this.m.now);
    // However certain the sender is, freed memory is given out again, so the home trusts nobody's word.
    if (given.length === 0) answer(0);
    else this.arrive(given, false, answer);
  }

  private send(home: CoreId, ranges: readonly Range[], certain: boolean): void {
    if (home === this.m.context.core) return this.arrive(ranges, certain, () => undefined);
    const freed = ranges.map((range) => ({ range, certain }));
    const waiting = this.next.get(home);
    if (waiting !== undefined) return void waiting.push(...freed);
    this.next.set(home, []);
    return this.begin(home, freed);
  }

  private begin(home: CoreId, freed: readonly Freed[]): void {
    const { m } = this;
    const ranges = freed.map(({ range }) => range);
    const certain = freed.every((one) => one.certain);
    const { address, size } = known(ranges[0]);
    m.carryOn(
      'reclaim',
      makeCapability('RAM', address, size),
      (op) => this.sendHome(op, home, ranges, certain),
      m.now,
      () => {
        const left = this.next.get(home)?.splice(0, RANGES_MOST) ?? [];
        if (left.length > 0) this.begin(home, left);
        else this.next.delete(home);
      },
    );
  }

  private *sendHome(op: OperationId, home: CoreId, ranges: readonly Range[], certain: boolean): Operation<void> {
    this.leaving.set(op, ranges);
    for (let attempt = 0; ; attempt += 1) {
      try {
        const flat = ranges.flatMap(({ address, size }) => [address, size]);
        yield* this.m.exchange.ask(
          home,
          { type: 'cap_reclaim_request', op, view: this.m.context.view, certain, ranges: flat },
          'cap_reclaim_reply',
        );
        break;
      } catch (error) {
        if (!(error instanceof OperationError)) throw error;
        if (!this.m.context.monitors.has(home)) break;
        yield* pause(this.m.context.timers, attempt);
      }
    }
    this.leaving.delete(op);
  }

  private arrive(ranges: readonly Range[], certain: boolean, freed: (bytes: number) => void): void {
    if (certain) return freed(this.free(ranges, []));
    let left = ranges.length;
    let total = 0;
    const one = (bytes: number): void => {
      total += bytes;
      if ((left -= 1) === 0) freed(total);
    };
    for (const range of ranges) this.queue.push({ range, freed: one });
    if (this.running || this.queue.length === 0) return;
    this.running = true;
    this.m.inBackground(this.runBatches());
  }

  private *runBatches(): Operation<void> {
    while (this.queue.length > 0) {
      const batch = this.queue;
      this.queue = [];
      this.current = batch.map(({ range }) => range);
      // Memory that another candidate freed meanwhile may be given out again, here and nowhere else, before this one
      // ends.
      const since = this.current.map((range) => beginWatch(this.m.state, range));
      const elsewhere = yield* this.coveredAnywhere(this.current);
      const covered = [...elsewhere, ...since.flatMap((watch) => endWatch(this.m.state, watch))];
      for (const { range, freed } of batch) freed(this.free([range], covered));
      this.current = [];
    }
    this.running = false;
  }

  /** The ranges that any member covered at any time since it was asked. */
  private *coveredAnywhere(ranges: readonly Range[]): Operation<readonly Range[]> {
    const { m } = this;
    const flat = ranges.flatMap(({ address, size }) => [address, size]);
    const name = makeCapability('RAM', known(ranges[0]).address, known(ranges[0]).size);
    for (let attempt = 0; ; attempt += 1) {
      try {
        // Each core answers for itself: a tree's inner node could conceal ranges that others cover.
        const op = m.context.operations.nextId();
        const round = yield* m.rounds.prepare(op, 'reclaim', { capability: name, rest: flat }, { plan: 'unicast' });
        return pairs(yield* m.rounds.finish(PHASES.commit, round)).filter(isRange);
      } catch (error) {
        if (!(error instanceof OperationError)) throw error;
        yield* pause(m.context.timers, attempt);
      }
    }
  }

  private free(ranges: readonly Range[], covered: readonly Range[]): number {
    let bytes = 0;
    for (const range of ranges) if (this.isHome(range)) bytes += reclaimAtHome(this.m.state, range, covered);
    if (this.m.context.outbox.debug) this.m.context.outbox.log('cap_reclaimed', { op: '', bytes });
    return bytes;
  }

  /** A home frees only memory that it contributes, whatever a peer says. */
  private isHome({ address, size }: Range): boolean {
    const { memory } = this.m.state;
    return address >= memory.address && address + size <= memory.address + memory.size;
  }

  private endWatches(op: OperationId): readonly number[] {
    const watches = this.watches.get(op) ?? [];
    this.watches.delete(op);
    return watches.flatMap((watch) => endWatch(this.m.state, watch)).flatMap(({ address, size }) => [address, size]);
  }
}

/** Decodes ranges from a round's numbers: address and size in turn. */
export function pairs(flat: readonly number[]): Range[] {
  return Array.from({ length: flat.length >> 1 }, (_, i) => ({
    address: known(flat[2 * i]),
    size: known(flat[2 * i + 1]),
  }));
}

/** Natural numbers within the address space: a peer may say anything. */
function isRange({ address, size }: Range): boolean {
  const whole = Number.isSafeInteger(address) && Number.isSafeInteger(size);
  return whole && address >= 0 && size > 0 && address + size <= CAPABILITY_LIMITS.addressSpaceBytes;
}

/** Cuts a range at the borders of the cores' memories. */
function splitBy({ address, size }: Range, bytesPerCore: number): Range[] {
  const parts: Range[] = [];
  const end = address + size;
  for (let at = address; at < end;) {
    const next = Math.min(end, (Math.floor(at / bytesPerCore) + 1) * bytesPerCore);
    parts.push({ address: at, size: next - at });
    at = next;
  }
  return parts;
}
