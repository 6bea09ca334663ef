import { type Capability, describeCapability, identityOf, isAncestor, overlaps, type Range } from '@mk/node-kernel/capability/capability';
import { liveSlot } from '@mk/node-kernel/capability/copy-group';
import type { LocalCapabilities } from '@mk/node-kernel/capability/local-capabilities';
import { subtractRanges } from '@mk/node-kernel/capability/ranges';
import { isRamBacked, isWeightless, typeTreeRoot } from '@mk/node-kernel/capability/type-rules';
import { typeRow } from '@mk/node-kernel/capability/types';
import type { Report } from './checker.ts';

/** What one core has of one capability. */
interface Share {
  readonly capability: Capability;
  owner: number;
  locked: boolean;
  live: boolean;
}

/** What the model is told of a core after a step. */
export interface CoreView {
  readonly core: number;
  readonly state: LocalCapabilities;
  /** Memory on its way home from here. */
  readonly leaving: readonly Range[];
  /** Sent from here, not known to have arrived. */
  readonly flying: readonly Capability[];
}

interface KnownCore {
  readonly shares: Map<string, Share>;
  free: readonly Range[];
  leaving: readonly Range[];
}

/**
 * C1, C2 and C5 over all cores, kept up to date step by step: after a step only the core that took it is compared with what
 * was known of it, and only what changed there is checked against the others. The audit of whole snapshots says the same,
 * a thousand times slower; runs check the two against each other.
 */
export class CapabilityModel {
  private readonly cores = new Map<number, KnownCore>();
  private readonly holders = new Map<string, Map<number, Share>>();
  private readonly memory = new Map<string, Capability>();

  /** Takes in what a step left on its core, and checks what it changed. */
  step(view: CoreView, views: () => readonly CoreView[], report: Report): void {
    const known = this.coreOf(view);
    const changed = this.compareShares(view, known);
    const lost: Range[] = [];
    const { added, gone, touched } = changed;
    for (const capability of gone) if (isRamBacked(capability.type)) lost.push(capability);
    const free = view.state.ram.freeRanges();
    const freed = sameRanges(free, known.free) ? [] : subtractRanges(free, known.free);
    if (!sameRanges(free, known.free)) lost.push(...subtractRanges(known.free, free));
    if (!sameRanges(view.leaving, known.leaving)) lost.push(...subtractRanges(known.leaving, view.leaving));
    if (!sameRanges(free, known.free)) known.free = [...free];
    known.leaving = view.leaving;
    for (const identity of touched) this.checkOwner(identity, views, report);
    for (const capability of added) this.checkOverlap(capability, view.core, report);
    for (const range of freed) this.checkFree(range, view.core, report);
    if (lost.length > 0) this.checkConserved(lost, views, report);
  }

  private coreOf(view: CoreView): KnownCore {
    let known = this.cores.get(view.core);
    if (known === undefined) this.cores.set(view.core, (known = { shares: new Map(), free: [], leaving: [] }));
    return known;
  }

  private compareShares(view: CoreView, known: KnownCore): { readonly added: Capability[]; readonly gone: Capability[]; readonly touched: string[] } {
    const added: Capability[] = [];
    const gone: Capability[] = [];
    const touched: string[] = [];
    const seen = new Set<string>();
    for (const group of view.state.database.groups()) {
      const identity = identityOf(group.capability);
      seen.add(identity);
      const live = liveSlot(group) !== undefined;
      const share = known.shares.get(identity);
      if (share === undefined) {
        const fresh = { capability: group.capability, owner: group.owner, locked: group.locked, live };
        known.shares.set(identity, fresh);
        this.add(identity, view.core, fresh);
        added.push(group.capability);
        touched.push(identity);
      } else if (share.owner !== group.owner || share.locked !== group.locked || share.live !== live) {
        Object.assign(share, { owner: group.owner, locked: group.locked, live });
        touched.push(identity);
      }
    }
    if (seen.size === known.shares.size) return { added, gone, touched };
    for (const [identity, { capability }] of known.shares) {
      if (seen.has(identity)) continue;
      known.shares.delete(identity);
      this.remove(identity, view.core);
      gone.push(capability);
      touched.push(identity);
    }
    return { added, gone, touched };
  }

  private add(identity: string, core: number, share: Share): void {
    const holders = this.holders.get(identity);
    if (holders !== undefined) return void holders.set(core, share);
    this.holders.set(identity, new Map([[core, share]]));
    const { capability } = share;
    if (typeTreeRoot(capability.type) === 'PhysAddr' && !isWeightless(capability.type)) this.memory.set(identity, capability);
  }

  private remove(identity: string, core: number): void {
    const holders = this.holders.get(identity)!;
    holders.delete(core);
    if (holders.size > 0) return;
    this.holders.delete(identity);
    this.memory.delete(identity);
  }

  /** C1: one owner, on which all agree, and it holds a copy; a lock shows a change in progress. */
  private checkOwner(identity: string, views: () => readonly CoreView[], report: Report): void {
    const holders = this.holders.get(identity);
    if (holders === undefined) return;
    const shares = [...holders];
    const { capability } = shares[0]![1];
    if (!typeRow(capability.type).needsLocality || shares.some(([, share]) => share.locked)) return;
    const live = shares.filter(([, share]) => share.live);
    if (live.length === 0) return;
    const owners = [...new Set(live.map(([, share]) => share.owner))];
    if (views().some(({ flying }) => flying.some((sent) => identityOf(sent) === identity))) return;
    if (owners.length > 1) report('C1', `copies of ${describeCapability(capability)} name the owners ${owners.join(', ')}`);
    else if (!holders.has(owners[0]!)) report('C1', `core ${owners[0]}, the owner of ${describeCapability(capability)}, holds no copy; core ${live[0]![0]} does`);
  }

  /** C2: what overlaps descends, one from the other. */
  private checkOverlap(capability: Capability, core: number, report: Report): void {
    if (typeTreeRoot(capability.type) !== 'PhysAddr' || isWeightless(capability.type)) return;
    const own = identityOf(capability);
    for (const [identity, other] of this.memory) {
      if (identity === own || !overlaps(other, capability) || isAncestor(other, capability) || isAncestor(capability, other)) continue;
      report('C2', `${describeCapability(capability)} on core ${core} overlaps ${describeCapability(other)} on core ${[...this.holders.get(identity)!.keys()].join(', ')}`);
    }
    if (!isRamBacked(capability.type)) return;
    for (const [home, { free }] of this.cores) {
      if (free.some((range) => overlaps(range, capability))) report('C2', `${describeCapability(capability)} on core ${core} lies in memory that is free on core ${home}`);
    }
  }

  private checkFree(range: Range, core: number, report: Report): void {
    for (const [identity, capability] of this.memory) {
      if (!isRamBacked(capability.type) || !overlaps(capability, range)) continue;
      report('C2', `core ${core} freed memory that ${describeCapability(capability)} on core ${[...this.holders.get(identity)!.keys()].join(', ')} covers`);
    }
  }

  /** C5: what something let go of is covered by something else, free, or on its way home. */
  private checkConserved(lost: readonly Range[], views: () => readonly CoreView[], report: Report): void {
    const covered: Range[] = [];
    for (const capability of this.memory.values()) if (isRamBacked(capability.type) || capability.type === 'DevFrame') covered.push(capability);
    for (const { free, leaving } of this.cores.values()) covered.push(...free, ...leaving);
    let leaked = subtractRanges(lost, covered);
    if (leaked.length > 0) leaked = subtractRanges(leaked, views().flatMap(({ flying }) => flying));
    for (const { address, size } of leaked) report('C5', `0x${address.toString(16)}+${size} is neither free nor covered nor on its way home`);
  }
}

function sameRanges(a: readonly Range[], b: readonly Range[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i]!.address !== b[i]!.address || a[i]!.size !== b[i]!.size) return false;
  return true;
}
