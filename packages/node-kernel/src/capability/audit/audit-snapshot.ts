/** Snapshots of each core's capabilities and memory, as plain data, and their decoded form for the audit. */
import type { CoreId } from '@mk/monitor-proto/ids';
import { identityOf } from '../model/capability.ts';
import type { Capability, Range } from '../model/capability.ts';
import { decodeCapability, encodeCapability, isMalformed } from '../model/capability-codec.ts';
import type { WireCapability } from '../model/capability-codec.ts';
import type { LocalCapabilities } from '../store/local-capabilities.ts';
import { isInDelete } from '../store/slot.ts';

export interface SlotSnapshot {
  readonly slot: number;
  readonly capability: WireCapability;
  readonly owner: number;
  readonly locked: boolean;
  readonly inDelete: boolean;
  readonly relations: number;
}

export interface CoreSnapshot {
  readonly core: CoreId;
  /** The memory that this core contributes. */
  readonly memory: readonly Range[];
  readonly free: readonly Range[];
  /** Memory on its way to an allocator, or lost with a core and written off. */
  readonly reclaiming: readonly Range[];
  readonly slots: readonly SlotSnapshot[];
  /** Capabilities that this core sent and that are not in a slot of any core yet. */
  readonly inFlight: readonly WireCapability[];
}

export interface Violation {
  readonly invariant: 'C1' | 'C2' | 'C3' | 'C5' | 'copies' | 'relations';
  /** The offending capability or range. */
  readonly what: string;
  readonly cores: readonly number[];
  readonly detail: string;
  /** The memory concerned; absent for capabilities without any. */
  readonly range?: Range;
  /** The named owners, for C1 and relations. */
  readonly owners?: readonly number[];
  /** Memory that nobody has, that no core contributed, or that is free in two allocators. */
  readonly memory?: 'leaked' | 'foreign' | 'doubled';
}

/** One decoded slot with its core. */
export interface AuditEntry extends Omit<SlotSnapshot, 'capability'> {
  readonly core: CoreId;
  readonly capability: Capability;
  readonly identity: string;
}

/** The state of one core as plain data. */
export function snapshotCore(
  state: LocalCapabilities,
  inFlight: readonly Capability[] = [],
  reclaiming: readonly Range[] = [],
): CoreSnapshot {
  const slots: SlotSnapshot[] = [];
  for (const group of state.database.groups()) {
    const { owner, locked, relations } = group;
    for (const slot of group.slots) {
      const capability = encodeCapability(slot.capability);
      slots.push({ slot: slot.address, capability, owner, locked, inDelete: isInDelete(slot), relations });
    }
  }
  return { ...memoryOf(state, inFlight, reclaiming), slots };
}

/** A snapshot without its slots. */
export function memoryOf(
  state: LocalCapabilities,
  inFlight: readonly Capability[],
  reclaiming: readonly Range[],
): Omit<CoreSnapshot, 'slots'> {
  return {
    core: state.core,
    memory: [state.memory],
    free: [...state.ram.freeRanges()],
    reclaiming: [...reclaiming],
    inFlight: inFlight.map(encodeCapability),
  };
}

/**
 * The entries of one core straight from its state: the result of `entriesOf` on its snapshot, without the wire form.
 */
export function entriesOfCore(state: LocalCapabilities): AuditEntry[] {
  const { core } = state;
  const entries: AuditEntry[] = [];
  state.database.visitGroups(({ capability, owner, locked, relations, slots }) => {
    const identity = identityOf(capability);
    for (const slot of slots) {
      entries.push({
        core,
        capability: slot.capability,
        identity,
        slot: slot.address,
        owner,
        locked,
        inDelete: isInDelete(slot),
        relations,
      });
    }
  });
  return entries;
}

export function entriesOf(snapshots: readonly CoreSnapshot[]): AuditEntry[] {
  return snapshots.flatMap(({ core, slots }) =>
    slots.map((slot) => {
      const capability = decode(slot.capability);
      return { ...slot, core, capability, identity: identityOf(capability) };
    }),
  );
}

export function decode(wire: WireCapability): Capability {
  const capability = decodeCapability(wire);
  if (isMalformed(capability)) throw new Error(`a snapshot holds no capability: ${capability.malformed}`);
  return capability;
}
