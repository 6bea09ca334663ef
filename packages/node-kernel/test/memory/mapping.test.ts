import { describe, expect, test } from '@jest/globals';
import { createPrng } from '@mk/monitor-proto/prng';
import { RIGHTS } from '@mk/node-kernel/capability/model/rights';
import { ENTRY_BYTES } from '@mk/node-kernel/capability/store/page-tables';
import { at, MIB, must, PAGE, World } from '../capability/world.ts';

const READ_WRITE = RIGHTS.read | RIGHTS.write;
const SLOTS = { frame: 10, l0: 20, l1: 21, l2: 22, l3: 23, readOnly: 30, big: 31 } as const;

/** A world with a frame of 64 pages, one table of each level, linked at entry 0, and a large frame. */
function mapped(): World {
  const world = new World(0, 16 * MIB);
  must(world.retype(0, SLOTS.frame, 'Frame', { objectSize: 64 * PAGE }));
  (['VNode_L0', 'VNode_L1', 'VNode_L2', 'VNode_L3'] as const).forEach((type, i) =>
    must(world.retype(0, SLOTS.l0 + i, type, { offset: (64 + i) * PAGE })),
  );
  for (let level = 0; level < 3; level += 1)
    must(
      map(world, {
        source: at(SLOTS.l0 + level + 1),
        table: at(SLOTS.l0 + level),
        destination: at(40 + level),
        rights: READ_WRITE,
      }),
    );
  must(
    world.invoke({ operation: 'mint', source: at(SLOTS.frame), destination: at(SLOTS.readOnly), rights: RIGHTS.read }),
  );
  const range = world.state.ram.allocate(2 * MIB, 2 * MIB)!;
  world.put(world.slot(SLOTS.big), { type: 'Frame', rights: 31, fields: [], ...range });
  return world;
}

type Given = Parameters<World['invoke']>[0] & { readonly operation: 'map' };

function map(world: World, given: Partial<Given>) {
  return world.invoke({
    operation: 'map',
    source: at(SLOTS.frame),
    table: at(SLOTS.l3),
    entry: 0,
    count: 1,
    offset: 0,
    rights: given.source?.address === SLOTS.frame || given.source === undefined ? READ_WRITE : RIGHTS.read,
    destination: at(100),
    ...given,
  });
}

function rootOf(world: World): number {
  return world.slot(SLOTS.l0).capability!.address;
}

describe('map', () => {
  test('enters pages, which translate with their rights, and unmap takes them out', () => {
    const world = mapped();
    const frame = world.slot(SLOTS.frame).capability!;
    world.takeChanges();
    must(map(world, { entry: 5, count: 3, offset: 2 * PAGE }));
    expect(world.changes()).toEqual(['created', 'mapped']);
    const found = world.state.pageTables.translate(rootOf(world), 6 * PAGE + 17);
    expect(found).toMatchObject({ address: frame.address + 3 * PAGE + 17, pageBytes: PAGE, rights: READ_WRITE });
    expect(world.state.pageTables.translate(rootOf(world), 8 * PAGE)).toBeNull();
    must(world.invoke({ operation: 'protect', mapping: at(100), entry: 1, count: 1, rights: RIGHTS.read }));
    expect(world.state.pageTables.translate(rootOf(world), 6 * PAGE)?.rights).toBe(RIGHTS.read);
    expect(world.state.pageTables.translate(rootOf(world), 7 * PAGE)?.rights).toBe(READ_WRITE);
    must(world.invoke({ operation: 'unmap', mapping: at(100) }));
    expect(world.changes()).toContain('unmapped');
    expect(world.state.pageTables.translate(rootOf(world), 6 * PAGE)).toBeNull();
    expect(world.audit()).toEqual([]);
  });

  test('large pages, at the level that covers them', () => {
    const world = mapped();
    must(map(world, { source: at(SLOTS.big), table: at(SLOTS.l2), entry: 3, rights: READ_WRITE }));
    const { address } = world.slot(SLOTS.big).capability!;
    const found = world.state.pageTables.translate(rootOf(world), 3 * ENTRY_BYTES[2] + 12_345);
    expect(found).toMatchObject({ address: address + 12_345, pageBytes: ENTRY_BYTES[2] });
  });

  test.each([
    ['NOT_A_PAGE_TABLE', { table: at(SLOTS.frame) }],
    ['NOT_MAPPABLE', { source: at(0) }],
    ['MAP_LEVEL', { table: at(SLOTS.l0) }],
    ['MAP_LEVEL', { source: at(SLOTS.l3), table: at(SLOTS.l1) }],
    ['MAP_LEVEL', { source: at(SLOTS.l1), table: at(SLOTS.l1) }],
    ['MAP_RANGE', { count: 0 }],
    ['MAP_RANGE', { entry: 511, count: 2 }],
    ['MAP_RANGE', { offset: 60 * PAGE, count: 5 }],
    ['MAP_OFFSET', { offset: 100 }],
    ['MAP_OFFSET', { source: at(SLOTS.frame), table: at(SLOTS.l2), entry: 9, offset: PAGE }],
    ['RIGHTS_NOT_SUBSET', { source: at(SLOTS.readOnly), rights: READ_WRITE }],
    ['RIGHTS_NOT_SUBSET', { rights: RIGHTS.read | RIGHTS.grant }],
    ['CAPABILITY_NOT_FOUND', { source: at(99) }],
    ['SLOT_IN_USE', { destination: at(SLOTS.l0) }],
  ])('refuses with %s', (error, given) => {
    const world = mapped();
    const before = world.state.database.size;
    expect(map(world, given as Partial<Given>)).toEqual({ ok: false, error });
    expect(world.state.database.size).toBe(before);
  });

  test('an entry is filled once', () => {
    const world = mapped();
    must(map(world, { entry: 7, count: 2 }));
    expect(map(world, { entry: 8, destination: at(101) })).toEqual({ ok: false, error: 'ENTRY_IN_USE' });
  });

  test('protect gives no right that the copy of the frame does not carry', () => {
    const world = mapped();
    must(map(world, { source: at(SLOTS.readOnly), rights: RIGHTS.read }));
    const refused = world.invoke({ operation: 'protect', mapping: at(100), entry: 0, count: 1, rights: READ_WRITE });
    expect(refused).toEqual({ ok: false, error: 'RIGHTS_NOT_SUBSET' });
  });

  test('mappings go with the copy of the frame that they were made through, and with their table', () => {
    const world = mapped();
    must(map(world, { source: at(SLOTS.readOnly), rights: RIGHTS.read, destination: at(100) }));
    must(map(world, { entry: 1, destination: at(101) }));
    must(world.invoke({ operation: 'delete', target: at(SLOTS.readOnly) }));
    expect(world.state.pageTables.translate(rootOf(world), 0)).toBeNull();
    expect(world.slot(100).capability).toBeNull();
    must(world.invoke({ operation: 'delete', target: at(SLOTS.l3) }));
    expect(world.slot(101).capability).toBeNull();
    expect([...world.state.pageTables.runsBelow(rootOf(world))]).toEqual([]);
    expect(world.audit()).toEqual([]);
  });
});

describe('page tables against a map of pages', () => {
  test('200 random histories', () => {
    for (let seed = 0; seed < 200; seed += 1) {
      const prng = createPrng(seed);
      const world = mapped();
      const { address } = world.slot(SLOTS.frame).capability!;
      const model = new Map<number, readonly [number, number]>();
      const runs = new Map<number, readonly [number, number]>();
      for (let i = 0; i < 30; i += 1) {
        const destination = 100 + prng.nextInt(20);
        const entry = prng.nextInt(32);
        const count = 1 + prng.nextInt(6);
        const offset = prng.nextInt(60) * PAGE;
        if (prng.nextInt(3) > 0) {
          const done = map(world, { destination: at(destination), entry, count, offset });
          const free = Array.from({ length: count }, (_, k) => !model.has(entry + k)).every(Boolean);
          expect(done.ok).toBe(free && !runs.has(destination) && offset + count * PAGE <= 64 * PAGE);
          if (!done.ok) continue;
          runs.set(destination, [entry, count]);
          for (let k = 0; k < count; k += 1) model.set(entry + k, [address + offset + k * PAGE, READ_WRITE]);
        } else {
          const done = world.invoke({ operation: 'unmap', mapping: at(destination) });
          const run = runs.get(destination);
          expect(done.ok).toBe(run !== undefined);
          if (run === undefined) continue;
          runs.delete(destination);
          for (let k = 0; k < run[1]; k += 1) model.delete(run[0] + k);
        }
      }
      for (let page = 0; page < 40; page += 1) {
        const found = world.state.pageTables.translate(rootOf(world), page * PAGE);
        expect(found === null ? undefined : [found.address, found.rights]).toEqual(model.get(page));
      }
      expect(world.audit()).toEqual([]);
    }
  });
});
