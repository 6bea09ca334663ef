/** A capability as a value: immutable, the same on every core. Its slot and owner are state around it. */
import { known } from '@mk/monitor-proto/assert';
import { descendsFrom, typeTreeRoot } from './type-rules.ts';
import { typeRow } from './types.ts';
import type { CapabilityType } from './types.ts';

export interface Capability {
  readonly type: CapabilityType;
  /** Bit mask, see `rights.ts`. Not part of identity: copies may differ in rights. */
  readonly rights: number;
  /** Physical address in bytes; 0 for types without one. */
  readonly address: number;
  /** Bytes. */
  readonly size: number;
  /** The equality fields of the type, in the table's order. */
  readonly fields: readonly number[];
}

/** Address and size in bytes of a piece of the physical address space. */
export interface Range {
  readonly address: number;
  readonly size: number;
}

const NO_FIELDS: readonly number[] = [];

/** A capability with all the rights that its type can carry, unless told otherwise. */
export function makeCapability(
  type: CapabilityType,
  address = 0,
  size = 0,
  fields: readonly number[] = NO_FIELDS,
  rights: number = typeRow(type).rights,
): Capability {
  return { type, rights: rights & typeRow(type).rights, address, size, fields };
}

/** The same capability with other rights; the caller has checked that they are fewer. */
export function withRights(capability: Capability, rights: number): Capability {
  return { ...capability, rights };
}

/**
 * Whether two capabilities name the same object: same type, address, size and equality fields. Null is never a copy.
 */
export function isCopy(a: Capability, b: Capability): boolean {
  return a.type !== 'Null' && compareWithinTree(a, b) === 0;
}

/** Mapping database order: type-tree root, then as `compareWithinTree`. */
export function compareCapabilities(a: Capability, b: Capability): number {
  const roots = typeRow(typeTreeRoot(a.type)).ordinal - typeRow(typeTreeRoot(b.type)).ordinal;
  return roots !== 0 ? roots : compareWithinTree(a, b);
}

/** Order among capabilities of one type tree: address ↑, size ↓, type, equality fields. */
export function compareWithinTree(a: Capability, b: Capability): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1;
  if (a.size !== b.size) return a.size > b.size ? -1 : 1;
  if (a.type !== b.type) return typeRow(a.type).ordinal - typeRow(b.type).ordinal;
  return a.fields.length === 0 ? 0 : compareFields(a.fields, b.fields);
}

function compareFields(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i += 1) {
    const difference = known(a[i]) - known(b[i]);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Whether `ancestor` covers `capability` and its type is above, over any number of edges: grandchildren count. */
export function isAncestor(ancestor: Capability, capability: Capability): boolean {
  if (!covers(ancestor, capability)) return false;
  if (ancestor.type !== capability.type) return descendsFrom(capability.type, ancestor.type);
  return typeRow(ancestor.type).fromSelf && ancestor.size > capability.size;
}

/** Whether `inner` lies wholly in `outer`. A range of size zero lies at its address, but not at an end. */
export function covers(outer: Range, inner: Range): boolean {
  if (inner.address < outer.address || inner.address + inner.size > outer.address + outer.size) return false;
  return inner.size > 0 || inner.address < outer.address + outer.size || outer.size === 0;
}

/** Whether two ranges share at least one byte. */
export function overlaps(a: Range, b: Range): boolean {
  return a.address < b.address + b.size && b.address < a.address + a.size && a.size > 0 && b.size > 0;
}

/** A short name for logs and violations, like `Frame[0x2000+4096]`. */
export function describeCapability(capability: Capability): string {
  const fields = capability.fields.length > 0 ? `(${capability.fields.join(',')})` : '';
  if (!typeRow(capability.type).addressed) return `${capability.type}${fields}`;
  return `${capability.type}[0x${capability.address.toString(16)}+${capability.size}]${fields}`;
}

/** A string that is equal for copies and different otherwise. */
export function identityOf(capability: Capability): string {
  return `${capability.type}:${capability.address}:${capability.size}:${capability.fields.join(':')}`;
}
