/** Performs actions that `decode.ts` has allowed. Cannot fail; reports all changes to the sink. */
import { known } from '@mk/monitor-proto/assert';
import { makeCapability, withRights } from '../model/capability.ts';
import type { Capability } from '../model/capability.ts';
import { decodeInvocation } from './decode.ts';
import type { Action, Invocation } from './decode.ts';
import { deleteLastCopy } from './delete-step.ts';
import { succeed } from '@mk/monitor-proto/result';
import type { Result } from '../model/errors.ts';
import type { LocalCapabilities } from '../store/local-capabilities.ts';
import { performMap, performProtect } from './map.ts';
import { place, relocate, removeCopy } from './placement.ts';
import { createRetyped } from './retype.ts';
import type { FullSlot, Slot } from '../store/slot.ts';

/** The result of `identify`. */
export interface Identity {
  readonly capability: Capability;
  readonly owner: number;
}

type Named<A extends Action['action']> = Extract<Action, { readonly action: A }>;
type Performers = {
  readonly [A in Action['action']]: (state: LocalCapabilities, action: Named<A>) => Identity | void;
};

const PERFORMERS: Performers = {
  copy: (state, { source, destination, rights }) => {
    copyLocally(state, source, destination, rights);
  },
  move: (state, { source, destination }) => relocate(state, source, destination),
  remove_copy: (state, { target }) => {
    removeCopy(state, target);
  },
  delete_last: (state, { target }) =>
    deleteLastCopy(state, { slot: target, capability: target.capability, forced: false }),
  retype: (state, { source, children, destinations }) => createRetyped(state, source.group, children, destinations),
  identify: (_, { target }) => ({ capability: target.capability, owner: target.group.owner }),
  resize_cnode: performResize,
  create_id: (state, { destination }) => {
    const id = makeCapability('ID', 0, 0, [state.core, state.takeLocalId()]);
    place(state, destination, id, { owner: state.core, relations: 0 });
  },
  map: performMap,
  protect: performProtect,
};

/** Performs an action. Returns `identify`'s result; null for any other action. */
function performAction(state: LocalCapabilities, action: Action): Identity | null {
  return performAs(state, action.action, action) ?? null;
}

function performAs<K extends Action['action']>(
  state: LocalCapabilities,
  kind: K,
  action: Extract<Action, { readonly action: K }>,
): Identity | void {
  return PERFORMERS[kind](state, action);
}

/** Decode, then perform: the CPU driver's answer to one invocation. */
export function invoke(state: LocalCapabilities, caller: Slot, invocation: Invocation): Result<Identity | null> {
  const decoded = decodeInvocation(state, caller, invocation);
  return decoded.ok ? succeed(performAction(state, decoded.value)) : decoded;
}

/** Makes another copy on this core, sharing owner, lock and relations. */
export function copyLocally(
  state: LocalCapabilities,
  source: FullSlot,
  destination: Slot,
  rights: number = source.capability.rights,
): void {
  const { owner, relations } = source.group;
  place(state, destination, withRights(source.capability, rights), { owner, relations });
}

function performResize(state: LocalCapabilities, { root, cnode, returnTo }: Named<'resize_cnode'>): void {
  const from = known(state.containers.get(root.capability.address));
  const to = known(state.containers.get(cnode.capability.address));
  for (const slot of from.occupiedSlots()) relocate(state, slot, to.slot(slot.index));
  relocate(state, root, returnTo);
  copyLocally(state, cnode, root);
}
