/** Consequences of the type table, precomputed: legal retypes, transitive descent, tree roots, sizes. */
import { known } from '@mk/monitor-proto/assert';
import { CAPABILITY_TYPE_NAMES, typeRow } from './types.ts';
import type { CapabilityType } from './types.ts';

const BY_ORDINAL: (CapabilityType | undefined)[] = [];
for (const name of CAPABILITY_TYPE_NAMES) BY_ORDINAL[typeRow(name).ordinal] = name;

/** The type with this ordinal on the wire, or undefined. */
export function typeOfOrdinal(ordinal: number): CapabilityType | undefined {
  return BY_ORDINAL[ordinal];
}

/** Whether an explicit retype from `from` to `to` is legal: one edge of the tree, or a part of itself. */
export function retypeAllowed(from: CapabilityType, to: CapabilityType): boolean {
  const row = typeRow(to);
  if (row.mapping) return false;
  return from === to ? row.fromSelf : row.parents.includes(from);
}

const ANCESTOR_TYPES = new Map<CapabilityType, ReadonlySet<CapabilityType>>();
for (const name of CAPABILITY_TYPE_NAMES) ANCESTOR_TYPES.set(name, collectAncestors(name));

function collectAncestors(type: CapabilityType): Set<CapabilityType> {
  const all = new Set<CapabilityType>();
  for (const parent of typeRow(type).parents as CapabilityType[]) {
    all.add(parent);
    for (const above of collectAncestors(parent)) all.add(above);
  }
  return all;
}

/** Whether `type` descends from `ancestor` over one or more edges, mapping edges included; never from itself. */
export function descendsFrom(type: CapabilityType, ancestor: CapabilityType): boolean {
  return known(ANCESTOR_TYPES.get(type)).has(ancestor);
}

/** The type at the top of the tree that `type` belongs to; types without parents are their own root. */
export function typeTreeRoot(type: CapabilityType): CapabilityType {
  return known(TREE_ROOTS.get(type));
}

const TREE_ROOTS = new Map<CapabilityType, CapabilityType>();
for (const name of CAPABILITY_TYPE_NAMES) {
  const root = [...known(ANCESTOR_TYPES.get(name))].find((above) => typeRow(above).parents.length === 0);
  TREE_ROOTS.set(name, root ?? name);
}

/** Whether `bytes` is a size that a capability of `type` may have. */
export function sizeAllowed(type: CapabilityType, bytes: number): boolean {
  const rule = typeRow(type).size;
  if (rule.kind === 'none') return bytes === 0;
  return rule.kind === 'exact' ? bytes === rule.bytes : bytes > 0 && bytes % rule.bytes === 0;
}

/** RAM and everything made of it: memory that returns to an allocator with its last capability. */
export function isRamBacked(type: CapabilityType): boolean {
  return type === 'RAM' || (descendsFrom(type, 'RAM') && !isWeightless(type));
}

/** Mappings and LMP endpoints lie inside an object without taking any of it: they exclude nothing. */
export function isWeightless(type: CapabilityType): boolean {
  const row = typeRow(type);
  return row.mapping || row.size.kind === 'none';
}

/** Whether objects of the type hold slots of their own. */
export function holdsSlots(type: CapabilityType): type is 'L1CNode' | 'L2CNode' | 'Dispatcher' {
  return type === 'L1CNode' || type === 'L2CNode' || type === 'Dispatcher';
}

/** The type that `map` makes for an object of `type`, or undefined when it is not mappable. */
export function mappingTypeOf(type: CapabilityType): CapabilityType | undefined {
  if (!typeRow(type).mappable) return undefined;
  return CAPABILITY_TYPE_NAMES.find((name) => typeRow(name).mapping && typeRow(name).parents[0] === type);
}
