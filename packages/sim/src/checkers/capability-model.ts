import { known } from '@mk/monitor-proto/assert';
import type { CoreId } from '@mk/monitor-proto/ids';
import {
  type Capability,
  describeCapability,
  identityOf,
  isAncestor,
  overlaps,
  type Range,
} from '@mk/node-kernel/capability/model/capability';
import type { LocalCapabilities } from '@mk/node-kernel/capability/store/local-capabilities';
import { subtractRanges } from '@mk/node-kernel/capability/model/ranges';
import { isRamBacked, isWeightless, typeTreeRoot } from '@mk/node-kernel/capability/model/type-rules';
import { typeRow } from '@mk/node-kernel/capability/model/types';
import { CoreShares, type Share, type ShareChanges } from './capability-shares.ts';
import type { Report } from './checker.ts';

/** The model's view of a core. */
export interface CoreView {
  readonly core: CoreId;
  readonly state: LocalCapabilities;
  /** Memory on its way home from here. */
  leaving(): readonly Range[];
  /** Sent from here; arrival not yet confirmed. */
  flying(): readonly Capability[];
}

interface KnownCore {
  readonly shares: CoreShares;
  free: readonly Range[];
  leaving: readonly Range[];
}

/**
 * C1, C2 and C5 over all cores, maintained incrementally: after a step only the core that took it is compared with its
 * known state, and only its changes are checked against the others. An audit of whole snapshots finds the same, a
 * thousand times slower; runs check the two against each other.
 */
export class CapabilityModel {
  private readonly cores = new Map<number, KnownCore>();
  private readonly holders = new Map<string, Map<number, Share>>();
  private readonly memory = new Map<string, Capability>();

  /** Takes in what a step changed on its core, and checks it. `views` are those of all cores. */
  step(view: CoreView, views: ReadonlyMap<number, CoreView>, report: Report): void {
    const known = this.coreOf(view);
    const changes = known.shares.compare(view.state.database);
    const lost: Range[] = [];
    this.takeIn(view.core, changes, lost);
    const freed = compareRanges(known, view, lost);
    for (const { identity } of changes.gone) this.checkOwner(identity, views, report);
    for (const { identity } of changes.added) this.checkOwner(identity, views, report);
    for (const { identity } of changes.altered) this.checkOwner(identity, views, report);
    for (const { capability } of changes.added) this.checkOverlap(capability, view.core, report);
    for (const range of freed) this.checkFree(range, view.core, report);
    if (lost.length > 0) this.checkConserved(lost, views, report);
  }

  private coreOf({ core }: CoreView): KnownCore {
    let known = this.cores.get(core);
    if (known === undefined) this.cores.set(core, (known = { shares: new CoreShares(), free: [], leaving: [] }));
    return known;
  }

  /** Removals before additions: a capability may have done both. */
  private takeIn(core: CoreId, { added, gone }: ShareChanges, lost: Range[]): void {
    for (const { identity, capability } of gone) {
      this.remove(identity, core);
      if (isRamBacked(capability.type)) lost.push(capability);
    }
    for (const share of added) this.add(core, share);
  }

  private add(core: CoreId, share: Share): void {
    const { identity, capability } = share;
    const holders = this.holders.get(identity);
    if (holders !== undefined) return void holders.set(core, share);
    this.holders.set(identity, new Map([[core, share]]));
    if (typeTreeRoot(capability.type) === 'PhysAddr' && !isWeightless(capability.type))
      this.memory.set(identity, capability);
  }

  private remove(identity: string, core: CoreId): void {
    const holders = known(this.holders.get(identity));
    holders.delete(core);
    if (holders.size > 0) return;
    this.holders.delete(identity);
    this.memory.delete(identity);
  }

  /** C1: all agree on one owner, which holds a copy; a lock marks a change in progress. */
  private checkOwner(identity: string, views: ReadonlyMap<number, CoreView>, report: Report): void {
    const holders = this.holders.get(identity);
    if (holders === undefined) return;
    const problem = ownerProblem(holders);
    if (problem === null) return;
    // It may be on its way to a core, which will then hold it.
    for (const view of views.values()) if (view.flying().some((sent) => identityOf(sent) === identity)) return;
    report('C1', problem);
  }

  /** C2: of two that overlap, one descends from the other. */
  private checkOverlap(capability: Capability, core: CoreId, report: Report): void {
    if (typeTreeRoot(capability.type) !== 'PhysAddr' || isWeightless(capability.type)) return;
    const own = identityOf(capability);
    for (const [identity, other] of this.memory) {
      if (
        !overlaps(other, capability) ||
        identity === own ||
        isAncestor(other, capability) ||
        isAncestor(capability, other)
      )
        continue;
      report(
        'C2',
        `${describeCapability(capability)} on core ${core} overlaps ${describeCapability(other)} on core ${[...known(this.holders.get(identity)).keys()].join(', ')}`,
      );
    }
    if (!isRamBacked(capability.type)) return;
    for (const [home, { free }] of this.cores) {
      if (free.some((range) => overlaps(range, capability)))
        report('C2', `${describeCapability(capability)} on core ${core} lies in memory that is free on core ${home}`);
    }
  }

  private checkFree(range: Range, core: CoreId, report: Report): void {
    for (const [identity, capability] of this.memory) {
      if (!overlaps(capability, range) || !isRamBacked(capability.type)) continue;
      report(
        'C2',
        `core ${core} freed memory that ${describeCapability(capability)} on core ${[...known(this.holders.get(identity)).keys()].join(', ')} covers`,
      );
    }
  }

  /** C5: memory that was let go is covered by something else, free, or on its way home. */
  private checkConserved(lost: readonly Range[], views: ReadonlyMap<number, CoreView>, report: Report): void {
    let low = Infinity;
    let high = 0;
    for (const { address, size } of lost) {
      low = Math.min(low, address);
      high = Math.max(high, address + size);
    }
    const covered: Range[] = [];
    const cover = (range: Range): void => {
      if (range.address < high && range.address + range.size > low) covered.push(range);
    };
    for (const capability of this.memory.values())
      if (isRamBacked(capability.type) || capability.type === 'DevFrame') cover(capability);
    for (const { free, leaving } of this.cores.values()) {
      free.forEach(cover);
      leaving.forEach(cover);
    }
    let leaked = subtractRanges(lost, covered);
    if (leaked.length > 0)
      leaked = subtractRanges(
        leaked,
        [...views.values()].flatMap((view) => view.flying()),
      );
    for (const { address, size } of leaked)
      report('C5', `0x${address.toString(16)}+${size} is neither free nor covered nor on its way home`);
  }
}

/** What is wrong with the ownership of a capability with these shares; null: nothing. */
function ownerProblem(holders: ReadonlyMap<number, Share>): string | null {
  let someCore = -1;
  let some: Share | null = null;
  let agreed = true;
  for (const [core, share] of holders) {
    if (share.locked || !typeRow(share.capability.type).needsLocality) return null;
    if (share.liveSlot === undefined) continue;
    if (some === null) [someCore, some] = [core, share];
    else if (share.owner !== some.owner) agreed = false;
  }
  if (some === null) return null;
  const what = describeCapability(some.capability);
  if (!agreed)
    return `copies of ${what} name the owners ${[...new Set([...holders.values()].filter((share) => share.liveSlot !== undefined).map(({ owner }) => owner))].join(', ')}`;
  return holders.has(some.owner)
    ? null
    : `core ${some.owner}, the owner of ${what}, holds no copy; core ${someCore} does`;
}

/**
 * Compares the free and leaving memory of a core with what is known: adds to `lost` what is in neither any more,
 * returns what is now free.
 */
function compareRanges(known: KnownCore, view: CoreView, lost: Range[]): readonly Range[] {
  const free = view.state.ram.freeRanges();
  const leaving = view.leaving();
  let freed: readonly Range[] = [];
  if (!sameRanges(free, known.free)) {
    freed = subtractRanges(free, known.free);
    lost.push(...subtractRanges(known.free, free));
    known.free = [...free];
  }
  if (!sameRanges(leaving, known.leaving)) {
    lost.push(...subtractRanges(known.leaving, leaving));
    known.leaving = leaving;
  }
  return freed;
}

function sameRanges(a: readonly Range[], b: readonly Range[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) {
    const [x, y] = [known(a[i]), known(b[i])];
    if (x !== y && (x.address !== y.address || x.size !== y.size)) return false;
  }
  return true;
}
