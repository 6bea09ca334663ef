/**
 * This core's page tables: hardware-neutral, four levels of 512 entries, 48 bits of virtual address. A table is the
 * object of a VNode capability; each run of entries belongs to one Mapping capability and goes with it.
 */
import { known } from '@mk/monitor-proto/assert';
import type { Capability } from '../model/capability.ts';
import type { CapabilityType } from '../model/types.ts';

export const TABLE_ENTRIES = 512;
const VIRTUAL_ADDRESS_BYTES = 2 ** 48;
const TABLE_TYPES = ['VNode_L0', 'VNode_L1', 'VNode_L2', 'VNode_L3'] as const satisfies CapabilityType[];
/** Bytes that one entry covers, by the level of its table. */
export const ENTRY_BYTES = [2 ** 39, 2 ** 30, 2 ** 21, 2 ** 12] as const;

/** A run of entries made by one `map`. */
export interface MappedRun {
  readonly table: number;
  readonly first: number;
  readonly count: number;
  readonly level: number;
  /** The frame, or the table of the next level. */
  readonly object: Capability;
  /** Bytes from the start of the object. */
  readonly offset: number;
  /** Rights of each entry, from the first on: `protect` may change some of them. */
  readonly rights: number[];
}

/** The destination of a virtual address. */
export interface Translation {
  readonly frame: Capability;
  /** The physical address of the byte. */
  readonly address: number;
  /** Bytes of the page that the entry maps: 4 KiB, 2 MiB or 1 GiB. */
  readonly pageBytes: number;
  readonly rights: number;
}

export class PageTables {
  private readonly tables = new Map<number, Map<number, MappedRun>>();

  /** The level of a table type, 0 for the root; −1 for other types. */
  static levelOf(type: CapabilityType): number {
    return TABLE_TYPES.indexOf(type as (typeof TABLE_TYPES)[number]);
  }

  runAt(table: number, entry: number): MappedRun | undefined {
    return this.tables.get(table)?.get(entry);
  }

  /** Whether none of the entries is filled. */
  areFree(table: number, first: number, count: number): boolean {
    const entries = this.tables.get(table);
    for (let entry = first; entry < first + count; entry += 1) if (entries?.has(entry) === true) return false;
    return true;
  }

  /** Enters a run, whose entries must be free. */
  enter(run: MappedRun): void {
    let entries = this.tables.get(run.table);
    if (entries === undefined) this.tables.set(run.table, (entries = new Map()));
    for (let i = 0; i < run.count; i += 1) entries.set(run.first + i, run);
  }

  /** Removes the run that begins at an entry; undefined when there is none. */
  remove(table: number, first: number): MappedRun | undefined {
    const entries = this.tables.get(table);
    const run = entries?.get(first);
    if (entries === undefined || run === undefined || run.first !== first) return undefined;
    for (let i = 0; i < run.count; i += 1) entries.delete(first + i);
    if (entries.size === 0) this.tables.delete(table);
    return run;
  }

  /** Walks from a root table to the page of a virtual address; null where nothing is mapped. */
  translate(root: number, virtual: number): Translation | null {
    if (!(virtual >= 0 && virtual < VIRTUAL_ADDRESS_BYTES)) return null;
    let table = root;
    let rights = ~0;
    for (const [level, bytes] of ENTRY_BYTES.entries()) {
      const entry = Math.floor(virtual / bytes) % TABLE_ENTRIES;
      const run = this.runAt(table, entry);
      if (run === undefined) return null;
      rights &= known(run.rights[entry - run.first]);
      const at = run.object.address + run.offset + (entry - run.first) * bytes;
      if (PageTables.levelOf(run.object.type) === level + 1) table = run.object.address;
      else return { frame: run.object, address: at + (virtual % bytes), pageBytes: bytes, rights };
    }
    return null;
  }

  /** Every run that leads to another table below a root, with its virtual address. */
  *tablesBelow(root: number, base = 0): Generator<{ readonly virtual: number; readonly run: MappedRun }> {
    for (const [entry, run] of this.tables.get(root) ?? []) {
      if (PageTables.levelOf(run.object.type) < 0) continue;
      const virtual = base + entry * known(ENTRY_BYTES[run.level]);
      yield { virtual, run };
      yield* this.tablesBelow(run.object.address, virtual);
    }
  }

  /** Every page run below a root with its virtual address, in order. */
  *runsBelow(root: number, base = 0): Generator<{ readonly virtual: number; readonly run: MappedRun }> {
    const entries = this.tables.get(root);
    if (entries === undefined) return;
    for (const entry of [...entries.keys()].sort((a, b) => a - b)) {
      const run = known(entries.get(entry));
      if (run.first !== entry) continue;
      const virtual = base + entry * known(ENTRY_BYTES[run.level]);
      if (PageTables.levelOf(run.object.type) < 0) yield { virtual, run };
      else yield* this.runsBelow(run.object.address, virtual);
    }
  }
}
