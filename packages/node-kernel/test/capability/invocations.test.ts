import { describe, expect, test } from '@jest/globals';
import { makeCapability, withRights } from '@mk/node-kernel/capability/model/capability';
import type { Capability } from '@mk/node-kernel/capability/model/capability';
import { REMOTE } from '@mk/node-kernel/capability/store/copy-group';
import { freeAddress } from '@mk/node-kernel/capability/store/cspace';
import { createMapping, lockGroup } from '@mk/node-kernel/capability/global/monitor-primitives';
import { RIGHTS } from '@mk/node-kernel/capability/model/rights';
import { retypeAllowed } from '@mk/node-kernel/capability/model/type-rules';
import { CAPABILITY_TYPE_NAMES, typeRow } from '@mk/node-kernel/capability/model/types';
import { at, capabilityAddress, errorOf, KIB, MIB, must, PAGE, World } from './world.ts';

const SAMPLE_ADDRESS = 0x1000_0000;

function sample(type: Capability['type'], bytes: number): Capability {
  const { size, fields, addressed } = typeRow(type);
  const length = size.kind === 'exact' ? size.bytes : size.kind === 'none' ? 0 : bytes;
  return makeCapability(
    type,
    addressed ? SAMPLE_ADDRESS : 0,
    length,
    fields.map(() => 1),
  );
}

describe('retype', () => {
  test('works for every legal pair of types and is refused for every other, changing nothing', () => {
    for (const from of CAPABILITY_TYPE_NAMES.filter((name) => name !== 'Null')) {
      for (const to of CAPABILITY_TYPE_NAMES) {
        const world = new World();
        world.put(world.slot(9), sample(from, 256 * KIB));
        const { size, fields } = typeRow(to);
        const objectSize = size.kind === 'none' ? 0 : size.kind === 'exact' ? size.bytes : 16 * KIB;
        const chosen = fields[1] === 'local_id' ? [] : fields.map(() => 1);
        const target = to === 'L2CNode' ? { address: capabilityAddress(1, 0), level: 1 as const } : at(10);
        const before = world.state.database.size;
        const result = world.invoke({
          operation: 'retype',
          source: at(9),
          destination: target,
          type: to,
          offset: 0,
          objectSize,
          count: 1,
          fields: chosen,
        });
        expect([from, to, result.ok]).toEqual([from, to, retypeAllowed(from, to)]);
        expect(world.state.database.size).toBe(before + (result.ok ? 1 : 0));
        if (result.ok) {
          expect(world.takeChanges()).toContainEqual(
            expect.objectContaining({ kind: 'created', capability: expect.objectContaining({ type: to }) }),
          );
        } else expect(['RETYPE_ILLEGAL', 'RETYPE_MAPPING']).toContain(result.error);
      }
    }
  });

  test.each([
    ['OFFSET_ALIGNMENT', { offset: 1 }],
    ['OFFSET_ALIGNMENT', { offset: -4096 }],
    ['SIZE_ALIGNMENT', { objectSize: 5000 }],
    ['SIZE_ALIGNMENT', { objectSize: Number.NaN }],
    ['RETYPE_COUNT', { count: 0 }],
    ['RETYPE_COUNT', { count: 257 }],
    ['RETYPE_TOO_LARGE', { count: 255, objectSize: 2 * PAGE }],
    ['RETYPE_FIELDS', { fields: [1] }],
  ] as const)('refuses with %s: %j', (error, change) => {
    const world = new World();
    expect(errorOf(world.retype(0, 1, 'Frame', { objectSize: PAGE, ...change }))).toBe(error);
    expect(world.audit()).toEqual([]);
  });

  test('lets parts of one parent be used once each', () => {
    const world = new World();
    must(world.retype(0, 1, 'Frame', { objectSize: PAGE, count: 4 }));
    expect(errorOf(world.retype(0, 10, 'RAM', { objectSize: PAGE, offset: 3 * PAGE }))).toBe('REVOKE_FIRST');
    expect(errorOf(world.retype(0, 10, 'RAM', { objectSize: 64 * PAGE }))).toBe('REVOKE_FIRST');
    expect(errorOf(world.retype(0, 10, 'RAM', { objectSize: MIB }))).toBe('RETYPE_WHOLE');
    must(world.retype(0, 10, 'RAM', { objectSize: PAGE, offset: 4 * PAGE }));
    must(world.retype(10, 11, 'Frame', { objectSize: PAGE }));
    expect(errorOf(world.retype(0, 20, 'Dispatcher', { offset: 4 * PAGE }))).toBe('REVOKE_FIRST');
    expect(world.audit()).toEqual([]);
  });

  test('needs the write right to make objects, keeps missing rights missing, and zeroes what was RAM', () => {
    const world = new World();
    must(world.invoke({ operation: 'mint', source: at(0), destination: at(1), rights: RIGHTS.read | RIGHTS.grant }));
    expect(errorOf(world.retype(1, 2, 'Frame', { objectSize: PAGE }))).toBe('MISSING_RIGHT');
    must(world.invoke({ operation: 'mint', source: at(0), destination: at(3), rights: RIGHTS.write }));
    must(world.retype(3, 4, 'Frame', { objectSize: PAGE }));
    expect(world.slot(4).capability!.rights).toBe(RIGHTS.write);
    expect(world.takeChanges().at(-1)).toMatchObject({ kind: 'zeroed', size: PAGE });
  });

  test('fills consecutive slots of one CNode only', () => {
    const world = new World();
    expect(errorOf(world.retype(0, 250, 'Frame', { objectSize: PAGE, count: 10 }))).toBe('ADDRESS_OUT_OF_RANGE');
    must(world.retype(0, 5, 'RAM', { objectSize: PAGE, offset: 512 * KIB }));
    expect(errorOf(world.retype(0, 3, 'Frame', { objectSize: PAGE, count: 3 }))).toBe('SLOT_IN_USE');
  });

  test('goes through the monitor when foreign or with possible remote descendants; busy when locked', () => {
    const world = new World();
    const group = world.slot(0).group!;
    group.relations = REMOTE.copies;
    must(world.retype(0, 1, 'Frame', { objectSize: PAGE }));
    expect(world.slot(1).group!.relations).toBe(REMOTE.ancestors);
    group.relations = REMOTE.descendants;
    expect(errorOf(world.retype(0, 2, 'Frame', { objectSize: PAGE, offset: PAGE }))).toBe('RETRY_THROUGH_MONITOR');
    expect(errorOf(world.retype(0, 2, 'Frame', { objectSize: PAGE }))).toBe('REVOKE_FIRST');
    group.relations = 0;
    group.owner = 7;
    expect(errorOf(world.retype(0, 2, 'Frame', { objectSize: PAGE, offset: PAGE }))).toBe('RETRY_THROUGH_MONITOR');
    group.owner = 0;
    lockGroup(group);
    expect(errorOf(world.retype(0, 2, 'Frame', { objectSize: PAGE, offset: PAGE }))).toBe('CAPABILITY_BUSY');
  });

  test('names domains itself, so that none can be forged', () => {
    const world = new World();
    world.put(world.slot(1), makeCapability('ProcessManager'));
    expect(errorOf(world.retype(1, 2, 'Domain', { fields: [0, 1] }))).toBe('RETYPE_FIELDS');
    must(world.retype(1, 2, 'Domain'));
    must(world.retype(1, 3, 'Domain'));
    expect(world.slot(2).capability!.fields).not.toEqual(world.slot(3).capability!.fields);
  });
});

describe('copy, mint, move, identify', () => {
  test('copies share their state; mint only takes away', () => {
    const world = new World();
    must(world.invoke({ operation: 'copy', source: at(0), destination: at(1) }));
    expect(world.slot(1).group).toBe(world.slot(0).group);
    const readOnly = RIGHTS.read | RIGHTS.identify;
    must(world.invoke({ operation: 'mint', source: at(1), destination: at(2), rights: readOnly }));
    expect(world.refusal({ operation: 'mint', source: at(2), destination: at(3), rights: 31 })).toBe(
      'RIGHTS_NOT_SUBSET',
    );
    expect(world.refusal({ operation: 'revoke', target: at(2) })).toBe('MISSING_RIGHT');
    expect(world.refusal({ operation: 'revoke', target: at(1) })).toBe('RETRY_THROUGH_MONITOR');
    expect(must(world.invoke({ operation: 'identify', target: at(2) }))).toEqual({
      capability: world.slot(2).capability,
      owner: 0,
    });
    must(world.invoke({ operation: 'mint', source: at(0), destination: at(4), rights: 0 }));
    expect(world.refusal({ operation: 'identify', target: at(4) })).toBe('MISSING_RIGHT');
  });

  test('move empties the source and keeps the lock rule', () => {
    const world = new World();
    must(world.invoke({ operation: 'move', source: at(0), destination: at(7) }));
    expect(world.slot(0).capability).toBeNull();
    expect(world.refusal({ operation: 'move', source: at(0), destination: at(8) })).toBe('CAPABILITY_NOT_FOUND');
    lockGroup(world.slot(7).group!);
    expect(world.refusal({ operation: 'move', source: at(7), destination: at(8) })).toBe('CAPABILITY_BUSY');
    expect(world.refusal({ operation: 'copy', source: at(7), destination: at(8) })).toBe('CAPABILITY_BUSY');
  });

  test('frozen capabilities read as absent', () => {
    const world = new World();
    world.slot(0).marks = 1;
    for (const operation of ['copy', 'move'] as const) {
      expect(world.refusal({ operation, source: at(0), destination: at(1) })).toBe('CAPABILITY_NOT_FOUND');
    }
    expect(world.refusal({ operation: 'delete', target: at(0) })).toBe('CAPABILITY_NOT_FOUND');
    expect(errorOf(world.retype(0, 1, 'Frame', { objectSize: PAGE }))).toBe('CAPABILITY_NOT_FOUND');
  });
});

describe('the cspace', () => {
  test('refuses addresses that lead nowhere', () => {
    const world = new World();
    const copyFrom = (address: number) => world.refusal({ operation: 'copy', source: at(address), destination: at(1) });
    expect(copyFrom(-1)).toBe('ADDRESS_OUT_OF_RANGE');
    expect(copyFrom(2 ** 32)).toBe('ADDRESS_OUT_OF_RANGE');
    expect(copyFrom(0.5)).toBe('ADDRESS_OUT_OF_RANGE');
    expect(copyFrom(capabilityAddress(256, 0))).toBe('ADDRESS_OUT_OF_RANGE');
    expect(copyFrom(capabilityAddress(3, 0))).toBe('CAPABILITY_NOT_FOUND');
    expect(copyFrom(77)).toBe('CAPABILITY_NOT_FOUND');
    const intoL1 = { address: capabilityAddress(5, 0), level: 1 as const };
    expect(world.refusal({ operation: 'copy', source: at(0), destination: intoL1 })).toBe('SLOT_TYPE');
    expect(world.refusal({ operation: 'copy', source: at(0), destination: { address: 5, root: 0 } })).toBe(
      'NOT_A_CNODE',
    );
  });

  test('checks the rights of the CNodes on the way', () => {
    const world = new World();
    const l1 = { address: 0, level: 1 as const };
    must(
      world.invoke({
        operation: 'mint',
        source: l1,
        destination: { address: capabilityAddress(1, 0), level: 1 },
        rights: RIGHTS.read,
      }),
    );
    const readOnly = capabilityAddress(1, 9);
    expect(world.refusal({ operation: 'copy', source: at(0), destination: at(readOnly) })).toBe('MISSING_RIGHT');
    expect(world.refusal({ operation: 'delete', target: at(capabilityAddress(1, 0)) })).toBe('MISSING_RIGHT');
    must(world.invoke({ operation: 'copy', source: at(capabilityAddress(1, 0)), destination: at(9) }));
  });

  test('a second cspace is reached through its root, and giving takes the grant right', () => {
    const world = new World();
    must(
      world.invoke({
        operation: 'create_cnode',
        source: at(0),
        offset: 0,
        type: 'L1CNode',
        size: 16 * KIB,
        destination: at(1),
      }),
    );
    must(
      world.invoke({
        operation: 'create_cnode',
        source: at(0),
        offset: 16 * KIB,
        type: 'L2CNode',
        size: 16 * KIB,
        destination: { address: 0, level: 1, root: 1 },
      }),
    );
    must(world.invoke({ operation: 'copy', source: at(0), destination: { address: 4, root: 1 } }));
    must(world.invoke({ operation: 'mint', source: at(0), destination: at(5), rights: RIGHTS.read }));
    expect(world.refusal({ operation: 'copy', source: at(5), destination: { address: 5, root: 1 } })).toBe(
      'MISSING_RIGHT',
    );
    expect(world.slot(0).group!.slots.size).toBe(3);
    expect(world.audit()).toEqual([]);
  });

  test('grows: a larger root takes over all slots, and the old one comes back', () => {
    const world = new World();
    const address = world.root.capability!.address;
    must(world.retype(0, 1, 'L1CNode', { objectSize: 32 * KIB }));
    must(world.retype(0, 2, 'L1CNode', { objectSize: 16 * KIB, offset: 32 * KIB }));
    expect(world.refusal({ operation: 'resize_cnode', cnode: at(2), returnTo: at(3) })).toBe('CNODE_NOT_LARGER');
    must(world.invoke({ operation: 'resize_cnode', cnode: at(1), returnTo: at(3) }));
    expect(world.slot(3).capability!.address).toBe(address);
    expect(world.root.capability!.size).toBe(32 * KIB);
    must(
      world.invoke({
        operation: 'create_cnode',
        source: at(0),
        offset: 64 * KIB,
        type: 'L2CNode',
        size: 0,
        destination: { address: capabilityAddress(300, 0), level: 1 },
      }),
    );
    must(world.invoke({ operation: 'copy', source: at(0), destination: at(capabilityAddress(300, 255)) }));
    expect(world.audit()).toEqual([]);
    const slot = world.slot(3);
    expect(world.state.slotAt(slot.address)).toBe(slot);
    expect(world.state.slotAt(world.root.address)).toBe(world.root);
    expect(world.state.slotAt(12345)).toBeUndefined();
  });

  test('finds free slots, lowest first', () => {
    const world = new World();
    expect(must(freeAddress(world.state, world.root))).toBe(1);
    must(world.retype(0, 1, 'Frame', { objectSize: PAGE, count: 255 }));
    expect(errorOf(freeAddress(world.state, world.root))).toBe('NO_FREE_SLOT');
    must(world.invoke({ operation: 'delete', target: at(100) }));
    expect(must(freeAddress(world.state, world.root))).toBe(100);
  });
});

describe('delete', () => {
  test('removes copies at once and gives back the memory of the last', () => {
    const world = new World();
    const free = world.state.ram.freeBytes;
    must(world.invoke({ operation: 'copy', source: at(0), destination: at(1) }));
    must(world.invoke({ operation: 'delete', target: at(0) }));
    expect(world.state.ram.freeBytes).toBe(free);
    world.takeChanges();
    must(world.invoke({ operation: 'delete', target: at(1) }));
    expect(world.changes()).toEqual(['deleted', 'destroyed', 'freed']);
    expect(world.state.ram.freeBytes).toBe(free + MIB);
    expect(world.audit()).toEqual([]);
  });

  test('of a parent frees what its children do not cover, and they the rest', () => {
    const world = new World();
    const free = world.state.ram.freeBytes;
    must(world.retype(0, 1, 'Frame', { objectSize: PAGE, count: 2, offset: 8 * PAGE }));
    must(world.invoke({ operation: 'delete', target: at(0) }));
    expect(world.state.ram.freeBytes).toBe(free + MIB - 2 * PAGE);
    must(world.invoke({ operation: 'delete', target: at(2) }));
    must(world.invoke({ operation: 'delete', target: at(1) }));
    expect(world.state.ram.freeBytes).toBe(free + MIB);
    expect(world.audit()).toEqual([]);
  });

  test('goes through the monitor exactly when others are concerned', () => {
    const cases: [string, (world: World) => void, string][] = [
      ['locked', (world) => lockGroup(world.slot(0).group!), 'RETRY_THROUGH_MONITOR'],
      [
        'remote copies',
        (world) => {
          world.slot(0).group!.relations = REMOTE.copies;
        },
        'RETRY_THROUGH_MONITOR',
      ],
      [
        'memory perhaps covered elsewhere',
        (world) => {
          world.slot(0).group!.relations = REMOTE.descendants;
        },
        'RETRY_THROUGH_MONITOR',
      ],
      [
        'foreign',
        (world) => {
          Object.assign(world.slot(0).group!, { owner: 3, relations: REMOTE.copies });
        },
        'none',
      ],
      [
        'another local copy',
        (world) => {
          must(world.invoke({ operation: 'copy', source: at(0), destination: at(1) }));
          world.slot(0).group!.relations = REMOTE.copies;
        },
        'none',
      ],
      ['nobody', () => undefined, 'none'],
    ];
    for (const [name, prepare, error] of cases) {
      const world = new World();
      prepare(world);
      expect([name, world.refusal({ operation: 'delete', target: at(0) })]).toEqual([name, error]);
    }
    const world = new World();
    must(world.retype(0, 1, 'L2CNode'));
    must(world.retype(0, 2, 'Dispatcher', { offset: 16 * KIB }));
    for (const target of [1, 2]) {
      expect(world.refusal({ operation: 'delete', target: at(target) })).toBe('RETRY_THROUGH_MONITOR');
    }
  });

  test('of a frame copy takes the mappings made through that very copy; of a table, those in it', () => {
    const world = new World();
    must(world.retype(0, 1, 'Frame', { objectSize: PAGE }));
    must(world.retype(0, 2, 'VNode_L3', { offset: PAGE }));
    must(world.invoke({ operation: 'copy', source: at(1), destination: at(3) }));
    const table = world.slot(2).capability!.address;
    const map = (entry: number, slot: number, through: number) =>
      createMapping(
        world.state,
        world.slot(slot),
        makeCapability('Frame_Mapping', world.slot(1).capability!.address, 1, [table, entry]),
        world.slot(through),
      );
    map(0, 10, 1);
    map(1, 11, 3);
    map(2, 12, 3);
    must(world.invoke({ operation: 'move', source: at(3), destination: at(4) }));
    must(world.invoke({ operation: 'move', source: at(11), destination: at(13) }));
    world.takeChanges();
    must(world.invoke({ operation: 'delete', target: at(4) }));
    const kinds = world.takeChanges().flatMap((change) => (change.kind === 'deleted' ? [change.capability.type] : []));
    expect(kinds).toEqual(['Frame_Mapping', 'Frame_Mapping', 'Frame']);
    expect(world.slot(10).capability).not.toBeNull();
    must(world.invoke({ operation: 'delete', target: at(2) }));
    expect(world.slot(10).capability).toBeNull();
    expect(world.state.mappingsInTable.size).toBe(0);
    expect(world.audit()).toEqual([]);
  });

  test('is refused where the caller may not write', () => {
    const world = new World();
    const l1 = world.state.containers.get(world.root.capability!.address)!;
    l1.slot(0).capability = withRights(l1.slot(0).capability!, RIGHTS.read);
    expect(world.refusal({ operation: 'delete', target: at(0) })).toBe('MISSING_RIGHT');
  });
});
