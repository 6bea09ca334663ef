/*
 * Judges another core's claim by this core's own records. The relation bits are conservative: "clear is certain". A
 * claim that needs a clear bit is false, whatever the other core says; where the bit is set, this core cannot tell.
 */
import { type Capability, overlaps, type Range } from '../../capability/model/capability.ts';
import { isRamBacked } from '../../capability/model/type-rules.ts';
import { typeRow } from '../../capability/model/types.ts';
import { REMOTE } from '../../capability/store/copy-group.ts';
import type { LocalCapabilities } from '../../capability/store/local-capabilities.ts';

/** The verdict on a claim: nothing against it; it is false; or it is changing, so nobody can tell now. */
export type Claim = 'possible' | 'false' | 'changing';

/** Whether, for all that this core knows, another core may own a capability. */
export function claimTo(state: LocalCapabilities, capability: Capability, core: number): Claim {
  const { needsLocality, addressed } = typeRow(capability.type);
  if (!needsLocality) return 'possible';
  const group = state.database.find(capability);
  if (group === undefined) return !addressed || mayBeElsewhere(state, capability) ? 'possible' : 'false';
  if (group.owner === core) return 'possible';
  return group.locked ? 'changing' : 'false';
}

/** Whether a capability that is not here may exist on another core: none exists without a relation to it here. */
function mayBeElsewhere(state: LocalCapabilities, capability: Capability): boolean {
  if (isRamBacked(capability.type) && isFree(state, capability)) return false;
  for (const above of state.database.ancestorsOf(capability))
    if (!state.isForeign(above) && (above.relations & REMOTE.descendants) === 0) return false;
  let may = true;
  state.database.visitDescendants(capability, (below) => {
    if (!state.isForeign(below) && (below.relations & (REMOTE.ancestors | REMOTE.copies)) === 0) may = false;
    return !may;
  });
  return may;
}

/**
 * Whether another core may hold a capability by which it can use a range; false when all of it is this core's alone.
 */
export function mayUse(state: LocalCapabilities, range: Range): boolean {
  if (isFree(state, range)) return false;
  let may = true;
  state.database.visitOverlapping(range, (group) => {
    if (isRamBacked(group.capability.type) && !state.isForeign(group) && group.relations === 0) may = false;
    return !may;
  });
  return may;
}

/** Whether part of the range is in this core's allocator, so that no capability covers it anywhere. */
function isFree(state: LocalCapabilities, range: Range): boolean {
  return range.size > 0 && state.ram.freeRanges().some((free) => overlaps(free, range));
}

/** Whether all of a range is memory that one core contributes. */
export function isAtHome(state: LocalCapabilities, { address, size }: Range, home: number): boolean {
  if (!Number.isSafeInteger(address) || !Number.isSafeInteger(size) || address < 0 || size <= 0) return false;
  return state.homeOf(address) === home && state.homeOf(address + size - 1) === home;
}
