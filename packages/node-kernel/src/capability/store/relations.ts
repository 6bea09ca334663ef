/**
 * The relation bits: relatives that may exist on other cores. A clear bit is certain: a capability that may have a
 * copy, an ancestor or a descendant elsewhere says so on the core that owns it. Setting a bit on one capability
 * therefore sets the implied bits on its local ancestors and descendants.
 */
import type { CopyGroup } from './slot.ts';
import { REMOTE } from './copy-group.ts';
import type { LocalCapabilities } from './local-capabilities.ts';

/** Sets bits and the bits that they imply. */
export function addRelations(state: LocalCapabilities, group: CopyGroup, bits: number): void {
  if ((group.relations & bits) === bits) return;
  group.relations |= bits;
  propagate(state, group);
}

/** Call when a group is new or has become foreign: its copy elsewhere is a relation of its relatives. */
export function propagate(state: LocalCapabilities, group: CopyGroup): void {
  const elsewhere = state.isForeign(group) || (group.relations & REMOTE.copies) !== 0;
  if (elsewhere || (group.relations & REMOTE.ancestors) !== 0) {
    state.database.visitDescendants(group.capability, (below) => {
      below.relations |= REMOTE.ancestors;
    });
  }
  if (elsewhere || (group.relations & REMOTE.descendants) !== 0) {
    for (const above of state.database.ancestorsOf(group.capability)) above.relations |= REMOTE.descendants;
  }
}

/** The bits that a new owner elsewhere needs, depending on whether this core keeps a copy. */
export function relationsForTransfer(state: LocalCapabilities, group: CopyGroup, keepsCopy: boolean): number {
  const above = state.database.hasAncestors(group.capability) ? REMOTE.ancestors : 0;
  const below = state.database.hasDescendants(group.capability) ? REMOTE.descendants : 0;
  return group.relations | above | below | (keepsCopy ? REMOTE.copies : 0);
}

/** The bits of a capability retyped on this core from `source`. */
export function relationsOfChild(state: LocalCapabilities, source: CopyGroup): number {
  const above = REMOTE.copies | REMOTE.ancestors;
  return state.isForeign(source) || (source.relations & above) !== 0 ? REMOTE.ancestors : 0;
}
