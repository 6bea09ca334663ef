/** A booted core with one domain: a root CNode in a kernel slot, an L2 CNode at L1 index 0, RAM at address 0. */
import { makeCapability } from '@mk/node-kernel/capability/model/capability';
import type { Capability } from '@mk/node-kernel/capability/model/capability';
import { type Change, ChangeSink } from '@mk/node-kernel/capability/model/changes';
import { capabilityAddress } from '@mk/node-kernel/capability/store/cspace';
import type { Invocation } from '@mk/node-kernel/capability/invocations/decode';
import type { CapabilityError, Result } from '@mk/node-kernel/capability/model/errors';
import { bootCapabilities } from '@mk/node-kernel/capability/store/local-capabilities';
import type { LocalCapabilities } from '@mk/node-kernel/capability/store/local-capabilities';
import { allocateKernelSlot, createRam } from '@mk/node-kernel/capability/global/monitor-primitives';
import { invoke } from '@mk/node-kernel/capability/invocations/perform';
import type { Identity } from '@mk/node-kernel/capability/invocations/perform';
import { place } from '@mk/node-kernel/capability/invocations/placement';
import type { Slot } from '@mk/node-kernel/capability/store/slot';
import { auditCapabilities } from '@mk/node-kernel/capability/audit/audit';
import { snapshotCore } from '@mk/node-kernel/capability/audit/audit-snapshot';

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const PAGE = 4 * KIB;

export class World {
  readonly state: LocalCapabilities;
  readonly sink = new ChangeSink();
  readonly root: Slot;

  constructor(core = 0, memoryBytes = 4 * MIB) {
    this.state = bootCapabilities({
      core,
      memory: { address: core * memoryBytes, size: memoryBytes },
      homeOf: (at) => Math.floor(at / memoryBytes),
      changes: this.sink,
    });
    this.root = must(allocateKernelSlot(this.state));
    this.putRange(this.root, 'L1CNode', 16 * KIB);
    this.putRange(this.state.containers.get(this.root.capability!.address)!.slot(0), 'L2CNode', 16 * KIB);
    must(createRam(this.state, this.slot(0), MIB, PAGE));
  }

  /** The slot at an L2 index of the first CNode. */
  slot(index: number): Slot {
    return this.cnode(0).slot(index);
  }

  cnode(l1Index: number) {
    const { address } = this.state.containers.get(this.root.capability!.address)!.slot(l1Index).capability!;
    return this.state.containers.get(address)!;
  }

  /** Memory straight from the allocator as an object of `type`. */
  putRange(slot: Slot, type: Capability['type'], bytes: number): void {
    const range = this.state.ram.allocate(bytes)!;
    this.put(slot, makeCapability(type, range.address, range.size));
  }

  put(slot: Slot, capability: Capability, owner = this.state.core, relations = 0): void {
    place(this.state, slot, capability, { owner, relations });
  }

  invoke(invocation: Invocation): Result<Identity | null> {
    return invoke(this.state, this.root, invocation);
  }

  /** Changes of capabilities since the last call, by kind. */
  changes(): readonly Change['kind'][] {
    return this.takeChanges().map(({ kind }) => kind);
  }

  takeChanges(): readonly Change[] {
    return this.sink.takeChanges();
  }

  /** The error that refuses an invocation, or `none`. */
  refusal(invocation: Invocation): CapabilityError | 'none' {
    return errorOf(this.invoke(invocation));
  }

  retype(source: number, destination: number, type: Capability['type'], rest: Partial<RetypeArguments> = {}) {
    return this.invoke({
      operation: 'retype',
      source: { address: source },
      destination: { address: destination },
      type,
      offset: 0,
      objectSize: 0,
      count: 1,
      ...rest,
    });
  }

  audit() {
    return auditCapabilities([snapshotCore(this.state)]);
  }
}

interface RetypeArguments {
  readonly offset: number;
  readonly objectSize: number;
  readonly count: number;
  readonly fields: readonly number[];
}

export function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`refused: ${result.error}`);
  return result.value;
}

export function errorOf(result: Result<unknown>): CapabilityError | 'none' {
  return result.ok ? 'none' : result.error;
}

export const at = (address: number) => ({ address });

export { capabilityAddress };
