/**
 * map, protect, unmap. `map` enters part of a frame, or a table of the next level, in a page table, and makes the
 * Mapping capability for a later protect or unmap. Illegal requests are refused with the reason and change nothing.
 * Rights are enforced: a frame without WRITE maps read-only.
 */
import { known } from '@mk/monitor-proto/assert';
import { makeCapability } from '../model/capability.ts';
import { refuse, succeed } from '@mk/monitor-proto/result';
import type { CapabilityError, Result } from '../model/errors.ts';
import { hasRights, RIGHTS } from '../model/rights.ts';
import { mappingTypeOf } from '../model/type-rules.ts';
import { typeRow } from '../model/types.ts';
import { destination, lookup } from '../store/cspace.ts';
import type { SlotRef } from '../store/cspace.ts';
import type { LocalCapabilities } from '../store/local-capabilities.ts';
import { ENTRY_BYTES, PageTables, TABLE_ENTRIES } from '../store/page-tables.ts';
import type { MappedRun } from '../store/page-tables.ts';
import { relationsOfChild } from '../store/relations.ts';
import { full, type FullSlot, type Slot } from '../store/slot.ts';
import { linkMapping, place } from './placement.ts';

export interface MapRequest {
  /** A frame, or a table of the level below. */
  readonly source: SlotRef;
  readonly table: SlotRef;
  /** The first entry of the table to fill. */
  readonly entry: number;
  readonly count: number;
  /** Bytes from the start of the frame, in multiples of an entry's size; 0 for a table. */
  readonly offset: number;
  /** READ, WRITE, EXECUTE; no more than the source's. */
  readonly rights: number;
  /** The slot for the Mapping capability. */
  readonly destination: SlotRef;
}

export interface ProtectRequest {
  readonly mapping: SlotRef;
  /** The first entry, counted from the mapping's own first, and the number of entries. */
  readonly entry: number;
  readonly count: number;
  readonly rights: number;
}

export interface MapAction {
  readonly action: 'map';
  readonly source: Slot;
  readonly destination: Slot;
  readonly run: MappedRun;
}

export interface ProtectAction {
  readonly action: 'protect';
  readonly run: MappedRun;
  readonly from: number;
  readonly count: number;
  readonly rights: number;
}

const ACCESS_RIGHTS = RIGHTS.read | RIGHTS.write | RIGHTS.execute;

export function decodeMap(state: LocalCapabilities, caller: Slot, given: MapRequest): Result<MapAction> {
  const source = lookup(state, caller, given.source);
  if (!source.ok) return source;
  const table = lookup(state, caller, given.table, RIGHTS.write);
  if (!table.ok) return table;
  const misfit = misfitOf(state, source.value, table.value, given);
  if (misfit !== null) return refuse(misfit);
  const to = destination(state, caller, given.destination, known(mappingTypeOf(source.value.capability.type)));
  if (!to.ok) return to;
  const { entry, count, offset } = given;
  const { type, address } = table.value.capability;
  const run: MappedRun = {
    table: address,
    first: entry,
    count,
    level: PageTables.levelOf(type),
    object: source.value.capability,
    offset,
    rights: new Array<number>(count).fill(given.rights),
  };
  return succeed({ action: 'map', source: source.value, destination: to.value, run });
}

/** Enters the run and makes the Mapping capability. Cannot fail. */
export function performMap(state: LocalCapabilities, { source, destination: to, run }: MapAction): void {
  const type = known(mappingTypeOf(run.object.type));
  const mapping = makeCapability(type, run.object.address + run.offset, 1, [run.table, run.first]);
  place(state, to, mapping, { owner: state.core, relations: relationsOfChild(state, full(source).group) });
  linkMapping(state, full(to), source);
  state.pageTables.enter(run);
  state.changes.note({ kind: 'mapped', run });
}

export function decodeProtect(state: LocalCapabilities, caller: Slot, given: ProtectRequest): Result<ProtectAction> {
  const found = lookup(state, caller, given.mapping);
  if (!found.ok) return found;
  const run = runOf(state, found.value);
  const held = found.value.mappedThrough?.capability;
  if (run === undefined || !held) return refuse('NOT_A_MAPPING');
  const { entry, count, rights } = given;
  if (count < 1 || entry + count > run.count) return refuse('MAP_RANGE');
  if (!hasRights(ACCESS_RIGHTS, rights) || !hasRights(held.rights, rights)) return refuse('RIGHTS_NOT_SUBSET');
  return succeed({ action: 'protect', run, from: entry, count, rights });
}

/** Changes the rights of the entries. Cannot fail. */
export function performProtect(state: LocalCapabilities, { run, from, count, rights }: ProtectAction): void {
  run.rights.fill(rights, from, from + count);
  state.changes.note({ kind: 'protected', run, from, count, rights });
}

export function decodeUnmap(
  state: LocalCapabilities,
  caller: Slot,
  { mapping }: { readonly mapping: SlotRef },
): Result<{ readonly action: 'remove_copy'; readonly target: FullSlot }> {
  const found = lookup(state, caller, mapping, 0, RIGHTS.read | RIGHTS.write);
  if (!found.ok) return found;
  if (runOf(state, found.value) === undefined) return refuse('NOT_A_MAPPING');
  return succeed({ action: 'remove_copy', target: found.value });
}

/** The entries that the mapping in a slot fills. */
function runOf(state: LocalCapabilities, slot: Slot): MappedRun | undefined {
  const { capability } = slot;
  if (capability === null || !typeRow(capability.type).mapping) return undefined;
  return state.pageTables.runAt(known(capability.fields[0]), known(capability.fields[1]));
}

function misfitOf(
  state: LocalCapabilities,
  source: FullSlot,
  table: FullSlot,
  { entry, count, offset, rights }: MapRequest,
): CapabilityError | null {
  const level = PageTables.levelOf(table.capability.type);
  if (level < 0) return 'NOT_A_PAGE_TABLE';
  if (state.isForeign(table.group)) return 'CAPABILITY_FOREIGN';
  if (source.group.locked || table.group.locked) return 'CAPABILITY_BUSY';
  if (mappingTypeOf(source.capability.type) === undefined) return 'NOT_MAPPABLE';
  const below = PageTables.levelOf(source.capability.type);
  if (below >= 0 && state.isForeign(source.group)) return 'CAPABILITY_FOREIGN';
  if (below < 0 ? level === 0 : below !== level + 1) return 'MAP_LEVEL';
  if (count < 1 || entry + count > TABLE_ENTRIES || (below >= 0 && count !== 1)) return 'MAP_RANGE';
  const bytes = below < 0 ? known(ENTRY_BYTES[level]) : source.capability.size;
  if (below >= 0 ? offset !== 0 : (source.capability.address + offset) % bytes !== 0) return 'MAP_OFFSET';
  if (offset + count * bytes > source.capability.size) return 'MAP_RANGE';
  if (!hasRights(ACCESS_RIGHTS, rights) || !hasRights(source.capability.rights, rights)) return 'RIGHTS_NOT_SUBSET';
  return state.pageTables.areFree(table.capability.address, entry, count) ? null : 'ENTRY_IN_USE';
}
