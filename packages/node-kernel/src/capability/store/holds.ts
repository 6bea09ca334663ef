/**
 * What operations between cores hold while they run: kept with the capabilities, because everything must respect it.
 */
import type { Capability, Range } from '../model/capability.ts';
import type { Slot } from './slot.ts';

/** What a revoke has frozen on this core. */
export interface RevokeMark {
  readonly target: Capability;
  /** The one slot that outlives the revoke; null except on the core that revokes. */
  readonly survivor: Slot | null;
  readonly frozen: readonly { readonly slot: Slot; readonly capability: Capability }[];
  /** Nothing that waits to be deleted on this core is, until commit or abort. */
  pausesDeletion: boolean;
}

/** A range watched by its home: everything RAM-backed that overlapped it since the watch began. */
export interface RangeWatch {
  readonly range: Range;
  readonly seen: Range[];
}
