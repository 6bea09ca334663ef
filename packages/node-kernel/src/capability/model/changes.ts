/** Changes of capabilities, for the parts that must follow: the CPU driver, the address spaces, the monitor. */
import type { Capability, Range } from './capability.ts';

/** A run of entries of one page table that one mapping fills. */
export interface Entries {
  readonly table: number;
  readonly first: number;
  readonly count: number;
  readonly level: number;
  readonly object: Capability;
  readonly offset: number;
}

export type Change =
  | { readonly kind: 'created'; readonly slot: number; readonly capability: Capability }
  /** One copy is gone. For a mapping: its page table entry must go, and the local TLB be flushed. */
  | { readonly kind: 'deleted'; readonly slot: number; readonly capability: Capability }
  /** The last copy on the owner is gone, and the object with it. */
  | { readonly kind: 'destroyed'; readonly capability: Capability }
  /** The dispatcher is ending: deschedule it now. */
  | { readonly kind: 'stopped'; readonly capability: Capability }
  | { readonly kind: 'moved'; readonly from: number; readonly to: number }
  /** RAM has become an object: its bytes must be zeroed before anyone can read them. */
  | { readonly kind: 'zeroed'; readonly address: number; readonly size: number }
  /** Page table entries were filled. */
  | { readonly kind: 'mapped'; readonly run: Entries }
  /** Entries `from` … `from + count` of the run carry other rights. */
  | {
      readonly kind: 'protected';
      readonly run: Entries;
      readonly from: number;
      readonly count: number;
      readonly rights: number;
    }
  /** Page table entries are gone: no translation through them may be used from now on. */
  | { readonly kind: 'unmapped'; readonly run: Entries }
  /** Returned to this core's allocator. */
  | { readonly kind: 'freed'; readonly address: number; readonly size: number };

/** Memory that lost a capability and may have no other. */
export interface ReclaimCandidate extends Range {
  /** The core that contributed the memory: freed RAM goes back there. */
  readonly home: number;
  /**
   * Whether no other core can hold anything that covers it; if not, the home asks before it frees (see `reclaim.ts`).
   */
  readonly certain: boolean;
}

/** The sink as operations see it: they can report to it, but take nothing out. */
export interface ChangeNotes {
  note(change: Change): void;
  /** Offers memory to the monitor to reclaim; memory that this core can free alone is freed at once. */
  offer(candidate: ReclaimCandidate): void;
  /** Whether changes or candidates wait. */
  readonly pending: boolean;
  /** Whether lost translations, or memory that became another object, wait. */
  readonly concernsPages: boolean;
}

/**
 * The one place that hears of capability changes on this core. Code that changes the state reports here, and nobody
 * passes changes around. Only the kernel, which made it, can drain it; it does so at the end of every step and tells
 * the services.
 */
export class ChangeSink implements ChangeNotes {
  private changes: Change[] = [];
  private candidates: ReclaimCandidate[] = [];
  /** Changes ever noted; the code that passes them on counts too (CS1). */
  noted = 0;

  note(change: Change): void {
    this.noted += 1;
    this.changes.push(change);
  }

  /** Changes not yet taken. */
  get untold(): number {
    return this.changes.length;
  }

  offer(candidate: ReclaimCandidate): void {
    this.candidates.push(candidate);
  }

  get pending(): boolean {
    return this.changes.length > 0 || this.candidates.length > 0;
  }

  get concernsPages(): boolean {
    return this.changes.some(({ kind }) => kind === 'unmapped' || kind === 'protected' || kind === 'zeroed');
  }

  /** The changes since the last call, in order. */
  takeChanges(): readonly Change[] {
    if (this.changes.length === 0) return NONE;
    const taken = this.changes;
    this.changes = [];
    return taken;
  }

  takeCandidates(): readonly ReclaimCandidate[] {
    if (this.candidates.length === 0) return NONE;
    const taken = this.candidates;
    this.candidates = [];
    return taken;
  }
}

const NONE: readonly never[] = [];
