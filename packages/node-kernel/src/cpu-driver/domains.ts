import { known } from '@mk/monitor-proto/assert';
import type { DomainId } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import { makeCapability } from '../capability/model/capability.ts';
import type { LocalCapabilities } from '../capability/store/local-capabilities.ts';
import { copyExisting } from '../capability/global/monitor-primitives.ts';
import { place } from '../capability/invocations/placement.ts';
import { full, type FullSlot, type Slot, type SlotContainer } from '../capability/store/slot.ts';

/** A caller: it holds the contents of its cspace, and nothing else. */
export interface Domain {
  readonly id: DomainId;
  /** The kernel's slot that holds its root CNode. */
  readonly root: Slot;
}

const CNODE_BYTES = 16 * 1024;

/** Level-2 addresses of a new domain's first capabilities. */
export const FIRST_SLOTS = { taskCNode: 0, memory: 1 } as const;

/** The domains of one core. */
export class Domains {
  private readonly byId = new Map<number, Domain>();
  private nextId = 1;

  get(id: DomainId): Domain | undefined {
    return this.byId.get(id);
  }

  all(): readonly Domain[] {
    return [...this.byId.values()];
  }

  /** Forgets a domain whose cspace has been deleted; its number is not reused. */
  remove(id: DomainId): void {
    this.byId.delete(id);
  }

  /**
   * Creates a domain with a cspace of `cnodes` L2 CNodes, its root CNode as a capability in its own first slot, and
   * `memoryBytes` of RAM, if any, in its second. All of it is memory that this core contributes: a cspace does not end
   * with another core, and has no ancestor on one. Null: no memory or no number left.
   */
  create(state: LocalCapabilities, cnodes: number, memoryBytes: number): Domain | null {
    if (this.byId.size >= limit('domainsPerCore')) return null;
    const bytes = CNODE_BYTES * (1 + cnodes);
    const range = state.ram.allocate(bytes, CNODE_BYTES, state.memory);
    const memory = memoryBytes > 0 ? state.ram.allocate(memoryBytes, undefined, state.memory) : null;
    const root = state.kernelSlots.freeSlot();
    if (range === null || root === null || (memoryBytes > 0 && memory === null)) {
      for (const taken of [range, memory]) if (taken !== null) state.ram.release(taken);
      return null;
    }
    const shared = { owner: state.core, relations: 0 };
    place(state, root, makeCapability('L1CNode', range.address, CNODE_BYTES), shared);
    const top = known(state.containers.get(range.address));
    for (let i = 0; i < cnodes; i += 1)
      place(state, top.slot(i), makeCapability('L2CNode', range.address + CNODE_BYTES * (1 + i), CNODE_BYTES), shared);
    const first = known(state.containers.get(range.address + CNODE_BYTES));
    copyExisting(state, full(root), first.slot(FIRST_SLOTS.taskCNode));
    if (memory !== null)
      place(state, first.slot(FIRST_SLOTS.memory), makeCapability('RAM', memory.address, memory.size), shared);
    const domain = { id: this.nextId, root };
    this.nextId += 1;
    this.byId.set(domain.id, domain);
    return domain;
  }

  /** Every occupied slot of a domain's cspace with its level-2 address, in order. */
  *slotsOf(
    state: LocalCapabilities,
    { root }: Domain,
  ): Generator<{ readonly address: number; readonly slot: FullSlot }> {
    const top = containerOf(state, root);
    for (const l1Slot of top?.occupiedSlots() ?? []) {
      for (const slot of containerOf(state, l1Slot)?.occupiedSlots() ?? [])
        yield { address: l1Slot.index * 256 + slot.index, slot };
    }
  }
}

function containerOf(state: LocalCapabilities, slot: Slot): SlotContainer | undefined {
  return slot.capability === null ? undefined : state.containers.get(slot.capability.address);
}
