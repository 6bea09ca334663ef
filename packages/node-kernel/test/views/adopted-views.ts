/*
 * A leader's proposal reached nobody; others led meanwhile, and granted leases to cores that it leaves out. Whoever
 * adopts it then has to wait for those (V1).
 */
import type { Prng } from '@mk/monitor-proto/prng';
import { ViewWorld } from './view-world.ts';

const STEP_MS = 20;

/** Core 0 leads; 1 and 4 neither hear it nor are heard. */
function begun(prngOf: (seed: number) => Prng, seed: number): ViewWorld {
  const world = new ViewWorld(5, prngOf(seed));
  world.run(600 + STEP_MS * seed);
  for (const other of [1, 4]) {
    world.cut(0, other);
    world.cut(other, 0);
  }
  return world;
}

/** Whether core 0 has proposed a view. */
function hasProposed(world: ViewWorld): boolean {
  return world.heldTypes(0, 1).includes('view_accept');
}

function runUntil(world: ViewWorld, mostMs: number, holds: () => boolean): number {
  let ms = 0;
  for (; ms < mostMs && !holds(); ms += STEP_MS) world.run(STEP_MS);
  return ms;
}

function leaderOf(world: ViewWorld): number | undefined {
  return world.cores.find(
    ({ alive, agreement, self }) => alive && agreement.leader === self.core && !agreement.isFenced,
  )?.self.core;
}

/** Core 0's proposal is held up, and it falls silent; the others elect a leader, which dies once core 0 is back. */
export function adopts(
  prngOf: (seed: number) => Prng,
  seed: number,
): { readonly violations: readonly string[]; readonly adopted: boolean } {
  const before = begun(prngOf, seed);
  const proposesAfter = runUntil(before, 10_000, () => hasProposed(before));
  const world = begun(prngOf, seed);
  world.run(proposesAfter - 200);
  for (const other of [2, 3]) world.cut(0, other);
  runUntil(world, 400, () => hasProposed(world));
  for (const other of [2, 3]) world.cut(other, 0);
  const proposed = hasProposed(world) && world.agreed.size === 1;
  runUntil(world, 10_000, () => ![0, undefined].includes(leaderOf(world)));
  world.run(400);
  world.heal();
  world.run(200);
  const leader = leaderOf(world);
  // With proof nobody waits for the leader's lease to expire.
  world.proofAfter = 0;
  if (leader !== undefined && leader !== 0) world.crash(leader);
  world.run(8000);
  return { violations: world.violations, adopted: proposed && world.agreed.get(2)?.members.length === 3 };
}
