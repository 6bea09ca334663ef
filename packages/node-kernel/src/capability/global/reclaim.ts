/**
 * Reclaims RAM that lost a capability. Freed RAM returns to its home, the core that contributed it, and only the home
 * frees it. Memory that no other core can cover ("certain") is freed at once. For the rest the home asks in two rounds:
 * every core starts a watch on the range; when all have, each reports everything that it has held since. Every
 * capability and every loan has a holder at any time (a sender keeps it until the receiver has it), so one that nobody
 * saw does not exist. Freeing free memory does nothing, and memory that was lent meanwhile is held, so two candidates for
 * the same bytes are harmless. Differs from Barrelfish, which loses memory whose parent was deleted before its children.
 */
import type { CopyGroup } from '../store/slot.ts';
import { overlaps } from '../model/capability.ts';
import type { Range } from '../model/capability.ts';
import type { ReclaimCandidate } from '../model/changes.ts';
import type { RangeWatch } from '../store/holds.ts';
import type { LocalCapabilities } from '../store/local-capabilities.ts';
import { intersectRanges, subtractRanges, unionRanges } from '../model/ranges.ts';
import { isRamBacked } from '../model/type-rules.ts';

/**
 * The parts of `range` that this core holds: RAM-backed capabilities cover them, frozen ones included, or they are
 * borrowed and unused, or on their way to a borrower.
 */
function coveredRanges(state: LocalCapabilities, range: Range): Range[] {
  const found: Range[] = [...unusedLoans(state, range)];
  state.database.visitOverlapping(range, ({ capability }) => {
    if (!isRamBacked(capability.type)) return false;
    found.push(capability);
    return capability.address <= range.address && capability.address + capability.size >= range.address + range.size;
  });
  return found.length === 0 ? found : intersectRanges([range], found);
}

function unusedLoans({ core, homeOf, loans, ram }: LocalCapabilities, { address }: Range): readonly Range[] {
  return homeOf(address) === core ? [...loans.departing.values()].map(({ range }) => range) : ram.freeRanges();
}

/** First round, on every core that the home asks. */
export function beginWatch(state: LocalCapabilities, range: Range): RangeWatch {
  const watch: RangeWatch = { range, seen: coveredRanges(state, range) };
  state.watches.add(watch);
  return watch;
}

/** Second round: the parts of the range that were covered here at any time since the watch began. */
export function endWatch(state: LocalCapabilities, watch: RangeWatch): Range[] {
  state.watches.delete(watch);
  const inside = watch.seen.filter((range) => overlaps(range, watch.range));
  return intersectRanges([watch.range], unionRanges(inside));
}

/** Reclaims the memory of an object whose last copy on its owner has just been removed. */
export function reclaimObject(state: LocalCapabilities, removed: CopyGroup): void {
  const { type, address, size } = removed.capability;
  if (!isRamBacked(type)) return;
  const candidate: ReclaimCandidate = { address, size, home: state.homeOf(address), certain: removed.relations === 0 };
  if (candidate.certain && candidate.home === state.core) reclaimAtHome(state, candidate, []);
  else state.changes.offer(candidate);
}

/** Frees, at the home, the part that neither this core nor `coveredElsewhere` covers; returns the bytes freed. */
export function reclaimAtHome(state: LocalCapabilities, range: Range, coveredElsewhere: readonly Range[]): number {
  let freed = 0;
  const covered = [...coveredElsewhere, ...coveredRanges(state, range)];
  const holes = covered.length === 0 ? [range] : subtractRanges([range], covered);
  for (const hole of holes) {
    for (const { address, size } of state.ram.release({ address: hole.address, size: hole.size })) {
      state.loans.returned({ address, size });
      state.changes.note({ kind: 'freed', address, size });
      freed += size;
    }
  }
  return freed;
}
