import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { auditCapabilities, noneOf } from '@mk/node-kernel/capability/audit/audit';
import { isAncestor } from '@mk/node-kernel/capability/model/capability';
import type { Capability } from '@mk/node-kernel/capability/model/capability';
import type { Slot } from '@mk/node-kernel/capability/store/slot';
import { InstantMachine } from './instant-machine.ts';
import { KIB, MIB, must, PAGE } from './world.ts';

/** Set MK_PROPERTY_OPERATIONS for a longer run. */
const OPERATIONS = Number(process.env['MK_PROPERTY_OPERATIONS'] ?? 6_000);
const PER_RUN = 60;
const CORES = 3;

const step = fc.record({
  core: fc.nat(CORES - 1),
  other: fc.nat(CORES - 1),
  pick: fc.nat(1000),
  giveAway: fc.boolean(),
  offset: fc.nat(7),
  operation: fc.constantFrom('allocate', 'send', 'send', 'retype', 'retype', 'delete', 'revoke', 'retrieve' as const),
  type: fc.constantFrom<Capability['type']>('RAM', 'RAM', 'Frame', 'VNode_L1', 'L2CNode', 'Dispatcher'),
  pages: fc.constantFrom(1, 2, 4, 8),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

function act(machine: InstantMachine, given: Step): void {
  const world = machine.worlds[given.core]!;
  const occupied = [...world.cnode(0).occupiedSlots()];
  const slot = occupied[given.pick % Math.max(occupied.length, 1)];
  const fresh = given.operation === 'allocate' || slot === undefined;
  if (fresh) return void machine.allocate(given.core, given.pages * PAGE);
  if (given.operation === 'send') return void machine.send(given.core, slot, given.other, given.giveAway);
  if (given.operation === 'retrieve') return void machine.retrieve(given.core, slot);
  if (given.operation === 'delete') return machine.delete(given.core, slot);
  if (given.operation === 'revoke') return checkedRevoke(machine, given.core, slot);
  const fixed = ['VNode_L1', 'L2CNode', 'Dispatcher'].includes(given.type);
  void machine.retype(given.core, slot, {
    type: given.type,
    offset: given.offset * PAGE,
    objectSize: fixed ? 0 : given.pages * PAGE,
    count: 1,
  });
}

function checkedRevoke(machine: InstantMachine, core: number, slot: Slot): void {
  const target = slot.capability!;
  if (!machine.revoke(core, slot).ok) return;
  expect(noneOf(target, machine.snapshots(), { core, slot: slot.address })).toEqual([]);
}

describe('the primitives, put together without delays', () => {
  test('keep C1, C2, C3, C5 and conservative bits through any sequence, and lose no byte in the end', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: PER_RUN, maxLength: PER_RUN }), (steps) => {
        const machine = new InstantMachine(CORES);
        const free = freeBytes(machine);
        for (const given of steps) {
          act(machine, given);
          const violations = auditCapabilities(machine.snapshots());
          if (violations.length > 0) throw new Error(`${given.operation}: ${JSON.stringify(violations[0])}`);
        }
        for (const [core, world] of machine.worlds.entries()) {
          for (const slot of world.cnode(0).occupiedSlots()) if (slot.capability) machine.delete(core, slot);
        }
        expect(auditCapabilities(machine.snapshots())).toEqual([]);
        expect(freeBytes(machine)).toBe(free + CORES * MIB);
      }),
      { numRuns: Math.ceil(OPERATIONS / PER_RUN) },
    );
  });

  test('bits: a grandchild learns of a copy of its grandparent sent away', () => {
    const machine = new InstantMachine(2);
    const world = machine.worlds[0]!;
    must(machine.retype(0, world.slot(0), { type: 'RAM', offset: 0, objectSize: 64 * KIB, count: 1 }));
    must(machine.retype(0, world.slot(1), { type: 'Frame', offset: 0, objectSize: PAGE, count: 1 }));
    must(machine.send(0, world.slot(0), 1));
    expect(isAncestor(world.slot(0).capability!, world.slot(2).capability!)).toBe(true);
    expect(world.slot(2).group!.relations).toBe(2);
    expect(auditCapabilities(machine.snapshots())).toEqual([]);
  });
});

function freeBytes(machine: InstantMachine): number {
  return machine.worlds.reduce((sum, { state }) => sum + state.ram.freeBytes, 0);
}
