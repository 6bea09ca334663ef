/**
 * The holds of operations between cores while they run: kept with the capabilities, because everything must respect
 * them.
 */
import { type Capability, overlaps, type Range } from '../model/capability.ts';
import type { Slot } from './slot.ts';

/** The slots that a revoke has frozen on this core. */
export interface RevokeMark {
  readonly target: Capability;
  /** The one slot that outlives the revoke; null except on the revoking core. */
  readonly survivor: Slot | null;
  readonly frozen: readonly { readonly slot: Slot; readonly capability: Capability }[];
  /** While true, no queued deletion on this core proceeds before commit or abort. */
  pausesDeletion: boolean;
}

/** A range watched for its home: collects everything RAM-backed, and everything borrowed, that overlapped it since. */
export interface RangeWatch {
  readonly range: Range;
  readonly seen: Range[];
}

/** Tells the watches of memory that is held from now on. */
export function noteHeld(watches: ReadonlySet<RangeWatch>, { address, size }: Range): void {
  for (const { range, seen } of watches) if (overlaps(range, { address, size })) seen.push({ address, size });
}
