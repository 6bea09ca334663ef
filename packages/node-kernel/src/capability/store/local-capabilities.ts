/** One core's state of capabilities, which decode reads and perform changes. */
import type { CoreId } from '@mk/monitor-proto/ids';
import { assertInvariant } from '@mk/monitor-proto/assert';
import { describeCapability, makeCapability } from '../model/capability.ts';
import type { Range } from '../model/capability.ts';
import type { ChangeNotes } from '../model/changes.ts';
import { DeletionQueue } from './deletion-queue.ts';
import { CAPABILITY_LIMITS } from '../model/limits.ts';
import { Loans } from './loans.ts';
import { MappingDatabase } from './mapping-database.ts';
import { PageTables } from './page-tables.ts';
import { RamAllocator } from './ram-allocator.ts';
import type { RangeWatch, RevokeMark } from './holds.ts';
import { type CopyGroup, type FullSlot, type Slot, SlotContainer } from './slot.ts';
import { typeRow } from '../model/types.ts';
import type { CapabilityType } from '../model/types.ts';

export interface BootOptions {
  readonly core: CoreId;
  /** The RAM that this core contributes to the global physical address space. */
  readonly memory: Range;
  /** The core that contributed the byte at an address. */
  readonly homeOf: (address: number) => number;
  /** Hears of all capability changes here. */
  readonly changes: ChangeNotes;
}

export class LocalCapabilities {
  readonly core: CoreId;
  readonly memory: Range;
  readonly homeOf: (address: number) => number;
  readonly database = new MappingDatabase();
  /** Slots of the kernel and the monitor themselves. */
  readonly kernelSlots = new SlotContainer('kernel', 0, CAPABILITY_LIMITS.kernelSlots);
  /** The slots of each CNode and Dispatcher that this core owns, by address of the object. */
  readonly containers = new Map<number, SlotContainer>();
  /** Slots of mappings, by the address of the page table that they fill. */
  readonly mappingsInTable = new Map<number, Set<FullSlot>>();
  readonly pageTables = new PageTables();
  readonly ram: RamAllocator;
  readonly loans = new Loans();
  readonly deletions = new DeletionQueue();
  /** Revokes that have frozen slots here and have neither committed nor aborted. */
  readonly revokes = new Set<RevokeMark>();
  /** Targets of committed revokes: every other copy is going, so their lock blocks everything but deletion. */
  readonly committed = new Set<CopyGroup>();
  readonly watches = new Set<RangeWatch>();
  readonly changes: ChangeNotes;
  private nextLocalId = 0;

  constructor(options: BootOptions) {
    this.core = options.core;
    this.memory = options.memory;
    this.homeOf = options.homeOf;
    this.changes = options.changes;
    this.ram = new RamAllocator([options.memory]);
  }

  /** Whether another core serialises operations on it. */
  isForeign(group: CopyGroup): boolean {
    return typeRow(group.capability.type).needsLocality && group.owner !== this.core;
  }

  /** The slot at a physical address, or undefined when no container of this core has one there. */
  slotAt(address: number): Slot | undefined {
    const bytes = CAPABILITY_LIMITS.slotBytes;
    if (!Number.isSafeInteger(address) || address % bytes !== 0) return undefined;
    if (address < 0) return this.kernelSlots.peek(-address / bytes - 1);
    let found: SlotContainer | undefined;
    this.database.visitOverlapping({ address, size: bytes }, ({ capability }) => {
      found = this.containers.get(capability.address);
      if (found !== undefined && (address - found.address) / bytes >= found.capacity) found = undefined;
      return found !== undefined;
    });
    return found?.slot((address - found.address) / bytes);
  }

  /** CS2, CS3. Throws AssertionFailure. */
  invariants(): void {
    for (const group of this.committed)
      assertInvariant(
        'CS2',
        group.locked || group.slots.size === 0,
        () => `${describeCapability(group.capability)} is revoked without a lock`,
      );
    for (const slot of this.deletions.withMonitor)
      assertInvariant('CS3', slot.capability !== null, () => `slot ${slot.index} of ${slot.container.kind} is empty`);
  }

  /** A number never assigned before on this core, for the fields of Domain and ID. */
  takeLocalId(): number {
    this.nextLocalId += 1;
    return this.nextLocalId;
  }
}

const BOOT_TOKENS: readonly CapabilityType[] = [
  'Kernel',
  'ProcessManager',
  'IPI',
  'IRQTable',
  'PerfMon',
  'DeviceIDManager',
];

/** The state of a core at its start: its PhysAddr and the authority tokens in kernel slots, all of its memory free. */
export function bootCapabilities(options: BootOptions): LocalCapabilities {
  const state = new LocalCapabilities(options);
  const { address, size } = options.memory;
  const shared = { owner: options.core, relations: 0 };
  const first = [makeCapability('PhysAddr', address, size), ...BOOT_TOKENS.map((type) => makeCapability(type))];
  first.forEach((capability, index) => state.database.insert(state.kernelSlots.slot(index), capability, shared));
  return state;
}
