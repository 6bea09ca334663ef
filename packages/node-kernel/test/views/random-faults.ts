import type { Prng } from '@mk/monitor-proto/prng';
import type { ViewWorld } from './view-world.ts';

/** Cuts, hangs, crashes and restarts, drawn from the seed; at the end everything is sound again and everybody is started. */
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

/** Runs until all agree and act, or something broke; whether they do. */
export function settled(world: ViewWorld, ms: number): boolean {
  for (let waited = 0; waited < ms && !world.converged && world.violations.length === 0; waited += 200) world.run(200);
  return world.converged && world.violations.length === 0;
}
