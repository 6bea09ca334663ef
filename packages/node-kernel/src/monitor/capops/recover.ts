/*
 * RECOVERY of ownership (docs/ARCHITECTURE.md): a capability whose owner is gone gets its lowest holder as the new one.
 *
 *   RO1  a core adopts only what no lower member holds as an orphan and no member owns: of those asking at one time
 *        only the lowest finds nobody in its way;
 *   RO2  a core that is not the lowest keeps asking until it has heard of a new owner, or nobody is in its way.
 *
 * No new copy of an orphan appears: its owner, through whom every copy goes, is dead, and what it sent before is
 * refused with its channel. So holders only become fewer. The new owner sets all relation bits, to be conservative. A
 * capability that cannot change its owner names an object that went with it, and is deleted.
 */
import { ERRORS } from '@mk/monitor-proto/errors';
import type { CoreId } from '@mk/monitor-proto/ids';
import { addRelations } from '../../capability/store/relations.ts';
import { REMOTE } from '../../capability/store/copy-group.ts';
import { deleteForeigns, lockGroup, setOwner } from '../../capability/global/monitor-primitives.ts';
import { describeCapability } from '../../capability/model/capability.ts';
import { typeRow } from '../../capability/model/types.ts';
import type { CopyGroup } from '../../capability/store/slot.ts';
import { coreOf } from '../agreement/finished.ts';
import type { Act } from '../agreement/round-actions.ts';
import type { Operation } from '../operations.ts';
import { pause } from '../waits.ts';
import type { CapopsContext } from './context.ts';
import { announceOwner } from './move.ts';
import { nextChange } from './waiting.ts';

const EVERYTHING = REMOTE.copies | REMOTE.ancestors | REMOTE.descendants;
/** Orphans asked about at the same time. */
const AT_ONCE = 8;

export class Recovery {
  /** By group: the owner that is gone. */
  private readonly orphans = new Map<CopyGroup, CoreId>();
  /** Orphans that a worker is asking about. */
  private readonly taken = new Set<CopyGroup>();
  private running = 0;
  /** find_orphan. */
  readonly act: Act;
  /** lost_owner. */
  readonly lostAct: Act;

  constructor(private readonly m: CapopsContext) {
    this.act = m.rounds.act({
      commit: (op, { capability, rest }, answer) => {
        if (coreOf(op) === m.context.core) return answer(null);
        const group = m.state.database.find(capability);
        if (group === undefined) return answer(null);
        if (!m.state.isForeign(group)) return answer('CAPABILITY_BUSY');
        answer(group.owner === rest[0] || this.orphans.has(group) ? 'CAPABILITY_HELD' : null);
      },
    });
    this.lostAct = m.rounds.act({
      commit: (op, { capability, rest: [owner = -1, incarnation] }, answer) => {
        // this core has not heard of its end yet
        if (m.context.monitors.get(owner)?.incarnation === incarnation) return answer('CAPABILITY_BUSY');
        const group = m.state.database.find(capability);
        if (group?.owner === coreOf(op) && m.state.isForeign(group)) {
          setOwner(m.state, group, owner);
          this.look([[group, owner]]);
        }
        answer(null);
      },
    });
  }

  get size(): number {
    return this.orphans.size;
  }

  /** A core is gone: capabilities that it owned and that are held here need a new owner. */
  ownerGone(core: CoreId): void {
    const { m } = this;
    const objects: CopyGroup[] = [];
    const orphans: [CopyGroup, CoreId][] = [];
    for (const group of m.state.database.groups()) {
      if (group.owner !== core || !m.state.isForeign(group)) continue;
      if (typeRow(group.capability.type).moveable) orphans.push([group, core]);
      else objects.push(group);
    }
    for (const { capability } of objects) deleteForeigns(m.state, capability);
    if (objects.length > 0) m.locksChanged();
    this.look(orphans);
  }

  /** Looks for the owners of these. */
  private look(orphans: readonly (readonly [CopyGroup, CoreId])[]): void {
    for (const [group, owner] of orphans) this.orphans.set(group, owner);
    const workers = Math.min(AT_ONCE, this.orphans.size) - this.running;
    for (let i = 0; i < workers; i += 1) {
      this.running += 1;
      this.m.inBackground(this.work());
    }
  }

  private *work(): Operation<void> {
    const { m } = this;
    for (let attempt = 0; ;) {
      const group = this.next();
      if (group === undefined) break;
      this.taken.add(group);
      const settled = yield* this.settle(group);
      this.taken.delete(group);
      if (settled) this.orphans.delete(group);
      else yield* pause(m.context.timers, (attempt += 1));
    }
    this.running -= 1;
  }

  private next(): CopyGroup | undefined {
    for (const group of this.orphans.keys()) if (!this.taken.has(group)) return group;
    return undefined;
  }

  /** One attempt; true: the group has an owner, or is no longer here. */
  private *settle(group: CopyGroup): Operation<boolean> {
    const { m } = this;
    while ((group.locked || m.handovers.isTelling(group.capability)) && this.isOrphan(group))
      yield nextChange(m.changes);
    if (!this.isOrphan(group)) return true;
    const { core, monitors, operations, outbox } = m.context;
    const op = operations.nextId();
    const { capability, owner: from } = group;
    const found = yield* m.rounds.ask(op, 'find_orphan', { capability, rest: [from] });
    if (!this.isOrphan(group)) return true;
    // It had a new owner meanwhile, which is gone as well, and about which nobody was asked.
    if (group.owner !== from) return false;
    const held = ERRORS.CAPABILITY_HELD.code;
    const inTheWay = found.refusals.filter(([by, code]) => monitors.has(by) && (by < core || code !== held));
    if (inTheWay.length > 0 || group.locked) return false;
    group.owner = core;
    lockGroup(group);
    addRelations(m.state, group, EVERYTHING);
    outbox.log('cap_adopted', { op, capability: describeCapability(capability), peer: from });
    yield* announceOwner(m, `${op}.o`, group);
    return true;
  }

  private isOrphan(group: CopyGroup): boolean {
    const { state } = this.m;
    return group.slots.size > 0 && group.owner === this.orphans.get(group) && state.isForeign(group);
  }
}
