/*
 * Statements about a capability that only some cores may make. The receiver's own records decide, not the sender's
 * word; where they prove nothing, the core believes. If a capability's recorded owner is gone, anybody may claim to
 * have taken over.
 */
import { type CoreId } from '@mk/monitor-proto/ids';
import { type Capability, describeCapability, type Range } from '../../capability/model/capability.ts';
import { typeRow } from '../../capability/model/types.ts';
import { type Claim, claimTo, isAtHome } from '../conduct/authority.ts';
import type { Fault } from '../conduct/screening.ts';
import type { CapopsContext } from './context.ts';
import type { CapabilityPayload } from './payload.ts';

/** Like `claimTo`, but if the recorded owner is gone anybody may claim to have taken over. */
export function claimOf(m: CapopsContext, capability: Capability, core: CoreId): Claim {
  const claim = claimTo(m.state, capability, core);
  const owner = claim === 'false' ? m.state.database.find(capability)?.owner : undefined;
  return owner !== undefined && isGone(m, owner) ? 'possible' : claim;
}

/** The objection to a claim: a fault, an error that may be nobody's fault, or that nobody can tell now; null: none. */
type Wrong = Fault | 'OWNER_MISMATCH' | 'CAPABILITY_BUSY' | null;

/** Checks a request that only the owner may make. */
export function onlyOwner(m: CapopsContext): (initiator: CoreId, given: CapabilityPayload) => Wrong {
  return (initiator, { capability }) => {
    const claim = claimOf(m, capability, initiator);
    if (claim === 'possible') return null;
    const owner = m.state.database.find(capability)?.owner;
    if (claim === 'changing') return 'CAPABILITY_BUSY';
    // The sender may have been the owner a moment ago.
    if (owner === undefined && m.mayHaveHanded(capability)) return 'OWNER_MISMATCH';
    const text = `acts as the owner of ${describeCapability(capability)}`;
    return owner === undefined
      ? { offence: 'forged', text }
      : { offence: 'not_owner', text: `${text}, which is core ${owner}'s` };
  };
}

/** A new owner speaks for itself, and not about capabilities of this core, which knows to whom it let them go. */
export function wrongNewOwner(m: CapopsContext, initiator: CoreId, { capability, rest }: CapabilityPayload): Wrong {
  const name = describeCapability(capability);
  if (rest[0] !== initiator) return { offence: 'other_name', text: `says that core ${rest[0]} owns ${name}` };
  const group = m.state.database.find(capability);
  const isOurs = group !== undefined && typeRow(capability.type).needsLocality && !m.state.isForeign(group);
  if (isOurs && group.locked) return 'CAPABILITY_BUSY';
  return isOurs ? { offence: 'not_owner', text: `says that it owns ${name}, which is this core's` } : null;
}

/** Only the home of memory may ask who uses it. */
export function notItsMemory({ state }: CapopsContext, initiator: CoreId, ranges: readonly Range[]): Wrong {
  const other = ranges.find((range) => !isAtHome(state, range, initiator));
  return other === undefined
    ? null
    : { offence: 'not_home', text: `reclaims memory at 0x${other.address.toString(16)}` };
}

/** Whether this core's record names another, living owner of the capability. */
export function hasOtherOwner(m: CapopsContext, capability: Capability): boolean {
  const group = m.state.database.find(capability);
  return group !== undefined && m.state.isForeign(group) && !isGone(m, group.owner);
}

function isGone({ context }: CapopsContext, core: CoreId): boolean {
  return core !== context.core && !context.monitors.has(core);
}
