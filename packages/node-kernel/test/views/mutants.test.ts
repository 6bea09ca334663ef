import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import type { createPrng } from '@mk/monitor-proto/prng';
import { VIEW_MUTANTS, type ViewMutant } from './mutants.ts';
import type * as accusations from './accusations.ts';
import type { adopts } from './adopted-views.ts';
import type { leaderOfTwoDies, settled, troubledChanges } from './random-faults.ts';
import type { ViewWorld } from './view-world.ts';

/** Every deliberate bug must be detected within this many seeds. */
const SEEDS = 40;
const HERE = import.meta.dirname;
const VIEWS = join(HERE, '../../src/monitor/views');

interface World extends Pick<typeof accusations, 'tooFew' | 'enough' | 'earlierLife' | 'oneAfterTheOther'> {
  readonly ViewWorld: typeof ViewWorld;
  readonly createPrng: typeof createPrng;
  readonly adopts: typeof adopts;
  readonly troubledChanges: typeof troubledChanges;
  readonly settled: typeof settled;
  readonly leaderOfTwoDies: typeof leaderOfTwoDies;
}

/** View agreement and its test world, with the bug in place or unchanged. */
async function worldWith(mutant: ViewMutant | null): Promise<World> {
  const { outputFiles } = await build({
    stdin: {
      contents:
        "export * from './view-world.ts'; export * from './random-faults.ts'; export * from './accusations.ts'; export * from './adopted-views.ts'; export { createPrng } from '@mk/monitor-proto/prng';",
      resolveDir: HERE,
    },
    bundle: true,
    write: false,
    format: 'cjs',
    conditions: ['@mk/source'],
    logLevel: 'silent',
    plugins: [
      {
        name: 'mutant',
        setup(builder) {
          builder.onLoad({ filter: /monitor\/views\/[a-z-]+\.ts$/ }, ({ path }) => {
            const text = readFileSync(path, 'utf8');
            if (mutant === null || path !== join(VIEWS, mutant.file)) return { contents: text, loader: 'ts' };
            const parts = text.split(mutant.good);
            if (parts.length !== 2) throw new Error(`${mutant.file} has ${parts.length - 1} times ${mutant.good}`);
            return { contents: parts.join(mutant.bad), loader: 'ts' };
          });
        },
      },
    ],
  });
  const holder = { exports: {} };
  new Function('module', 'exports', outputFiles[0]!.text)(holder, holder.exports);
  return holder.exports as World;
}

/** A–B–C where B hears both: without bugs there is one view after the first, and one leader. */
function bridge({ ViewWorld: Worlds, createPrng: prngOf }: World): string | null {
  const world = new Worlds(3, prngOf(1));
  world.run(2000);
  world.cut(0, 2);
  world.cut(2, 0);
  const leaders = new Set<number | null>();
  for (let i = 0; i < 60; i += 1) {
    world.run(200);
    leaders.add(world.cores[1]!.agreement.leader);
  }
  return world.agreed.size > 2 || leaders.size > 1 ? 'leaders' : null;
}

/** A link that flaps: a view for each change would be dozens. */
function flapping({ ViewWorld: Worlds, createPrng: prngOf }: World): string | null {
  const world = new Worlds(5, prngOf(1));
  world.run(2000);
  for (let i = 0; i < 12; i += 1) {
    world.cut(3, 4);
    world.run(1200);
    world.heal();
    world.run(400);
  }
  return world.agreed.size > 1 ? 'leaders' : null;
}

/** The leader has its view accepted, alone learns of it, and dies: its successor proposes the same view. */
function proposerDies({ ViewWorld: Worlds, createPrng: prngOf }: World): string | null {
  for (let number = 0; number < 40; number += 1) {
    const world = new Worlds(5, prngOf(number));
    world.proofAfter = 0;
    world.run(2000);
    // In every other case the successor has not even heard of it: others must tell it.
    if (number % 2 === 1) world.cut(0, 1);
    world.crash(4);
    world.run(40 + 20 * (number % 3));
    for (const other of [1, 2, 3]) world.cut(0, other);
    world.run(80);
    world.crash(0);
    world.run(2000);
    const [violation] = world.violations;
    if (violation !== undefined) return violation.slice(0, 2);
  }
  return null;
}

/** The same for two members, where the successor alone is a quorum. */
function twoAreOne({ ViewWorld: Worlds, createPrng: prngOf, leaderOfTwoDies: play }: World): string | null {
  for (let ticks = 0; ticks < 40; ticks += 1) {
    const world = new Worlds(3, prngOf(0));
    play(world, ticks);
    const [violation] = world.violations;
    if (violation !== undefined) return violation.slice(0, 2);
  }
  return null;
}

/** A member is told of a view two ahead of its own. */
function leap({ ViewWorld: Worlds, createPrng: prngOf }: World): string | null {
  const world = new Worlds(3, prngOf(1));
  world.run(1000);
  const { number, members, leader } = world.agreed.get(1)!;
  const views = [{ number: number + 2, members, leader }];
  world.cores[1]!.agreement.receive(members[0]!, { type: 'view_install', views, left: [] }, world.now);
  world.run(20);
  return world.violations[0]?.slice(0, 2) ?? null;
}

/** Member 1 has promised a ballot; then an older one arrives: keeping the promise means silence. */
function promises({ ViewWorld: Worlds, createPrng: prngOf }: World): string | null {
  const older = { round: 1, core: 0 };
  const view = { number: 2, members: [0, 1].map((core) => ({ core, incarnation: 1 })), leader: 0 };
  for (const late of [
    { type: 'view_prepare', view: 1, ballot: older },
    { type: 'view_accept', view: 1, proposal: { ballot: older, view } },
  ] as const) {
    const world = new Worlds(3, prngOf(1));
    world.run(1000);
    // A member that hears its leader would heed neither; and nobody may agree on a view without it meanwhile.
    for (const from of [0, 1, 2]) for (const to of [0, 1, 2]) if (from !== to) world.cut(from, to);
    world.run(3000);
    const [first, , third] = world.agreed.get(1)!.members;
    world.cores[1]!.agreement.receive(
      third!,
      { type: 'view_prepare', view: 1, ballot: { round: 5, core: 2 } },
      world.now,
    );
    world.cores[1]!.agreement.receive(first!, late, world.now);
    if (world.heldTypes(1, 0).some((type) => type === 'view_promise' || type === 'view_accepted')) return 'V3';
  }
  return null;
}

/** A leader that a majority no longer hears but one member does: neither has a lease for long. */
function deposed({ ViewWorld: Worlds, createPrng: prngOf }: World): string | null {
  const world = new Worlds(5, prngOf(1));
  world.run(2000);
  for (const near of [0, 1])
    for (const far of [2, 3, 4])
      for (const [a, b] of [
        [near, far],
        [far, near],
      ] as const)
        world.cut(a, b);
  world.run(8000);
  return world.violations[0]?.slice(0, 2) ?? null;
}

/**
 * A core that a view leaves out comes back between the view's proposal, which nobody hears yet, and its installation.
 */
function tooLate({ ViewWorld: Worlds, createPrng: prngOf }: World): string | null {
  for (let step = 0; step < 40; step += 1) {
    const world = new Worlds(5, prngOf(step));
    world.run(2000);
    world.cut(0, 4);
    world.cut(4, 0);
    world.run(1400 + 40 * step);
    world.heal();
    for (const other of [1, 2, 3]) world.cut(0, other);
    world.run(700);
    world.heal();
    world.run(2000);
    const [violation] = world.violations;
    if (violation !== undefined) return violation.slice(0, 2);
  }
  return null;
}

/** A proposal is held up, others lead meanwhile, and then it is adopted. */
function adopted({ createPrng: prngOf, adopts: play }: World): string | null {
  for (let number = 0; number < 8; number += 1) {
    const [violation] = play(prngOf, number).violations;
    if (violation !== undefined) return violation.slice(0, 2);
  }
  return null;
}

function seed(kit: World, number: number): string | null {
  const prng = kit.createPrng(number);
  const count = 3 + prng.nextInt(5);
  const world = new kit.ViewWorld(count, prng, Math.min(count - 1, 2 + prng.nextInt(4)));
  if (prng.nextInt(2) === 0) world.proofAfter = prng.nextInt(200) * 1_000_000;
  kit.troubledChanges(world, prng);
  const well = kit.settled(world, 60_000);
  const [violation] = world.violations;
  if (violation !== undefined) return violation.slice(0, 2);
  return well || !world.canSpare() ? null : 'V4';
}

function hunt(kit: World, seeds: number): { readonly by: string; readonly where: string } | null {
  for (const [where, scenario] of Object.entries({
    bridge,
    flapping,
    proposerDies,
    twoAreOne,
    leap,
    promises,
    deposed,
    tooLate,
    adopted,
  })) {
    const by = scenario(kit);
    if (by !== null) return { by, where };
  }
  const { tooFew, enough, earlierLife, oneAfterTheOther } = kit;
  for (const [where, scenario] of Object.entries({ tooFew, enough, earlierLife, oneAfterTheOther })) {
    const by = scenario(kit.createPrng);
    if (by !== null) return { by, where };
  }
  for (let number = 0; number < seeds; number += 1) {
    const by = seed(kit, number);
    if (by !== null) return { by, where: `seed ${number}` };
  }
  return null;
}

describe('bugs planted in view agreement', () => {
  test('without one nobody complains', async () => {
    expect(hunt(await worldWith(null), 20)).toBeNull();
  });

  test.each(VIEW_MUTANTS)('$name', async (mutant) => {
    const found = hunt(await worldWith(mutant), SEEDS);
    process.stdout.write(`  ${mutant.name}: ${found?.by} in ${found?.where}\n`);
    expect(mutant.seenBy).toContain(found?.by);
  });

  test('and there are at least fifteen of them', () => {
    expect(VIEW_MUTANTS.length).toBeGreaterThanOrEqual(15);
  });
});
