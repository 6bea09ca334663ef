/*
 * A core that is just taking ownership over dies, at any time from then on: some cores know it as the owner, others do
 * not, and the core that handed the ownership over may hold no copy any more (handovers.ts). In the end one of the
 * holders owns the capability (RO3).
 */
import { describe, expect, test } from '@jest/globals';
import { type CoreId, type Nanos, SECOND } from '@mk/monitor-proto/ids';
import { AssertionFailure } from '@mk/monitor-proto/assert';
import { createPrng } from '@mk/monitor-proto/prng';
import { type Operation, sleepUntil, wait } from '@mk/node-kernel/monitor/operations';
import { Estate, type Plant } from './estate.ts';

const POINTS = 40;
const SPACING: Nanos = 400_000;
const HOLDERS = [[1, 2]];

type Way = (estate: Estate, taker: CoreId) => void;

/** How the ownership of core 0 leaves it; its own copy is gone soon after, or stays. */
const WAYS: Readonly<Record<string, Way>> = {
  'its last copy is deleted': (estate) => estate.begin(0, 'cap_delete'),
  'a holder retrieves it': (estate, taker) => {
    estate.begin(taker, 'cap_retrieve');
    estate.begin(0, 'cap_delete');
  },
  'a holder retrieves it, and who had it keeps a copy': (estate, taker) => estate.begin(taker, 'cap_retrieve'),
};

/** The owners that holders name in the end, if the new owner dies `point` after it became one. */
function ownersAfter(point: number, way: Way, plant?: Plant): ReturnType<Estate['owners']> {
  const estate = new Estate(point, HOLDERS, plant);
  const { simulation } = estate;
  const prng = createPrng(point);
  // The holders do not hear one another: what the new owner told one of them ends with the new owner.
  const rule = { kind: 'partition', id: 'apart', groups: [[1], [2]], one_way: false, for_ns: null } as const;
  simulation.faults.add(rule, simulation.now);
  way(estate, 1 + prng.nextInt(2));
  let owner: CoreId | undefined;
  const isTaken = (): boolean => (owner = estate.ownersNow().find((core) => core !== 0)) !== undefined;
  if (!simulation.run(simulation.now + 30 * SECOND, isTaken) || owner === undefined)
    throw new Error('nobody took over');
  simulation.run(simulation.now + point * SPACING);
  simulation.crash(owner);
  simulation.faultLog.heal('all', simulation.now);
  estate.settle(1);
  return estate.owners();
}

describe('a new owner dies', () => {
  test.each(Object.entries(WAYS))('%s', (_name, way) => {
    for (let point = 0; point < POINTS; point += 1) {
      const [owner] = ownersAfter(point, way);
      expect({ point, owner, named: typeof owner }).toEqual({ point, owner, named: 'number' });
    }
  });
});

/** Whether an invariant of a kernel breaks, or there is no owner in the end. */
function isSeenAfter(point: number, way: Way, plant: Plant): boolean {
  try {
    return typeof ownersAfter(point, way, plant)[0] !== 'number';
  } catch (error) {
    return error instanceof AssertionFailure && error.invariant === 'RO3';
  }
}

const NO_OPERATION = (): void => undefined;

describe('a bug planted in handovers is seen', () => {
  const MUTANTS: readonly [name: string, plant: Plant][] = [
    [
      'who has let go does not remember it',
      ({ services: { capops } }) => Object.assign(capops.shared.handovers, { note: NO_OPERATION }),
    ],
    [
      'who has let go forgets it when it hears of the new owner',
      ({ services: { capops } }) => {
        const { handovers } = capops.shared;
        const heard = handovers.heard.bind(handovers);
        handovers.heard = (op, capability) => heard(op, capability, -1);
      },
    ],
    [
      'who tells that the owner is gone may become the owner meanwhile',
      ({ services: { capops }, monitor: { context } }) => {
        const { handovers } = capops.shared;
        const inside = handovers as unknown as { tell: (...given: unknown[]) => Operation<void> };
        const tell = inside.tell.bind(handovers);
        inside.tell = function* (...given) {
          yield* wait(sleepUntil(context.timers, context.now + SECOND)); // some member is slow
          yield* tell(...given);
        };
        handovers.isTelling = () => false;
      },
    ],
  ];
  test.each(MUTANTS)('%s', (_name, plant) => {
    const ways = Object.values(WAYS);
    const isSeen = (point: number): boolean => ways.some((way) => isSeenAfter(point, way, plant));
    expect(Array.from({ length: POINTS }, (_, point) => point).some(isSeen)).toBe(true);
  });
});
