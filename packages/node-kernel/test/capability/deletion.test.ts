import { full } from '@mk/node-kernel/capability/store/slot';
import { describe, expect, test } from '@jest/globals';
import { noneOf } from '@mk/node-kernel/capability/audit/audit';
import { snapshotCore } from '@mk/node-kernel/capability/audit/audit-snapshot';
import { makeCapability } from '@mk/node-kernel/capability/model/capability';
import { REMOTE } from '@mk/node-kernel/capability/store/copy-group';
import { deleteStep } from '@mk/node-kernel/capability/invocations/delete-step';
import {
  createCapability,
  deleteCopy,
  deleteLast,
  findOwned,
  lockGroup,
  unlockGroup,
} from '@mk/node-kernel/capability/global/monitor-primitives';
import {
  revokeAbort,
  revokeCommit,
  revokeMarkRelations,
  revokeMarkTarget,
} from '@mk/node-kernel/capability/invocations/revoke';
import type { MarkResult } from '@mk/node-kernel/capability/invocations/revoke';
import type { RevokeMark } from '@mk/node-kernel/capability/store/holds';
import { at, errorOf, KIB, must, PAGE, World } from './world.ts';

function marked(result: MarkResult): RevokeMark {
  if (!result.ok) throw new Error('not marked');
  return result.mark;
}

/** Steps until nothing is left to do; the states passed through, and the most changes made in one step. */
function drain(world: World, budget?: number): { states: string[]; most: number } {
  const states: string[] = [];
  let most = 0;
  for (;;) {
    world.takeChanges();
    const step = deleteStep(world.state, budget);
    states.push(step.state);
    most = Math.max(most, world.takeChanges().length);
    if (step.state !== 'more') return { states, most };
  }
}

/** A domain's worth of slots: an L1 CNode with L2 CNodes, each full of frames. */
function treeOf(world: World, cnodes: number, framesEach: number): void {
  must(world.retype(0, 1, 'RAM', { objectSize: 640 * KIB }));
  must(world.retype(1, 2, 'L1CNode', { objectSize: 16 * KIB }));
  must(world.retype(0, 3, 'RAM', { objectSize: 16 * KIB, offset: 640 * KIB }));
  must(world.retype(3, 4, 'Frame', { objectSize: PAGE }));
  for (let i = 0; i < cnodes; i += 1) {
    must(
      world.invoke({
        operation: 'create_cnode',
        source: at(1),
        offset: (i + 1) * 16 * KIB,
        type: 'L2CNode',
        size: 0,
        destination: { address: i * 256, level: 1, root: 2 },
      }),
    );
    for (let j = 0; j < framesEach; j += 1) {
      must(world.invoke({ operation: 'copy', source: at(4), destination: { address: i * 256 + j, root: 2 } }));
    }
  }
}

describe('bounded deletion', () => {
  test('empties a CNode tree in steps that do no more than their budget', () => {
    const world = new World();
    treeOf(world, 10, 100);
    const before = world.state.database.size;
    deleteLast(world.state, world.slot(2));
    expect(world.refusal({ operation: 'copy', source: at(4), destination: { address: 200, root: 2 } })).toBe(
      'CAPABILITY_NOT_FOUND',
    );
    const { states, most } = drain(world, 50);
    expect(most).toBeLessThanOrEqual(3 * 50);
    expect(states.length).toBeGreaterThanOrEqual(20);
    expect(states.at(-1)).toBe('idle');
    expect(world.state.database.size).toBe(before - 1 - 10 - 1000);
    expect(world.audit()).toEqual([]);
  });

  test('a dispatcher takes its cspace along, even when the cspace holds its own root', () => {
    const world = new World();
    treeOf(world, 2, 3);
    must(world.retype(0, 6, 'Dispatcher', { offset: 800 * KIB }));
    const dispatcher = world.state.containers.get(world.slot(6).capability!.address)!;
    must(world.invoke({ operation: 'copy', source: at(2), destination: { address: 200, root: 2 } }));
    world.state.database.move(full(world.slot(2)), dispatcher.slot(0));
    const before = world.state.database.size;
    world.takeChanges();
    deleteLast(world.state, world.slot(6));
    expect(world.changes()).toEqual(['stopped']);
    expect(drain(world).states.at(-1)).toBe('idle');
    expect(world.state.database.size).toBe(before - 1 - 2 - 2 - 6);
    expect(world.audit()).toEqual([]);
  });

  test("waits for locks, hands the owner's last copy of something shared to the monitor, and goes on", () => {
    const world = new World();
    treeOf(world, 1, 1);
    must(world.invoke({ operation: 'delete', target: at(4) }));
    const l2 = world.state.containers.get(world.slot(2).capability!.address)!.slot(0);
    const frame = world.state.containers.get(l2.capability!.address)!.slot(0);
    lockGroup(frame.group!);
    frame.group!.relations = REMOTE.copies;
    deleteLast(world.state, world.slot(2));
    expect(drain(world).states.at(-1)).toBe('waiting');
    unlockGroup(frame.group!);
    const step = deleteStep(world.state);
    expect([step.state, step.slot]).toEqual(['last_owned', frame]);
    expect(drain(world).states.at(-1)).toBe('waiting');
    deleteLast(world.state, frame);
    expect(drain(world).states.at(-1)).toBe('idle');
    expect(world.audit()).toEqual([]);
  });
});

describe('the local half of revoke', () => {
  test('freezes copies and descendants of any depth, deletes on commit, leaves the survivor', () => {
    const world = new World();
    treeOf(world, 2, 3);
    must(world.invoke({ operation: 'copy', source: at(0), destination: at(9) }));
    const target = world.slot(0).capability!;
    lockGroup(world.slot(0).group!);
    const before = world.state.database.size;
    const mark = marked(revokeMarkTarget(world.state, world.slot(0)));
    expect(world.state.database.size).toBe(before);
    expect(deleteStep(world.state).state).toBe('idle');
    world.state.deletions.enqueue(world.slot(9));
    expect(deleteStep(world.state).state).toBe('paused');
    for (const slot of [1, 2, 4, 9]) {
      expect(world.refusal({ operation: 'copy', source: at(slot), destination: at(50) })).toBe('CAPABILITY_NOT_FOUND');
    }
    expect(errorOf(createCapability(world.state, world.slot(60), target, 0, 0))).toBe('CAPABILITY_BEING_REVOKED');
    revokeCommit(world.state, mark);
    expect(drain(world).states.at(-1)).toBe('idle');
    unlockGroup(world.slot(0).group!);
    const survivor = { core: 0, slot: world.slot(0).address };
    expect(noneOf(target, [snapshotCore(world.state)], survivor)).toEqual([]);
    expect(noneOf(target, [snapshotCore(world.state)])).toHaveLength(1);
    expect(world.audit()).toEqual([]);
    must(world.retype(0, 1, 'Frame', { objectSize: PAGE, count: 200 }));
  });

  test('is all or nothing: a locked descendant stops the mark before anything is frozen', () => {
    const world = new World();
    treeOf(world, 1, 1);
    lockGroup(world.slot(4).group!);
    const result = revokeMarkTarget(world.state, world.slot(0));
    expect(result).toEqual({ ok: false, locked: world.slot(4).group });
    expect(world.slot(1).marks).toBe(0);
    expect(world.state.deletions.paused).toBe(false);
  });

  test('two revokes may overlap; what one gives up the other keeps frozen', () => {
    const world = new World();
    treeOf(world, 1, 1);
    const outer = marked(revokeMarkTarget(world.state, world.slot(0)));
    const inner = marked(revokeMarkRelations(world.state, world.slot(3).capability!));
    revokeAbort(world.state, outer);
    expect(errorOf(findOwned(world.state, world.slot(4).capability!))).toBe('CAPABILITY_NOT_FOUND');
    must(findOwned(world.state, world.slot(1).capability!));
    revokeCommit(world.state, inner);
    expect(drain(world).states.at(-1)).toBe('idle');
    expect(world.slot(3).capability).toBeNull();
    expect(world.slot(2).capability).not.toBeNull();
    expect(world.audit()).toEqual([]);
    expect(() => revokeAbort(world.state, outer)).toThrow();
  });

  test('the last foreign copy goes without ending the object, which lives with its owner', () => {
    const world = new World();
    const foreign = makeCapability('L2CNode', 0x4000_0000, 16 * KIB);
    must(createCapability(world.state, world.slot(5), foreign, 7, 0));
    expect(world.slot(5).group!.relations).toBe(REMOTE.copies);
    expect(errorOf(createCapability(world.state, world.slot(6), foreign, 8, 0))).toBe('OWNER_MISMATCH');
    world.takeChanges();
    deleteCopy(world.state, world.slot(5));
    expect(world.changes()).toEqual(['deleted']);
  });

  test('own bugs assert', () => {
    const world = new World();
    expect(() => deleteCopy(world.state, world.slot(0))).toThrow();
    expect(() => unlockGroup(world.slot(0).group!)).toThrow();
    must(world.invoke({ operation: 'copy', source: at(0), destination: at(9) }));
    expect(() => deleteLast(world.state, world.slot(0))).toThrow();
  });
});
