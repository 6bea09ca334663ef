/**
 * The mapping database of one core: every capability in every slot, in one order in which copies are adjacent and
 * descendants follow (type-tree root, address ↑, size ↓, type, equality fields, slot). One tree per type-tree root.
 * Guarantees: all copies of a capability on this core agree on owner, lock and relation bits (they are one group);
 * an empty group is not in the tree. The database never decides whether something is allowed.
 */
import { assert, known } from '@mk/monitor-proto/assert';
import type { Capability, Range } from '../model/capability.ts';
import { covers } from '../model/capability.ts';
import { newGroup, NO_SLOTS, sortedSlots } from './copy-group.ts';
import type { SharedState } from './copy-group.ts';
import { IntervalTree } from './interval-tree.ts';
import type { Visit } from './interval-tree.ts';
import { type CopyGroup, full, type FullSlot, type Slot } from './slot.ts';
import { typeTreeRoot } from '../model/type-rules.ts';
import { CAPABILITY_TYPE_NAMES, typeRow } from '../model/types.ts';
import type { CapabilityType } from '../model/types.ts';

/** How the database's contents relate to a range, mildest first. An exact fit counts as surrounding. */
const RANGE_RELATIONS = ['none', 'surrounding', 'inner', 'partial'] as const;
export type RangeRelation = (typeof RANGE_RELATIONS)[number];

export class MappingDatabase {
  private readonly trees = new Map<CapabilityType, IntervalTree>();
  private slotCount = 0;
  private groupCount = 0;

  constructor() {
    const byOrdinal = [...CAPABILITY_TYPE_NAMES].sort((a, b) => typeRow(a).ordinal - typeRow(b).ordinal);
    for (const type of byOrdinal) if (typeTreeRoot(type) === type) this.trees.set(type, new IntervalTree());
  }

  /** The number of occupied slots. */
  get size(): number {
    return this.slotCount;
  }

  /** The number of different capabilities. */
  get distinct(): number {
    return this.groupCount;
  }

  /** The copies of `capability` on this core, or undefined when there are none. */
  find(capability: Capability): CopyGroup | undefined {
    return this.treeOf(capability.type).find(capability);
  }

  /** Puts a capability in an empty slot. Only the first copy sets `state`; later ones share the existing one. */
  insert(slot: Slot, capability: Capability, state: SharedState): CopyGroup {
    assert(slot.capability === null && capability.type !== 'Null', 'insert into an occupied slot');
    const group = this.find(capability) ?? this.addGroup(capability, state);
    slot.capability = capability;
    slot.group = group;
    group.slots.add(full(slot));
    slot.container.noteFilled();
    this.slotCount += 1;
    return group;
  }

  /** Empties an occupied slot. Returns the group, which leaves the database with its last copy. */
  remove(slot: FullSlot): CopyGroup {
    const group = this.detach(slot);
    if (group.slots.size > 1) group.slots.delete(slot);
    else {
      group.slots = NO_SLOTS;
      this.treeOf(group.capability.type).remove(group);
      this.groupCount -= 1;
    }
    return group;
  }

  /** Moves a capability, with its place in the delete list and its mappings, to an empty slot. */
  move(from: FullSlot, to: Slot): void {
    assert(to.capability === null, 'move needs an empty slot');
    const { capability, deleting, marks, mappings, mappedThrough } = from;
    const group = this.detach(from);
    group.slots.delete(from);
    this.slotCount += 1;
    Object.assign(to, { capability, group, deleting, marks, mappings, mappedThrough });
    const moved = full(to);
    group.slots.add(moved);
    to.container.noteFilled();
    for (const mapping of mappings ?? []) mapping.mappedThrough = to;
    if (mappedThrough?.mappings?.delete(from)) mappedThrough.mappings.add(moved);
  }

  copiesOf(capability: Capability): FullSlot[] {
    const group = this.find(capability);
    return group === undefined ? [] : sortedSlots(group);
  }

  /** All groups that cover the capability and are above it by type, over any number of edges, outermost first. */
  ancestorsOf(capability: Capability): CopyGroup[] {
    return collect((visit) => this.treeOf(capability.type).visitAncestors(capability, visit));
  }

  /** All groups below the capability, at any depth, in order. */
  descendantsOf(capability: Capability): CopyGroup[] {
    return collect((visit) => this.visitDescendants(capability, visit));
  }

  visitDescendants(capability: Capability, visit: Visit): boolean {
    return this.treeOf(capability.type).visitDescendants(capability, visit);
  }

  hasDescendants(capability: Capability): boolean {
    return this.visitDescendants(capability, () => true);
  }

  hasAncestors(capability: Capability): boolean {
    return this.treeOf(capability.type).visitAncestors(capability, () => true);
  }

  /**
   * Visits the groups of the tree under `root` that share a byte with `range`; a visit that returns true ends the
   * search.
   */
  visitOverlapping(range: Range, visit: Visit, root: CapabilityType = 'PhysAddr'): boolean {
    return this.treeOf(root).visitOverlapping(range, visit);
  }

  overlapping(range: Range, root: CapabilityType = 'PhysAddr'): CopyGroup[] {
    return collect((visit) => this.visitOverlapping(range, visit, root));
  }

  /** The worst relation of any group here to the range, with the first group that shows it. Stops at `worst`. */
  queryRange(
    range: Range,
    root: CapabilityType = 'PhysAddr',
    worst: RangeRelation = 'partial',
  ): { relation: RangeRelation; group?: CopyGroup } {
    const stopAt = RANGE_RELATIONS.indexOf(worst);
    let found = 0;
    let example: CopyGroup | undefined;
    this.visitOverlapping(
      range,
      (group) => {
        const relation = relationTo(group.capability, range);
        if (relation > found) [found, example] = [relation, group];
        return found >= stopAt;
      },
      root,
    );
    const relation = known(RANGE_RELATIONS[found]);
    return example === undefined ? { relation } : { relation, group: example };
  }

  /** Visits every group in order; a visit that returns true ends the walk. The checks after every step use it. */
  visitGroups(visit: Visit): boolean {
    for (const tree of this.trees.values()) if (tree.visitAll(visit)) return true;
    return false;
  }

  /** Every group, in order. */
  *groups(): Generator<CopyGroup> {
    for (const tree of this.trees.values()) yield* tree.inOrder();
  }

  private treeOf(type: CapabilityType): IntervalTree {
    return known(this.trees.get(typeTreeRoot(type)));
  }

  private addGroup(capability: Capability, state: SharedState): CopyGroup {
    const group = newGroup(capability, state);
    this.treeOf(capability.type).insert(group);
    this.groupCount += 1;
    return group;
  }

  /** Empties the slot, which its group still lists. */
  private detach(slot: Slot): CopyGroup {
    const group = slot.group;
    assert(group !== null, 'remove from an empty slot');
    slot.capability = null;
    slot.group = null;
    slot.deleting = false;
    slot.marks = 0;
    slot.mappings = null;
    slot.mappedThrough = null;
    slot.container.noteEmptied(slot.index);
    this.slotCount -= 1;
    return group;
  }
}

function relationTo(capability: Capability, range: Range): number {
  if (covers(capability, range)) return 1;
  return covers(range, capability) ? 2 : 3;
}

function collect(search: (visit: Visit) => boolean): CopyGroup[] {
  const found: CopyGroup[] = [];
  search((group) => {
    found.push(group);
  });
  return found;
}
