/**
 * How large a machine one process can simulate: boots up to 1,024 cores (523,776 links), runs 100 agreement rounds,
 * prints time and memory, and the cost of a round by plan at each size. `npm run bench -- sim-scale [CORES…]`; default
 * 32 … 1024.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import { PLAN_KINDS } from '@mk/node-kernel/monitor/agreement/plan';
import { fastMac } from '@mk/sim/engine/fast-mac';
import { flatMachine } from '@mk/sim/engine/machines';
import { Simulation } from '@mk/sim/engine/simulation';
import { plotSvg } from '@mk/sim/commands/svg-plot';
import { withLargeNursery } from './nursery.ts';

const ROUNDS_PER_PLAN = 25;
/** One core after another, as processes start. */
const START_PAUSE = Number(process.env['MK_PAUSE_US'] ?? 100) * 1000;
const LIMIT = { seconds: 60, gibibytes: 4 };

interface Size {
  readonly cores: number;
  readonly links: number;
  readonly bootSeconds: number;
  readonly roundsSeconds: number;
  readonly gibibytes: number;
  readonly steps: number;
  /** Virtual microseconds of one round, by plan. */
  readonly roundUs: Readonly<Record<string, number>>;
}

function measure(cores: number): Size {
  const cpu = process.cpuUsage();
  const simulation = new Simulation({
    seed: 1,
    cores,
    machine: flatMachine(),
    hmac: fastMac,
    logLevel: 'info',
    hash: false,
    startPauseNs: START_PAUSE,
  });
  const startedAt = performance.now();
  simulation.start();
  let looksAt = 0;
  const whole = (): boolean => {
    if (simulation.steps < looksAt) return false;
    looksAt = simulation.steps + cores;
    return simulation.node(SKB_PEER).skb?.registry.meshComplete ?? false;
  };
  if (!simulation.run(60 * SECOND, whole)) throw new Error(`${cores} cores did not boot`);
  simulation.run(simulation.now + SECOND / 10);
  const bootedAt = performance.now();
  const roundUs = Object.fromEntries(PLAN_KINDS.map((plan) => [plan, rounds(simulation, plan)]));
  const endedAt = performance.now();
  const cpuSeconds = process.cpuUsage(cpu).user / 1e6;
  const gibibytes = process.memoryUsage().rss / 2 ** 30;
  console.log(
    `${String(cores).padStart(5)} cores, ${simulation.network.counters.linksOpened} links: boot ${((bootedAt - startedAt) / 1000).toFixed(1)} s, ` +
      `${PLAN_KINDS.length * ROUNDS_PER_PLAN} rounds ${((endedAt - bootedAt) / 1000).toFixed(1)} s (CPU ${cpuSeconds.toFixed(1)} s), ${gibibytes.toFixed(2)} GiB, ${simulation.steps} steps`,
  );
  console.log(
    `      one round: ${PLAN_KINDS.map((plan) => `${plan} ${roundUs[plan]!.toFixed(1)} µs`).join(', ')} (virtual)`,
  );
  return {
    cores,
    links: simulation.network.counters.linksOpened,
    bootSeconds: (bootedAt - startedAt) / 1000,
    roundsSeconds: (endedAt - bootedAt) / 1000,
    gibibytes,
    steps: simulation.steps,
    roundUs,
  };
}

function rounds(simulation: Simulation, plan: string): number {
  let microseconds = -1;
  simulation.control(0, 'round', { plan, phases: 1, count: ROUNDS_PER_PLAN }, (reply) => {
    if (!reply.ok) throw new Error(`${plan}: ${reply.error} ${reply.text}`);
    microseconds = (reply.value as { p50: number }).p50 / 1000;
  });
  simulation.run(simulation.now + 60 * SECOND, () => microseconds >= 0);
  return microseconds;
}

withLargeNursery();
const wanted = process.argv.slice(2).map(Number);
const sizes = (wanted.length > 0 ? wanted : [32, 64, 128, 256, 512, 1024]).map(measure);
const largest = sizes.at(-1)!;
const seconds = largest.bootSeconds + largest.roundsSeconds;
if (largest.cores === 1024) {
  const held = seconds < LIMIT.seconds && largest.gibibytes < LIMIT.gibibytes;
  console.log(
    `1,024 cores: ${seconds.toFixed(1)} s and ${largest.gibibytes.toFixed(2)} GiB (under ${LIMIT.seconds} s and ${LIMIT.gibibytes} GiB: ${held ? 'held' : 'MISSED'})`,
  );
  if (!held) process.exitCode = 1;
}
if (sizes.length > 2) {
  const folder = join(process.cwd(), 'benchmarks', 'results');
  mkdirSync(folder, { recursive: true });
  const curves = PLAN_KINDS.map((plan) => ({
    name: plan,
    points: sizes.map(({ cores, roundUs }) => [cores, roundUs[plan]!] as const),
  }));
  const figures = join(process.cwd(), 'docs', 'figures');
  mkdirSync(figures, { recursive: true });
  writeFileSync(
    join(figures, 'sim-scale.svg'),
    plotSvg(curves, {
      title: 'A one-phase round, four cores a package',
      xLabel: 'cores',
      yLabel: 'virtual µs',
      logX: true,
      logY: true,
    }),
  );
  writeFileSync(join(folder, 'sim-scale.json'), `${JSON.stringify({ node: process.version, sizes }, null, 2)}\n`);
}
