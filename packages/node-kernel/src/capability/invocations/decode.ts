/**
 * The capability invocations of a program, decoded: names become slots, every right and every rule is checked, and
 * nothing changes. Operations that need another core are refused with RETRY_THROUGH_MONITOR; these are exactly: a
 * retype whose source is foreign or may have remote descendants; a delete that finds a lock, or the owner's last copy
 * when remote copies may exist, when it is a CNode or Dispatcher (emptied in steps), or when its memory goes to another
 * core or may be covered on one; and every revoke.
 */
import { known } from '@mk/monitor-proto/assert';
import type { Capability } from '../model/capability.ts';
import { REMOTE } from '../store/copy-group.ts';
import { containerIn, destination, lookup, resolveSlot, unfitFor } from '../store/cspace.ts';
import type { SlotRef } from '../store/cspace.ts';
import { hasOtherCopies, mayHaveRemoteCopies } from './delete-step.ts';
import { refuse, succeed } from '@mk/monitor-proto/result';
import type { Result } from '../model/errors.ts';
import type { LocalCapabilities } from '../store/local-capabilities.ts';
import { decodeMap, decodeProtect, decodeUnmap } from './map.ts';
import type { MapAction, MapRequest, ProtectAction, ProtectRequest } from './map.ts';
import { isRetypeable, planRetype, retypeRange } from './retype.ts';
import type { RetypeRequest } from './retype.ts';
import { hasRights, RIGHTS } from '../model/rights.ts';
import { type CopyGroup, type FullSlot, isFull, isInDelete, type Slot, type SlotContainer } from '../store/slot.ts';
import { holdsSlots, isRamBacked } from '../model/type-rules.ts';

/** A program's requests to the CPU driver about capabilities, by operation. */
export interface Invocations {
  copy: { readonly source: SlotRef; readonly destination: SlotRef };
  mint: { readonly source: SlotRef; readonly destination: SlotRef; readonly rights: number };
  move: { readonly source: SlotRef; readonly destination: SlotRef };
  delete: { readonly target: SlotRef };
  revoke: { readonly target: SlotRef };
  retype: RetypeRequest & { readonly source: SlotRef; readonly destination: SlotRef };
  identify: { readonly target: SlotRef };
  create_cnode: {
    readonly source: SlotRef;
    readonly offset: number;
    readonly type: 'L1CNode' | 'L2CNode';
    readonly size: number;
    readonly destination: SlotRef;
  };
  /** Replaces the caller's root CNode by a larger one; the old root's capability goes to `returnTo`. */
  resize_cnode: { readonly cnode: SlotRef; readonly returnTo: SlotRef };
  create_id: { readonly destination: SlotRef };
  map: MapRequest;
  protect: ProtectRequest;
  unmap: { readonly mapping: SlotRef };
}

export type Operation = keyof Invocations;
export type Invocation = { [K in Operation]: { readonly operation: K } & Invocations[K] }[Operation];

/** A decoded invocation: it cannot be refused any more, provided that nothing else happens in between. */
export type Action =
  | { readonly action: 'copy'; readonly source: FullSlot; readonly destination: Slot; readonly rights: number }
  | { readonly action: 'move'; readonly source: FullSlot; readonly destination: Slot }
  | { readonly action: 'remove_copy'; readonly target: FullSlot }
  | { readonly action: 'delete_last'; readonly target: FullSlot }
  | {
      readonly action: 'retype';
      readonly source: FullSlot;
      readonly children: readonly Capability[];
      readonly destinations: readonly Slot[];
    }
  | { readonly action: 'identify'; readonly target: FullSlot }
  | { readonly action: 'resize_cnode'; readonly root: FullSlot; readonly cnode: FullSlot; readonly returnTo: Slot }
  | { readonly action: 'create_id'; readonly destination: Slot }
  | MapAction
  | ProtectAction;

type Decoder<K extends Operation> = (state: LocalCapabilities, caller: Slot, given: Invocations[K]) => Result<Action>;

const DECODERS: { readonly [K in Operation]: Decoder<K> } = {
  copy: (state, caller, given) => decodeCopy(state, caller, given, null),
  mint: (state, caller, given) => decodeCopy(state, caller, given, given.rights),
  move: decodeMove,
  delete: decodeDelete,
  revoke: decodeRevoke,
  retype: decodeRetype,
  identify: decodeIdentify,
  create_cnode: (state, caller, { size, ...rest }) =>
    decodeRetype(state, caller, { ...rest, objectSize: size, count: 1 }),
  resize_cnode: decodeResize,
  create_id: decodeCreateId,
  map: decodeMap,
  protect: decodeProtect,
  unmap: decodeUnmap,
};

/** Decodes one invocation of the domain whose root CNode lies in `caller`. Changes nothing. */
export function decodeInvocation(state: LocalCapabilities, caller: Slot, invocation: Invocation): Result<Action> {
  return decodeAs(state, caller, invocation.operation, invocation);
}

function decodeAs<K extends Operation>(
  state: LocalCapabilities,
  caller: Slot,
  operation: K,
  given: Invocations[K],
): Result<Action> {
  return DECODERS[operation](state, caller, given);
}

/** Giving to another cspace is sending, which takes the grant right. */
function rightsToGive(to: SlotRef): number {
  return to.root === undefined ? 0 : RIGHTS.grant;
}

function decodeCopy(
  state: LocalCapabilities,
  caller: Slot,
  given: Invocations['copy'],
  wanted: number | null,
): Result<Action> {
  const source = lookup(state, caller, given.source, rightsToGive(given.destination));
  if (!source.ok) return source;
  const { capability, group } = source.value;
  if (group.locked) return refuse('CAPABILITY_BUSY');
  const rights = wanted ?? capability.rights;
  if (!hasRights(capability.rights, rights)) return refuse('RIGHTS_NOT_SUBSET');
  const to = destination(state, caller, given.destination, capability.type);
  if (!to.ok) return to;
  return succeed({ action: 'copy', source: source.value, destination: to.value, rights });
}

function decodeMove(state: LocalCapabilities, caller: Slot, given: Invocations['move']): Result<Action> {
  const source = lookup(state, caller, given.source, rightsToGive(given.destination), RIGHTS.read | RIGHTS.write);
  if (!source.ok) return source;
  if (source.value.group.locked) return refuse('CAPABILITY_BUSY');
  const to = destination(state, caller, given.destination, source.value.capability.type);
  return to.ok ? succeed({ action: 'move', source: source.value, destination: to.value }) : to;
}

function decodeDelete(state: LocalCapabilities, caller: Slot, given: Invocations['delete']): Result<Action> {
  const target = lookup(state, caller, given.target, 0, RIGHTS.read | RIGHTS.write);
  if (!target.ok) return target;
  const group = target.value.group;
  if (group.locked) return refuse('RETRY_THROUGH_MONITOR');
  if (hasOtherCopies(state, group)) return succeed({ action: 'remove_copy', target: target.value });
  if (deleteNeedsMonitor(state, group)) return refuse('RETRY_THROUGH_MONITOR');
  return succeed({ action: 'delete_last', target: target.value });
}

function deleteNeedsMonitor(state: LocalCapabilities, group: CopyGroup): boolean {
  const { type, address } = group.capability;
  if (mayHaveRemoteCopies(group) || holdsSlots(type)) return true;
  return isRamBacked(type) && (group.relations !== 0 || state.homeOf(address) !== state.core);
}

/**
 * Revoke takes the grant right (a holder that may hand out may take back), and always the monitor: subscribers must
 * consent.
 */
function decodeRevoke(state: LocalCapabilities, caller: Slot, given: Invocations['revoke']): Result<Action> {
  const target = lookup(state, caller, given.target, RIGHTS.grant);
  return target.ok ? refuse('RETRY_THROUGH_MONITOR') : target;
}

function decodeRetype(state: LocalCapabilities, caller: Slot, given: Invocations['retype']): Result<Action> {
  const checked = checkRetype(state, caller, given);
  if (!checked.ok) return checked;
  const group = checked.value.source.group;
  const elsewhere = state.isForeign(group) || (group.relations & REMOTE.descendants) !== 0;
  return elsewhere ? refuse('RETRY_THROUGH_MONITOR') : checked;
}

/** Checks everything about a retype that this core can judge, whoever owns the source. */
export function checkRetype(
  state: LocalCapabilities,
  caller: Slot,
  given: Invocations['retype'],
): Result<Extract<Action, { readonly action: 'retype' }>> {
  const source = lookup(state, caller, given.source, rightsToGive(given.destination));
  if (!source.ok) return source;
  const { capability, group } = source.value;
  if (group.locked) return refuse('CAPABILITY_BUSY');
  const children = planRetype(capability, given);
  if (!children.ok) return children;
  const free = isRetypeable(state, capability, retypeRange(children.value));
  if (!free.ok) return free;
  const slots = decodeDestinations(state, caller, given.destination, children.value);
  if (!slots.ok) return slots;
  return succeed({ action: 'retype', source: source.value, children: children.value, destinations: slots.value });
}

/** Consecutive empty slots of one CNode for the children of a retype, from the one that `ref` names. */
export function decodeDestinations(
  state: LocalCapabilities,
  caller: Slot,
  ref: SlotRef,
  children: readonly Capability[],
): Result<Slot[]> {
  const first = resolveSlot(state, caller, ref, RIGHTS.read | RIGHTS.write);
  if (!first.ok) return first;
  const { container, index } = first.value;
  if (index + children.length > container.capacity) return refuse('ADDRESS_OUT_OF_RANGE');
  const slots = children.map((_, i) => container.slot(index + i));
  const unfit = slots.map((slot) => unfitFor(slot, known(children[0]).type)).find((reason) => reason !== null);
  return unfit ? refuse(unfit) : succeed(slots);
}

function decodeIdentify(state: LocalCapabilities, caller: Slot, given: Invocations['identify']): Result<Action> {
  const target = lookup(state, caller, given.target, RIGHTS.identify);
  return target.ok ? succeed({ action: 'identify', target: target.value }) : target;
}

function decodeResize(state: LocalCapabilities, caller: Slot, given: Invocations['resize_cnode']): Result<Action> {
  const old = containerIn(state, caller, 'L1CNode', RIGHTS.read | RIGHTS.write);
  if (!old.ok) return old;
  const cnode = lookup(state, caller, given.cnode, RIGHTS.read | RIGHTS.write);
  if (!cnode.ok) return cnode;
  const larger = containerIn(state, cnode.value, 'L1CNode', RIGHTS.read);
  if (!larger.ok) return larger;
  const returnTo = destination(state, caller, given.returnTo, 'L1CNode');
  if (!returnTo.ok) return returnTo;
  if (larger.value.occupied > 0 || larger.value.capacity <= old.value.capacity) return refuse('CNODE_NOT_LARGER');
  if (!isFull(caller)) return refuse('NO_CSPACE');
  if (caller.group.locked || cnode.value.group.locked || isUnsettled(old.value)) return refuse('CAPABILITY_BUSY');
  return succeed({ action: 'resize_cnode', root: caller, cnode: cnode.value, returnTo: returnTo.value });
}

/** Whether another operation holds a slot of the container. */
function isUnsettled(container: SlotContainer): boolean {
  for (const slot of container.occupiedSlots()) if (isInDelete(slot) || slot.group.locked) return true;
  return false;
}

function decodeCreateId(state: LocalCapabilities, caller: Slot, given: Invocations['create_id']): Result<Action> {
  const to = destination(state, caller, given.destination, 'ID');
  return to.ok ? succeed({ action: 'create_id', destination: to.value }) : to;
}
