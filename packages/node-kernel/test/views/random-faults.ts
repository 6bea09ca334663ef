import type { Prng } from '@mk/monitor-proto/prng';
import type { ViewWorld } from './view-world.ts';

/** Cuts, hangs, crashes and restarts, drawn from the seed; at the end everything is healed and started. */
export function randomFaults(world: ViewWorld, prng: Prng): void {
  const { count } = world;
  for (let i = 0; i < 12 && world.violations.length === 0; i += 1) {
    const core = prng.nextInt(count);
    const other = prng.nextInt(count);
    const what = prng.nextInt(8);
    if (what < 3 && core !== other) world.cut(core, other);
    else if (what === 3) world.heal();
    else if (what === 4) world.hang(core, prng.nextInt(6000));
    else if (what === 5 && world.canSpare(core)) world.crash(core);
    else if (what === 6 && !world.cores[core]!.alive) world.restart(core);
    world.run(prng.nextInt(3000));
  }
  world.heal();
  for (const core of world.cores) if (!core.alive) world.restart(core.self.core);
}

/** Runs until all agree and act, or something broke; returns whether they do. */
export function settled(world: ViewWorld, ms: number): boolean {
  for (let waited = 0; waited < ms && !world.converged && world.violations.length === 0; waited += 200) world.run(200);
  return world.converged && world.violations.length === 0;
}

/**
 * Trouble at the very moment of a view change: proposers that hang or die between their proposal and its success, cuts
 * within a round trip. Pauses are as long as messages, not leases.
 */
export function troubledChanges(world: ViewWorld, prng: Prng): void {
  const { count } = world;
  world.run(2000);
  for (let i = 0; i < 30 && world.violations.length === 0; i += 1) {
    const core = prng.nextInt(count);
    const other = prng.nextInt(count);
    const leader = world.cores.find(({ alive, agreement, self }) => alive && agreement.leader === self.core)?.self.core;
    const what = prng.nextInt(10);
    if (what < 2 && world.canSpare(core)) world.crash(core);
    else if (what < 4 && !world.cores[core]!.alive) world.restart(core);
    else if (what === 4 && leader !== undefined && world.canSpare(leader)) world.crash(leader);
    else if (what === 5 && leader !== undefined) world.hang(leader, 200 + prng.nextInt(5000));
    else if (what < 8 && leader !== undefined && leader !== core) world.cut(leader, core);
    else if (what === 8 && core !== other) world.cut(core, other);
    else world.heal();
    world.run(prng.nextInt(3) === 0 ? prng.nextInt(4000) : 20 * prng.nextInt(8));
  }
  world.heal();
  for (const core of world.cores) if (!core.alive) world.restart(core.self.core);
}

/**
 * The leader of two members gets a view with a third core accepted, learns of it only together with the third, and
 * dies: the other member alone is a quorum. This needs its link to break at the right moment, this many ticks after the
 * third has asked.
 */
export function leaderOfTwoDies(world: ViewWorld, ticks: number): void {
  world.proofAfter = 0;
  world.run(2000);
  world.crash(2);
  world.run(3000);
  world.restart(2);
  world.run(20 * ticks);
  world.cut(0, 1);
  world.run(100);
  world.crash(0);
  world.run(3000);
}
