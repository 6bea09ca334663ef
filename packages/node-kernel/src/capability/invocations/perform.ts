/** Performs what `decode.ts` has allowed. Cannot fail; says what changed. */
import { makeCapability, withRights } from '../model/capability.ts';
import type { Capability } from '../model/capability.ts';
import { Outcome } from '../model/changes.ts';
import { decodeInvocation } from './decode.ts';
import type { Action, Invocation } from './decode.ts';
import { deleteLastCopy } from './delete-step.ts';
import { succeed } from '../model/errors.ts';
import type { Result } from '../model/errors.ts';
import type { LocalCapabilities } from '../store/local-capabilities.ts';
import { performMap, performProtect } from './map.ts';
import { place, relocate, removeCopy } from './placement.ts';
import { createRetyped } from './retype.ts';
import type { Slot } from '../store/slot.ts';

/** What `identify` tells. */
export interface Identity {
  readonly capability: Capability;
  readonly owner: number;
}

export interface Performed {
  readonly outcome: Outcome;
  readonly identity?: Identity;
}

type Named<A extends Action['action']> = Extract<Action, { readonly action: A }>;
type Performers = {
  readonly [A in Action['action']]: (state: LocalCapabilities, action: Named<A>, outcome: Outcome) => Identity | void;
};

const PERFORMERS: Performers = {
  copy: (state, { source, destination, rights }, outcome) => {
    copyLocally(state, source, destination, outcome, rights);
  },
  move: (state, { source, destination }, outcome) => relocate(state, source, destination, outcome),
  remove_copy: (state, { target }, outcome) => {
    removeCopy(state, target, outcome);
  },
  delete_last: (state, { target }, outcome) =>
    deleteLastCopy(state, { slot: target, capability: target.capability!, forced: false }, outcome),
  retype: (state, { source, children, destinations }, outcome) =>
    createRetyped(state, source.group!, children, destinations, outcome),
  identify: (_, { target }) => ({ capability: target.capability!, owner: target.group!.owner }),
  resize_cnode: performResize,
  create_id: (state, { destination }, outcome) => {
    const id = makeCapability('ID', 0, 0, [state.core, state.takeLocalId()]);
    place(state, destination, id, { owner: state.core, relations: 0 }, outcome);
  },
  map: performMap,
  protect: performProtect,
};

export function performAction(state: LocalCapabilities, action: Action): Performed {
  const outcome = new Outcome();
  const perform = PERFORMERS[action.action] as (s: LocalCapabilities, a: Action, o: Outcome) => Identity | void;
  const identity = perform(state, action, outcome);
  return identity ? { outcome, identity } : { outcome };
}

/** Decode, then perform: the CPU driver's answer to one invocation. */
export function invoke(state: LocalCapabilities, caller: Slot, invocation: Invocation): Result<Performed> {
  const decoded = decodeInvocation(state, caller, invocation);
  return decoded.ok ? succeed(performAction(state, decoded.value)) : decoded;
}

/** Another copy on this core, sharing owner, lock and relations. */
export function copyLocally(
  state: LocalCapabilities,
  source: Slot,
  destination: Slot,
  outcome: Outcome,
  rights: number = source.capability!.rights,
): void {
  const { owner, relations } = source.group!;
  place(state, destination, withRights(source.capability!, rights), { owner, relations }, outcome);
}

function performResize(
  state: LocalCapabilities,
  { root, cnode, returnTo }: Named<'resize_cnode'>,
  outcome: Outcome,
): void {
  const from = state.containers.get(root.capability!.address)!;
  const to = state.containers.get(cnode.capability!.address)!;
  for (const slot of from.occupiedSlots()) relocate(state, slot, to.slot(slot.index), outcome);
  relocate(state, root, returnTo, outcome);
  copyLocally(state, cnode, root, outcome);
}
