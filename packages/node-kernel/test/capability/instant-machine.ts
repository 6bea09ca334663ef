/**
 * Several cores whose messages take no time and never fail: each distributed operation is one atomic sequence of local
 * primitives. The simple model of the monitor's protocols, which shows that the primitives suffice for them.
 */
import type { LocalCapabilities } from '@mk/node-kernel/capability/store/local-capabilities';
import type { Capability, Range } from '@mk/node-kernel/capability/model/capability';
import { REMOTE } from '@mk/node-kernel/capability/store/copy-group';
import { freeAddress } from '@mk/node-kernel/capability/store/cspace';
import { deleteStep } from '@mk/node-kernel/capability/invocations/delete-step';
import type { Result } from '@mk/node-kernel/capability/model/errors';
import { refuse, succeed } from '@mk/monitor-proto/result';
import {
  createCapability,
  createRam,
  deleteCopy,
  deleteForeigns,
  deleteLast,
  findOwned,
  isSendable,
  lockGroup,
  setOwner,
  setRelations,
  unlockGroup,
} from '@mk/node-kernel/capability/global/monitor-primitives';
import { beginWatch, endWatch, reclaimAtHome } from '@mk/node-kernel/capability/global/reclaim';
import { addRelations, relationsForTransfer } from '@mk/node-kernel/capability/store/relations';
import { createRetyped, isRetypeable, planRetype, retypeRange } from '@mk/node-kernel/capability/invocations/retype';
import type { RetypeRequest } from '@mk/node-kernel/capability/invocations/retype';
import { revokeCommit, revokeMarkRelations, revokeMarkTarget } from '@mk/node-kernel/capability/invocations/revoke';
import type { Slot } from '@mk/node-kernel/capability/store/slot';
import { typeRow } from '@mk/node-kernel/capability/model/types';
import { snapshotCore } from '@mk/node-kernel/capability/audit/audit-snapshot';
import { MIB, must, World } from './world.ts';

export class InstantMachine {
  readonly worlds: World[];

  constructor(cores: number) {
    this.worlds = Array.from({ length: cores }, (_, core) => new World(core, 2 * MIB));
  }

  snapshots() {
    return this.worlds.map((world) => snapshotCore(world.state));
  }

  allocate(core: number, bytes: number): Result<void> {
    const slot = this.freeSlot(core);
    if (!slot.ok) return slot;
    const made = createRam(this.worlds[core]!.state, slot.value, bytes);
    return made.ok ? succeed(undefined) : made;
  }

  /** copy/send: through the owner if the holder is another core; giving away the last copy transfers ownership. */
  send(core: number, slot: Slot, to: number, giveAway = false): Result<void> {
    const capability = slot.capability!;
    if (!isSendable(capability)) return refuse('NOT_SENDABLE');
    const owner = typeRow(capability.type).needsLocality ? slot.group!.owner : core;
    const ownerState = this.worlds[owner]!.state;
    const group = ownerState.database.find(capability)!;
    const target = this.freeSlot(to);
    if (!target.ok) return target;
    const receiver = this.worlds[to]!.state;
    const last = giveAway && owner === core && group.slots.size === 1 && (group.relations & REMOTE.copies) === 0;
    const moves = last && to !== core && typeRow(capability.type).moveable;
    if (moves) return this.giveAwayLast(core, slot, to, target.value);
    if (to !== owner) addRelations(ownerState, group, REMOTE.copies);
    const relations = relationsForTransfer(ownerState, group, true);
    return accepted(createCapability(receiver, target.value, capability, group.owner, to === owner ? 0 : relations));
  }

  /** retrieve: a foreign holder becomes the owner. */
  retrieve(core: number, slot: Slot): Result<void> {
    const { state } = this.worlds[core]!;
    if (!state.isForeign(slot.group!)) return succeed(undefined);
    const { capability } = slot;
    if (!typeRow(capability!.type).moveable) return refuse('NOT_MOVEABLE');
    const oldState = this.worlds[slot.group!.owner]!.state;
    const old = findOwned(oldState, capability!);
    if (!old.ok) return old;
    const relations = relationsForTransfer(oldState, old.value, true);
    for (const world of this.worlds) {
      const group = world.state.database.find(capability!);
      if (group !== undefined) setOwner(world.state, group, core);
    }
    addRelations(state, slot.group!, relations);
    return succeed(undefined);
  }

  retype(core: number, slot: Slot, request: RetypeRequest): Result<void> {
    const { state } = this.worlds[core]!;
    const source = slot.capability!;
    const children = planRetype(source, request);
    if (!children.ok) return children;
    const range = retypeRange(children.value);
    for (const world of this.worlds) {
      const free = isRetypeable(world.state, source, range);
      if (!free.ok) return free;
    }
    const slots: Slot[] = [];
    while (slots.length < children.value.length) {
      const cnode = this.worlds[core]!.cnode(0);
      const next = Array.from({ length: 256 }, (_, i) => cnode.slot(i)).find(
        (empty) => empty.capability === null && !slots.includes(empty),
      );
      if (next === undefined) return refuse('NO_FREE_SLOT');
      slots.push(next);
    }
    if (state.isForeign(slot.group!)) {
      const ownerState = this.worlds[slot.group!.owner]!.state;
      addRelations(ownerState, ownerState.database.find(source)!, REMOTE.descendants);
    }
    createRetyped(state, slot.group!, children.value, slots);
    return succeed(undefined);
  }

  delete(core: number, slot: Slot): void {
    this.remove(this.worlds[core]!.state, core, slot);
    for (const world of this.worlds) this.settle(world);
    this.drain();
  }

  private remove(state: LocalCapabilities, core: number, slot: Slot): void {
    const group = slot.group!;
    if (group.slots.size > 1 || state.isForeign(group)) return deleteCopy(state, slot);
    const holders = this.holders(slot.capability!).filter((other) => other !== core);
    if (holders.length > 0 && typeRow(group.capability.type).moveable) {
      const other = this.worlds[holders[0]!]!.state.database.find(slot.capability!)!;
      must(this.retrieve(holders[0]!, [...other.slots][0]!));
      return deleteCopy(state, slot);
    }
    if (typeRow(group.capability.type).needsLocality) {
      for (const holder of holders) {
        must(deleteForeigns(this.worlds[holder]!.state, slot.capability!));
      }
    }
    if (state.database.find(slot.capability!)) deleteLast(state, slot);
  }

  revoke(core: number, slot: Slot): Result<void> {
    const retrieved = this.retrieve(core, slot);
    if (!retrieved.ok) return retrieved;
    const { state } = this.worlds[core]!;
    const target = slot.capability!;
    lockGroup(slot.group!);
    const marks = this.worlds.map((world) => {
      const result = world.state === state ? revokeMarkTarget(state, slot) : revokeMarkRelations(world.state, target);
      if (!result.ok) throw new Error('nothing is locked in an instant machine');
      return result.mark;
    });
    marks.forEach((mark, i) => revokeCommit(this.worlds[i]!.state, mark));
    this.drain();
    setRelations(state, slot.group!, 0, REMOTE.copies | REMOTE.descendants);
    unlockGroup(slot.group!);
    return succeed(undefined);
  }

  private giveAwayLast(core: number, slot: Slot, to: number, target: Slot): Result<void> {
    const { state } = this.worlds[core]!;
    const relations = relationsForTransfer(state, slot.group!, false);
    lockGroup(slot.group!);
    const made = createCapability(this.worlds[to]!.state, target, slot.capability!, to, relations);
    unlockGroup(slot.group!);
    if (!made.ok) return made;
    setOwner(state, slot.group!, to);
    deleteCopy(state, slot);
    return succeed(undefined);
  }

  private drain(): void {
    for (let busy = true; busy;) {
      busy = false;
      this.worlds.forEach(({ state }, core) => {
        const step = deleteStep(state, 16);
        if (step.state === 'more') busy = true;
        if (step.state !== 'last_owned') return;
        busy = true;
        this.delete(core, step.slot!);
      });
    }
    for (const world of this.worlds) this.settle(world);
  }

  /** Freed memory goes home; where it is not certain that nobody covers it, the home asks in two rounds. */
  private settle({ sink }: World): void {
    for (const candidate of sink.takeCandidates()) {
      const home = this.worlds[candidate.home]!.state;
      let covered: Range[] = [];
      if (!candidate.certain) {
        const watches = this.worlds.map(({ state }) => beginWatch(state, candidate));
        covered = watches.flatMap((watch, i) => endWatch(this.worlds[i]!.state, watch));
      }
      reclaimAtHome(home, candidate, covered);
    }
  }

  private holders(capability: Capability): number[] {
    return this.worlds.flatMap(({ state }, core) => (state.database.find(capability) ? [core] : []));
  }

  private freeSlot(core: number): Result<Slot> {
    const world = this.worlds[core]!;
    const address = freeAddress(world.state, world.root);
    return address.ok ? succeed(world.cnode(0).slot(address.value % 256)) : address;
  }
}

function accepted(result: Result<unknown>): Result<void> {
  return result.ok ? succeed(undefined) : result;
}
