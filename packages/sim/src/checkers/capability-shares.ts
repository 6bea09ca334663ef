import { type Capability, identityOf } from '@mk/node-kernel/capability/model/capability';
import { liveSlot } from '@mk/node-kernel/capability/store/copy-group';
import type { MappingDatabase } from '@mk/node-kernel/capability/store/mapping-database';
import { type CopyGroup, isInDelete, type Slot } from '@mk/node-kernel/capability/store/slot';

/** One core's part of a capability, as of the core's last step. */
export interface Share {
  readonly group: CopyGroup;
  readonly capability: Capability;
  readonly identity: string;
  owner: number;
  locked: boolean;
  /** A copy that is not being deleted, or undefined. */
  liveSlot: Slot | undefined;
}

/** The changes that a step made to the shares of its core. */
export interface ShareChanges {
  readonly added: readonly Share[];
  readonly gone: readonly Share[];
  /** Owner, lock or liveness changed. */
  readonly altered: readonly Share[];
}

const NOTHING: ShareChanges = { added: [], gone: [], altered: [] };

/**
 * The shares of one core in the order of its database. Every group is checked after a step, at a few nanoseconds each:
 * while the database holds the same groups in the same order, that takes a comparison of four fields.
 */
export class CoreShares {
  private order: Share[] = [];
  private at = 0;
  private same = true;
  private altered: Share[] = [];

  /** What has changed in the database since the last call. */
  compare(database: MappingDatabase): ShareChanges {
    this.at = 0;
    this.same = true;
    if (this.altered.length > 0) this.altered = [];
    database.visitGroups(this.look);
    if (!this.same || this.at !== this.order.length) return this.compareAnew(database);
    return this.altered.length === 0 ? NOTHING : { added: [], gone: [], altered: this.altered };
  }

  /** Checks one group; true, which ends the walk, if another group was expected here. */
  private readonly look = (group: CopyGroup): boolean => {
    const share = this.order[this.at];
    if (share === undefined || share.group !== group) {
      this.same = false;
      return true;
    }
    this.at += 1;
    if (takeIn(share, group)) this.altered.push(share);
    return false;
  };

  /** Groups have come or gone. One that went and came back within a step counts as both, which only adds checks. */
  private compareAnew(database: MappingDatabase): ShareChanges {
    const known = new Map<CopyGroup, Share>();
    for (const share of this.order) known.set(share.group, share);
    const added: Share[] = [];
    this.order = [];
    database.visitGroups((group) => {
      let share = known.get(group);
      if (share === undefined) {
        share = newShare(group);
        added.push(share);
      } else {
        known.delete(group);
        if (takeIn(share, group)) this.altered.push(share);
      }
      this.order.push(share);
      return false;
    });
    return { added, gone: [...known.values()], altered: this.altered };
  }
}

function newShare(group: CopyGroup): Share {
  const { capability, owner, locked } = group;
  return { group, capability, identity: identityOf(capability), owner, locked, liveSlot: liveSlot(group) };
}

/** Updates a share; returns whether anything changed that other cores may see. */
function takeIn(share: Share, group: CopyGroup): boolean {
  const { liveSlot: slot } = share;
  if (
    share.owner === group.owner &&
    share.locked === group.locked &&
    slot !== undefined &&
    slot.group === group &&
    !isInDelete(slot)
  )
    return false;
  const live = liveSlot(group);
  const changed =
    share.owner !== group.owner || share.locked !== group.locked || (live === undefined) !== (slot === undefined);
  share.owner = group.owner;
  share.locked = group.locked;
  share.liveSlot = live;
  return changed;
}
