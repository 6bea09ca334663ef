/* Members' accusations (quarantine.ts). Each scenario returns what is wrong with its outcome, or null. */
import type { Prng } from '@mk/monitor-proto/prng';
import type { Member } from '@mk/node-kernel/monitor/views/view';
import { settled, troubledChanges } from './random-faults.ts';
import { ViewWorld } from './view-world.ts';

type MakePrng = (seed: number) => Prng;

/** Five members, some of which accuse one; an excluded core starts again, as a program does. */
function accused(prngOf: MakePrng, core: number, by: readonly number[], count = 5): ViewWorld {
  const world = new ViewWorld(count, prngOf(count), 3);
  world.run(2000);
  for (const accuser of by) world.accuse(accuser, core);
  world.run(12_000);
  return world;
}

/** Whether the first life of a core is in the newest view. */
function isIn(world: ViewWorld, core: number): boolean {
  const { members } = world.agreed.get(Math.max(...world.agreed.keys()))!;
  return members.some((member: Member) => member.core === core && member.incarnation === 1);
}

function brokenBy(world: ViewWorld): string | null {
  return world.violations[0]?.slice(0, 2) ?? (world.converged ? null : 'V4');
}

/** QV1: one member, whatever it claims, and two of four others exclude nobody. */
export function tooFew(prngOf: MakePrng): string | null {
  const alone = new ViewWorld(5, prngOf(1), 3);
  alone.run(2000);
  for (let round = 0; round < 3; round += 1)
    for (const core of [0, 1, 2, 3]) {
      alone.accuse(4, core);
      alone.run(1000);
    }
  const two = accused(prngOf, 3, [0, 1]);
  const pair = accused(prngOf, 0, [1], 2);
  if (alone.agreed.size > 1 || two.agreed.size > 1 || pair.agreed.size > 1) return 'QV1';
  return brokenBy(alone) ?? brokenBy(two) ?? brokenBy(pair);
}

/**
 * A member, and a leader, that a majority of the others has proof against are in no view any more; their next lives
 * are.
 */
export function enough(prngOf: MakePrng): string | null {
  for (const [core, by] of [
    [4, [0, 1, 2]],
    [4, [1, 2, 3]],
    [0, [1, 2, 3]],
    [0, [2, 3, 4]],
  ] as const) {
    const world = accused(prngOf, core, by);
    if (isIn(world, core)) return 'V4';
    const wrong = brokenBy(world);
    if (wrong !== null) return wrong;
  }
  return null;
}

/** A guilty member is out as soon as the others have agreed on it, long before its lease ends. */
export function atOnce(prngOf: MakePrng): string | null {
  const world = new ViewWorld(5, prngOf(1), 3);
  world.run(2000);
  for (const accuser of [0, 1, 2]) world.accuse(accuser, 4);
  world.run(400); // a lease is 1500
  return isIn(world, 4) ? 'V4' : (world.violations[0]?.slice(0, 2) ?? null);
}

/** Offences proven against an earlier life do not count against the next one. */
export function earlierLife(prngOf: MakePrng): string | null {
  const world = new ViewWorld(5, prngOf(1), 3);
  world.run(2000);
  const before = world.cores[3]!.self;
  world.crash(3);
  world.run(6000);
  world.restart(3);
  world.run(6000);
  const views = world.agreed.size;
  for (const core of [0, 1, 2, 4]) world.cores[core]!.agreement.accuse(before, world.now);
  world.run(6000);
  return world.agreed.size > views ? 'QV1' : brokenBy(world);
}

/** QV2: two of four are accused, one of them the leader; the view cannot spare both, so they go one after another. */
export function oneAfterTheOther(prngOf: MakePrng): string | null {
  for (const [guilty, accusers] of [
    [
      [2, 3],
      [0, 1],
    ],
    [
      [0, 3],
      [1, 2],
    ],
  ] as const) {
    const world = new ViewWorld(4, prngOf(1), 3);
    world.run(2000);
    for (const core of guilty) for (const by of accusers) world.accuse(by, core);
    world.run(20_000);
    const wrong = guilty.some((core) => isIn(world, core)) ? 'V4' : brokenBy(world);
    if (wrong !== null) return wrong;
  }
  return null;
}

/** Cuts, hangs, crashes and restarts, while one member is accused by all and accuses all. */
export function amongFaults(prngOf: MakePrng, seed: number): string | null {
  const prng = prngOf(seed);
  const world = new ViewWorld(4 + prng.nextInt(3), prng, 3);
  const rogue = prng.nextInt(world.count);
  world.run(1000);
  for (const { self } of world.cores) {
    if (prng.nextInt(2) === 0) world.run(prng.nextInt(400));
    world.accuse(self.core, rogue);
    world.accuse(rogue, self.core);
  }
  troubledChanges(world, prng);
  // A core that started again has forgotten its accusations; it will find proof itself.
  if (world.cores[rogue]!.self.incarnation === 1)
    for (const { self } of world.cores) if (self.core !== rogue) world.accuse(self.core, rogue);
  world.run(6000);
  const well = settled(world, 60_000);
  const [violation] = world.violations;
  if (violation !== undefined) return violation.slice(0, 2);
  if (!world.canSpare(rogue)) return null; // the rest is not a majority
  return well && !isIn(world, rogue) ? null : 'V4';
}
