import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { makeCapability } from '@mk/node-kernel/capability/model/capability';
import type { Capability } from '@mk/node-kernel/capability/model/capability';
import { sortedSlots } from '@mk/node-kernel/capability/store/copy-group';
import { MappingDatabase } from '@mk/node-kernel/capability/store/mapping-database';
import { type CopyGroup, full, SlotContainer } from '@mk/node-kernel/capability/store/slot';
import { NaiveDatabase } from './naive-database.ts';

/** Set MK_PROPERTY_OPERATIONS for a longer run; the default keeps the suite to a few seconds. */
const OPERATIONS = Number(process.env['MK_PROPERTY_OPERATIONS'] ?? 60_000);
const SLOTS = 40;
const PAGE = 4096;

/** A small world, so that copies, nesting, partial overlap and equal ranges of different types all occur. */
const capability: fc.Arbitrary<Capability> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .record({
        type: fc.constantFrom('PhysAddr', 'RAM', 'Frame', 'DevFrame', 'EndPointUMP' as const),
        page: fc.nat(7),
        pages: fc.integer({ min: 1, max: 8 }),
      })
      .map(({ type, page, pages }) => makeCapability(type, page * PAGE, pages * PAGE)),
  },
  { weight: 2, arbitrary: fc.nat(7).map((page) => makeCapability('VNode_L1', page * PAGE, PAGE)) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.nat(7), fc.nat(1))
      .map(([page, entry]) => makeCapability('Frame_Mapping', page * PAGE, 1, [0, entry])),
  },
  { weight: 1, arbitrary: fc.nat(9).map((at) => makeCapability('Dispatcher', at * 1024, 1024)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat(9), fc.nat(1))
      .map(([at, endpoint]) => makeCapability('EndPointLMP', at * 1024, 0, [endpoint])),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      makeCapability('Kernel'),
      makeCapability('ProcessManager'),
      makeCapability('Domain', 0, 0, [0, 1]),
      makeCapability('Domain', 0, 0, [1, 0]),
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat(4), fc.integer({ min: 1, max: 4 }))
      .map(([first, count]) => makeCapability('IRQSrc', first, count)),
  },
);

const operation = fc.record({ slot: fc.nat(SLOTS - 1), target: fc.nat(SLOTS - 1), probe: capability });

class Pair {
  readonly database = new MappingDatabase();
  readonly model = new NaiveDatabase();
  readonly container = new SlotContainer('kernel', 0, SLOTS);

  /** Full slot: move or empty it; empty slot: fill it. */
  apply(slotIndex: number, targetIndex: number, probe: Capability): void {
    const slot = this.container.slot(slotIndex);
    const target = this.container.slot(targetIndex);
    if (slot.capability === null) {
      this.database.insert(slot, probe, { owner: 0, relations: 0 });
      this.model.insert(slot.address, probe);
    } else if (target.capability === null) {
      const moved = slot.capability;
      this.database.move(full(slot), target);
      this.model.remove(slot.address);
      this.model.insert(target.address, moved);
    } else {
      this.database.remove(full(slot));
      this.model.remove(slot.address);
    }
  }

  compare(probe: Capability): void {
    const { database, model } = this;
    agree(
      'copies',
      database.copiesOf(probe).map((slot) => slot.address),
      model.copies(probe),
    );
    agree('ancestors', slotsOf(database.ancestorsOf(probe)), model.ancestors(probe));
    agree('descendants', slotsOf(database.descendantsOf(probe)), model.descendants(probe));
    agree('has descendants', [Number(database.hasDescendants(probe))], [Number(model.descendants(probe).length > 0)]);
    agree('overlapping', slotsOf(database.overlapping(probe)), model.overlapping(probe));
    agree('range', [database.queryRange(probe).relation], [model.relation(probe)]);
  }
}

/** In database order; much cheaper than expect, which matters for millions of operations. */
function slotsOf(groups: CopyGroup[]): number[] {
  return groups.flatMap((group) => sortedSlots(group).map((slot) => slot.address));
}

/** The rules of an AA tree, which bound its depth. */
function checkLevels(database: MappingDatabase): void {
  const problems = [...database.groups()].filter(
    ({ level, left, right }) =>
      (left?.level ?? 0) !== level - 1 ||
      (right?.level ?? 0) < level - 1 ||
      (right?.level ?? 0) > level ||
      (right?.right?.level ?? 0) >= level,
  );
  expect(problems).toHaveLength(0);
}

function agree(query: string, actual: readonly unknown[], wanted: readonly unknown[]): void {
  const same = actual.length === wanted.length && actual.every((item, i) => item === wanted[i]);
  if (!same) throw new Error(`${query}: database says [${actual.join()}], model says [${wanted.join()}]`);
}

describe('the mapping database', () => {
  test('agrees with a sorted array on every query after every operation', () => {
    const perRun = 200;
    fc.assert(
      fc.property(fc.array(operation, { minLength: perRun, maxLength: perRun }), (operations) => {
        const pair = new Pair();
        for (const { slot, target, probe } of operations) {
          pair.apply(slot, target, probe);
          pair.compare(probe);
        }
        const order = [...pair.database.groups()].flatMap((group) => sortedSlots(group).map((slot) => slot.address));
        expect(order).toEqual(pair.model.entries.map((entry) => entry.slot));
        expect(pair.database.size).toBe(order.length);
        checkLevels(pair.database);
      }),
      { numRuns: Math.ceil(OPERATIONS / perRun) },
    );
  });

  test('keeps state per capability, not per slot', () => {
    const database = new MappingDatabase();
    const container = new SlotContainer('kernel', 0, 4);
    const frame = makeCapability('Frame', 0, PAGE);
    const group = database.insert(container.slot(0), frame, { owner: 3, relations: 1 });
    group.locked = true;
    expect(database.insert(container.slot(1), frame, { owner: 9, relations: 0 })).toBe(group);
    expect(group).toMatchObject({ owner: 3, relations: 1, locked: true });
    database.remove(full(container.slot(0)));
    expect(database.find(frame)).toBe(group);
    database.remove(full(container.slot(1)));
    expect(database.find(frame)).toBeUndefined();
  });

  test('stays balanced: a hundred thousand in address order need no deep recursion', () => {
    const database = new MappingDatabase();
    const container = new SlotContainer('kernel', 0, 100_000);
    for (let i = 0; i < 100_000; i += 1) {
      database.insert(container.slot(i), makeCapability('Frame', i * PAGE, PAGE), { owner: 0, relations: 0 });
    }
    checkLevels(database);
    const depth = (group: CopyGroup | null): number =>
      group === null ? 0 : 1 + Math.max(depth(group.left), depth(group.right));
    const top = [...database.groups()].reduce((a, b) => (b.level > a.level ? b : a));
    expect(depth(top)).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(100_001)));
    for (let i = 0; i < 100_000; i += 2) database.remove(full(container.slot(i)));
    checkLevels(database);
    expect(database.distinct).toBe(50_000);
    expect(database.find(makeCapability('Frame', 99_999 * PAGE, PAGE))).toBeDefined();
  });
});
