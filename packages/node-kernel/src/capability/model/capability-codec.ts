/** The wire form of a capability: `[type ordinal, rights, address, size, ...fields]`, all safe integers. */
import { isListOf, isWhole } from '@mk/monitor-proto/guards';
import { makeCapability } from './capability.ts';
import type { Capability } from './capability.ts';
import { CAPABILITY_LIMITS } from './limits.ts';
import { sizeAllowed, typeOfOrdinal } from './type-rules.ts';
import { typeRow } from './types.ts';
import type { CapabilityType } from './types.ts';

export type WireCapability = readonly number[];

/** Why received data is not a capability. */
export interface Malformed {
  readonly malformed: string;
}

export function encodeCapability(capability: Capability): number[] {
  const { type, rights, address, size, fields } = capability;
  return [typeRow(type).ordinal, rights, address, size, ...fields];
}

/** Decodes a capability, or says why the value is none. Trusts nothing: a peer or a program may send anything. */
export function decodeCapability(wire: unknown): Capability | Malformed {
  if (!Array.isArray(wire) || wire.length < 4) return malformed('not an array of four numbers or more');
  if (!isListOf(wire, isWhole)) return malformed('not all natural numbers');
  const [ordinal = 0, rights = 0, address = 0, size = 0, ...fields] = wire;
  const type = typeOfOrdinal(ordinal);
  if (type === undefined) return malformed(`no type has ordinal ${ordinal}`);
  const reason = misfit(type, rights, address, size, fields);
  return reason === undefined ? makeCapability(type, address, size, fields, rights) : malformed(reason);
}

export function isMalformed(decoded: Capability | Malformed): decoded is Malformed {
  return 'malformed' in decoded;
}

function malformed(reason: string): Malformed {
  return { malformed: reason };
}

function misfit(
  type: CapabilityType,
  rights: number,
  address: number,
  size: number,
  fields: readonly number[],
): string | undefined {
  const row = typeRow(type);
  if (rights > 31 || (rights & ~row.rights) !== 0) return `${type} cannot carry rights ${rights}`;
  if (!sizeAllowed(type, size)) return `${type} cannot have size ${size}`;
  if (!row.addressed && address !== 0) return `${type} has no address`;
  if (address + size > CAPABILITY_LIMITS.addressSpaceBytes) return 'beyond the physical address space';
  if (row.addressed && address % row.alignment !== 0) return `${type} at ${address} is not aligned`;
  if (fields.length !== row.fields.length) return `${type} has ${row.fields.length} fields, not ${fields.length}`;
  return undefined;
}
