/**
 * Checks of the capability invariants over snapshots of all cores: pure, so that the simulator runs them after every
 * step and `mkctl audit` on a live cluster (whose snapshots must count what is in flight).
 * C1 one owner · C2 no incompatible overlap · C3 nothing left after a revoke · C5 RAM conserved · `copies` local copies
 * agree · `relations` the bits of an owner are conservative.
 */
import type { CoreId } from '@mk/monitor-proto/ids';
import { auditConservation, auditOverlap } from './audit-memory.ts';
import { auditOwners, auditRelations } from './audit-owners.ts';
import { decode, entriesOf } from './audit-snapshot.ts';
import type { AuditEntry, CoreSnapshot, Violation } from './audit-snapshot.ts';
import { describeCapability, isAncestor, isCopy } from '../model/capability.ts';
import type { Capability } from '../model/capability.ts';

/**
 * Every violation of C1, C2, C5, copy agreement and conservative bits; empty when all is well. A caller with the states
 * at hand passes entries, and snapshots without slots.
 */
export function auditCapabilities(
  snapshots: readonly CoreSnapshot[],
  entries: readonly AuditEntry[] = entriesOf(snapshots),
): Violation[] {
  return [
    ...auditOwners(entries, snapshots),
    ...auditRelations(entries),
    ...auditOverlap(entries, snapshots),
    ...auditConservation(entries, snapshots),
  ];
}

/** C3: everything left of the target after a successful revoke, except the one slot that survives it. */
export function noneOf(
  target: Capability,
  snapshots: readonly CoreSnapshot[],
  survivor?: { readonly core: CoreId; readonly slot: number },
): Violation[] {
  const hit = (capability: Capability): boolean => isCopy(capability, target) || isAncestor(target, capability);
  const report = (core: CoreId, capability: Capability, where: string): Violation => ({
    invariant: 'C3',
    what: describeCapability(capability),
    cores: [core],
    detail: `left after the revoke of ${describeCapability(target)}, ${where}`,
  });
  const inSlots = entriesOf(snapshots)
    .filter((entry) => hit(entry.capability) && !(entry.core === survivor?.core && entry.slot === survivor.slot))
    .map((entry) => report(entry.core, entry.capability, `in slot ${entry.slot}`));
  const flying = snapshots.flatMap(({ core, inFlight }) =>
    inFlight
      .map(decode)
      .filter(hit)
      .map((capability) => report(core, capability, 'in flight')),
  );
  return [...inSlots, ...flying];
}
