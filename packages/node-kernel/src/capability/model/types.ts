/**
 * The capability types as data. Legal retypes, descent, copies and order all derive from these rows (see
 * `type-rules.ts`). After Barrelfish's `capabilities/caps.hl`; differences: the virtual memory types are
 * hardware-neutral, IRQSrc and IO keep their ranges as address and size so that narrowing them is a retype which revoke
 * can follow, and KernelControlBlock has one owner like all memory.
 */
import { keysOf } from '@mk/monitor-proto/tables';
import { ALL_RIGHTS, RIGHTS } from './rights.ts';

const KIB = 1024;
const PAGE = 4 * KIB;

/** The sizes in bytes that a capability of the type may have: none, exactly one, or a positive multiple. */
export type SizeRule =
  | { readonly kind: 'none' }
  | { readonly kind: 'exact'; readonly bytes: number }
  | { readonly kind: 'multiple'; readonly bytes: number };

export interface TypeRow {
  /** Never changes, because it travels. Parents have lower ordinals than children, so ancestors sort first. */
  readonly ordinal: number;
  readonly parents: readonly string[];
  /** Part of a capability of this type may become a smaller one of the same type. */
  readonly fromSelf: boolean;
  readonly size: SizeRule;
  /** The address of an object is a multiple of this many bytes. */
  readonly alignment: number;
  /** Has an address (`none` size with an address: an LMP endpoint lies in its dispatcher). */
  readonly addressed: boolean;
  /** Fields besides address and size in which two copies agree. */
  readonly fields: readonly string[];
  /** Ownership may pass to another core. */
  readonly moveable: boolean;
  /** Has exactly one owner core; other types are owned by every core that holds them. */
  readonly needsLocality: boolean;
  readonly mappable: boolean;
  readonly sendable: boolean;
  /** Children of this type do not exclude each other. */
  readonly multiRetype: boolean;
  /** Made by `map` only; explicit retype is refused. */
  readonly mapping: boolean;
  /** All rights that a capability of this type can carry. */
  readonly rights: number;
  readonly doc: string;
}

const NONE: SizeRule = { kind: 'none' };
const exact = (bytes: number): SizeRule => ({ kind: 'exact', bytes });
const multiple = (bytes: number): SizeRule => ({ kind: 'multiple', bytes });

const TOKEN_RIGHTS = RIGHTS.grant | RIGHTS.identify;
const DATA_RIGHTS = ALL_RIGHTS & ~RIGHTS.execute;

type Given = Pick<TypeRow, 'ordinal' | 'doc'> & Partial<TypeRow>;

/** A type backed by memory: addressed, with one owner core. */
function memory(given: Given): TypeRow {
  return {
    parents: ['RAM'],
    fromSelf: false,
    size: exact(PAGE),
    alignment: PAGE,
    addressed: true,
    fields: [],
    moveable: false,
    needsLocality: true,
    mappable: false,
    sendable: true,
    multiRetype: false,
    mapping: false,
    rights: DATA_RIGHTS,
    ...given,
  };
}

/** An authority: no memory, no owner; its fields name its subject. */
function token(given: Given): TypeRow {
  return memory({
    parents: [],
    size: NONE,
    alignment: 1,
    addressed: false,
    needsLocality: false,
    rights: TOKEN_RIGHTS,
    ...given,
  });
}

/** A mapping of an object of type `of`: one byte at its address, identified by the table and entry that it fills. */
function mapping(of: string, ordinal: number): TypeRow {
  return memory({
    ordinal,
    parents: [of],
    size: exact(1),
    alignment: 1,
    fields: ['page_table', 'entry'],
    sendable: false,
    mapping: true,
    rights: ALL_RIGHTS,
    doc: `Made by map: ${of} is entered in a page table. Deleting it unmaps.`,
  });
}

export const CAPABILITY_TYPES = {
  Null: token({ ordinal: 0, sendable: false, rights: 0, doc: 'An empty slot. Never in the mapping database.' }),
  PhysAddr: memory({
    ordinal: 1,
    parents: [],
    fromSelf: true,
    size: multiple(1),
    alignment: 1,
    moveable: true,
    rights: ALL_RIGHTS,
    doc: 'Physical addresses: the root of the memory tree, one per core at boot.',
  }),
  RAM: memory({
    ordinal: 2,
    parents: ['PhysAddr'],
    fromSelf: true,
    size: multiple(1),
    alignment: 1,
    moveable: true,
    rights: ALL_RIGHTS,
    doc: 'Untyped memory, to be retyped to everything below.',
  }),
  DevFrame: memory({
    ordinal: 3,
    parents: ['PhysAddr'],
    fromSelf: true,
    size: multiple(PAGE),
    mappable: true,
    doc: 'Device registers: mappable, never reclaimed as RAM.',
  }),
  Frame: memory({
    ordinal: 4,
    fromSelf: true,
    size: multiple(PAGE),
    moveable: true,
    mappable: true,
    rights: ALL_RIGHTS,
    doc: 'Mappable memory.',
  }),
  EndPointUMP: memory({
    ordinal: 5,
    size: multiple(PAGE),
    moveable: true,
    mappable: true,
    doc: 'The memory of a channel between cores.',
  }),
  L1CNode: memory({ ordinal: 6, size: multiple(16 * KIB), doc: 'Root of a cspace: 64 B slots, resizable.' }),
  L2CNode: memory({ ordinal: 7, size: exact(16 * KIB), doc: '256 slots of 64 B.' }),
  Dispatcher: memory({
    ordinal: 8,
    size: exact(KIB),
    alignment: KIB,
    sendable: false,
    multiRetype: true,
    doc: 'The kernel half of a dispatcher. Deleting the last one ends it.',
  }),
  EndPointLMP: memory({
    ordinal: 9,
    parents: ['Dispatcher'],
    size: NONE,
    alignment: 1,
    fields: ['endpoint'],
    sendable: false,
    doc: 'Receives messages of a dispatcher from its own core.',
  }),
  KernelControlBlock: memory({ ordinal: 10, size: exact(128 * KIB), doc: 'The state of one kernel.' }),
  VNode_L0: memory({ ordinal: 11, mappable: true, doc: 'Root page table, 512 entries.' }),
  VNode_L1: memory({ ordinal: 12, mappable: true, doc: 'Second level page table, 512 entries.' }),
  VNode_L2: memory({ ordinal: 13, mappable: true, doc: 'Third level page table, 512 entries.' }),
  VNode_L3: memory({ ordinal: 14, mappable: true, doc: 'Last level page table, 512 entries.' }),
  DevFrame_Mapping: mapping('DevFrame', 15),
  Frame_Mapping: mapping('Frame', 16),
  EndPointUMP_Mapping: mapping('EndPointUMP', 17),
  VNode_L0_Mapping: mapping('VNode_L0', 18),
  VNode_L1_Mapping: mapping('VNode_L1', 19),
  VNode_L2_Mapping: mapping('VNode_L2', 20),
  VNode_L3_Mapping: mapping('VNode_L3', 21),
  Kernel: token({ ordinal: 22, sendable: false, doc: 'Authority to use the CPU driver, held by the monitor.' }),
  ProcessManager: token({ ordinal: 23, multiRetype: true, doc: 'Authority to create domains.' }),
  Domain: token({
    ordinal: 24,
    parents: ['ProcessManager'],
    fields: ['core', 'local_id'],
    doc: 'A handle on one domain.',
  }),
  ID: token({ ordinal: 25, fields: ['core', 'local_id'], doc: 'A name unique in the system, created at run time.' }),
  IPI: token({ ordinal: 26, doc: 'Authority to notify other cores.' }),
  IRQTable: token({ ordinal: 27, sendable: false, doc: 'Authority over the interrupt table of a core.' }),
  IRQSrc: token({
    ordinal: 28,
    fromSelf: true,
    addressed: true,
    size: multiple(1),
    doc: 'Interrupt vectors; address is the first.',
  }),
  IRQDest: token({ ordinal: 29, fields: ['core', 'vector'], doc: 'The destination of an interrupt.' }),
  IO: token({
    ordinal: 30,
    fromSelf: true,
    addressed: true,
    size: multiple(1),
    rights: DATA_RIGHTS,
    doc: 'I/O ports: address is the first, size their number.',
  }),
  PerfMon: token({ ordinal: 31, doc: 'Authority to use performance counters.' }),
  DeviceIDManager: token({ ordinal: 32, multiRetype: true, doc: 'Authority to name devices.' }),
  DeviceID: token({ ordinal: 33, parents: ['DeviceIDManager'], fields: ['device'], doc: 'A handle on one device.' }),
} as const satisfies Record<string, TypeRow>;

export type CapabilityType = keyof typeof CAPABILITY_TYPES;

export const CAPABILITY_TYPE_NAMES: readonly CapabilityType[] = keysOf(CAPABILITY_TYPES);

/** The row of `type`, widened to the type that rules are written against. */
export function typeRow(type: CapabilityType): TypeRow {
  return CAPABILITY_TYPES[type];
}
