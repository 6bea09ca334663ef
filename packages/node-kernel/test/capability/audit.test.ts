import { describe, expect, test } from '@jest/globals';
import { auditCapabilities, noneOf } from '@mk/node-kernel/capability/audit/audit';
import type { CoreSnapshot, SlotSnapshot } from '@mk/node-kernel/capability/audit/audit-snapshot';
import { makeCapability } from '@mk/node-kernel/capability/model/capability';
import type { Capability } from '@mk/node-kernel/capability/model/capability';
import { encodeCapability } from '@mk/node-kernel/capability/model/capability-codec';

const PAGE = 4096;
const frame = (page: number, pages = 1): Capability => makeCapability('Frame', page * PAGE, pages * PAGE);
const ram = (page: number, pages = 1): Capability => makeCapability('RAM', page * PAGE, pages * PAGE);

function slot(capability: Capability, rest: Partial<SlotSnapshot> = {}): SlotSnapshot {
  const wire = encodeCapability(capability);
  return { slot: 64, capability: wire, owner: 0, locked: false, inDelete: false, relations: 7, ...rest };
}

/** Core n contributes pages 10n … 10n+9; those not covered by its slots are free. */
function core(number: number, slots: SlotSnapshot[], rest: Partial<CoreSnapshot> = {}): CoreSnapshot {
  return { core: number, memory: [], free: [], reclaiming: [], slots, inFlight: [], ...rest };
}

const flying = (capability: Capability) => ({ inFlight: [encodeCapability(capability)] });
const freed = (address: number, size: number) => ({ free: [{ address, size }] });

function found(...snapshots: CoreSnapshot[]) {
  const [first, ...others] = snapshots;
  const memory = [{ address: 0, size: 100 * PAGE }];
  return auditCapabilities([{ ...first!, memory, reclaiming: memory }, ...others]).map(({ invariant, cores }) => [
    invariant,
    ...cores,
  ]);
}

describe('the audit names the invariant and the cores', () => {
  test.each<[string, CoreSnapshot[], unknown[]]>([
    ['nothing wrong', [core(0, [slot(frame(1))]), core(1, [slot(frame(1))])], []],
    ['two owners', [core(0, [slot(frame(1))]), core(1, [slot(frame(1), { owner: 1 })])], [['C1', 0, 1]]],
    [
      'two owners while ownership changes',
      [core(0, [slot(frame(1), { locked: true })]), core(1, [slot(frame(1), { owner: 1 })])],
      [],
    ],
    ['an owner without a copy', [core(0, []), core(1, [slot(frame(1))])], [['C1', 1]]],
    ['an owner whose copy is in flight', [core(0, [], flying(frame(1))), core(1, [slot(frame(1))])], []],
    ['local copies that differ', [core(0, [slot(frame(1)), slot(frame(1), { relations: 6 })])], [['copies', 0]]],
    ['overlap of frames', [core(0, [slot(frame(1, 3))]), core(1, [slot(frame(2, 3), { owner: 1 })])], [['C2', 0, 1]]],
    [
      'the same bytes as two kinds of object',
      [core(0, [slot(frame(1))]), core(1, [slot(makeCapability('VNode_L1', PAGE, PAGE), { owner: 1 })])],
      [['C2', 0, 1]],
    ],
    ['nesting that descends', [core(0, [slot(ram(0, 8)), slot(ram(0, 4)), slot(frame(1, 2)), slot(frame(1))])], []],
    ['overlap with what is being deleted', [core(0, [slot(frame(1, 3), { inDelete: true }), slot(frame(2, 3))])], []],
    ['overlap with something in flight', [core(0, [slot(frame(1, 3))], flying(frame(2, 3)))], [['C2', 0, 0]]],
    ['free and covered', [core(0, [slot(frame(1))]), core(1, [], freed(0, 2 * PAGE))], [['C2', 1, 0]]],
    ['free twice', [core(0, [], freed(0, 10)), core(1, [], freed(5, 10))], [['C2', 0, 1]]],
    [
      'an owner that knows of no copy',
      [core(0, [slot(frame(1), { relations: 6 })]), core(1, [slot(frame(1))])],
      [['relations', 0, 1]],
    ],
    [
      'an owner that knows of no descendant',
      [core(0, [slot(ram(0, 4), { relations: 0 })]), core(1, [slot(frame(1), { owner: 1 })])],
      [['relations', 0, 1]],
    ],
    [
      'an owner that knows of no ancestor',
      [core(0, [slot(ram(0, 4))]), core(1, [slot(frame(1), { owner: 1, relations: 0 })])],
      [['relations', 1, 0]],
    ],
    ['memory from nowhere', [core(0, [slot(frame(200))])], [['C5']]],
  ])('%s', (_, snapshots, expected) => {
    expect(found(...snapshots)).toEqual(expected);
  });

  test('a leak is named by its range and its home', () => {
    const memory = [{ address: 0, size: 10 * PAGE }];
    const snapshot = core(4, [slot(frame(3, 2), { owner: 4 })], { memory, ...freed(5 * PAGE, 5 * PAGE) });
    expect(auditCapabilities([snapshot])).toEqual([
      {
        invariant: 'C5',
        what: `0x0+${3 * PAGE}`,
        cores: [4],
        detail: 'leaked: neither free nor covered by a capability',
        memory: 'leaked',
        range: { address: 0, size: 3 * PAGE },
      },
    ]);
  });

  test('C3 sees copies and descendants in slots and in flight, and spares the survivor', () => {
    const snapshots = [
      core(0, [slot(ram(0, 8)), slot(ram(0, 8), { slot: 128 })]),
      core(1, [slot(makeCapability('Frame_Mapping', PAGE, 1, [0, 0]), { owner: 1 })], flying(frame(2))),
      core(2, [slot(frame(9))]),
    ];
    const left = noneOf(ram(0, 8), snapshots, { core: 0, slot: 64 });
    expect(left.map(({ cores, detail }) => [cores[0], detail.split(', ')[1]])).toEqual([
      [0, 'in slot 128'],
      [1, 'in slot 64'],
      [1, 'in flight'],
    ]);
  });
});
