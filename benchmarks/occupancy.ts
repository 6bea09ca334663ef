import { known } from '@mk/monitor-proto/assert';
import { loadMachine } from '@mk/machine/io/load';
import { Machine } from '@mk/machine/machine';
import { forCores } from '@mk/machine/resize';
import { hmacSha256 } from '@mk/sim/io/hmac';
import { Simulation } from '@mk/sim/engine/simulation';
import { join } from 'node:path';
import { startCluster } from './cluster.ts';
import { report } from './report.ts';

/**
 * A flood over links whose ends each message occupies, on processes and in the simulator with the same machine:
 * nanoseconds per message, those of the simulator multiplied by the time scale. Cores 0 and 1 share a package; 0 and 4
 * are a hop apart.
 */
const RUNS = Number(process.argv[2] ?? 5);
const COUNT = 1500;
const BYTES = 54;
const CORES = 8;

interface Flooded {
  readonly received: number;
  readonly elapsedNs: number;
}

const loaded = loadMachine('amd-8x4', join(process.cwd(), 'packages', 'launcher', 'machines'));
if (!loaded.ok) throw new Error(loaded.error);
const description = forCores(loaded.value, CORES);
const { timeScale } = description;

function simulated(core: number): number {
  const machine = new Machine(description);
  const simulation = new Simulation({ seed: 1, cores: CORES, machine, hmac: hmacSha256, logLevel: 'info' });
  simulation.start();
  const members = (): number => simulation.node(0).kernel?.monitor.context.members.length ?? 0;
  simulation.run(60e9, () => members() === CORES - 1);
  simulation.run(simulation.now + 1e9);
  const answers: Flooded[] = [];
  simulation.control(0, 'flood', { core, count: COUNT, bytes: BYTES }, (reply) => {
    if (!reply.ok) throw new Error(reply.text);
    answers.push(reply.value as unknown as Flooded);
  });
  simulation.run(simulation.now + 600e9, () => answers.length > 0);
  return (known(answers[0]).elapsedNs / COUNT) * timeScale;
}

const cluster = await startCluster(CORES, { machine: description, occupied: timeScale });
const figures = [];
for (const [name, core] of [
  ['the same package', 1],
  ['one hop', 4],
] as const) {
  const model = simulated(core);
  const ours: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const { received, elapsedNs } = await cluster.ask<Flooded>(0, 'flood', { core, count: COUNT, bytes: BYTES });
    if (received !== COUNT) throw new Error(`${received} of ${COUNT} messages came`);
    ours.push(elapsedNs / COUNT / 1000);
  }
  figures.push({
    name: `a message of a flood to ${name}, amd-8x4 at a time scale of ${timeScale}, on processes against the simulator`,
    unit: 'µs',
    ours,
    baseline: ours.map(() => model / 1000),
    target: { kind: 'at most' as const, ratio: 1.15 },
  });
}
await cluster.stop();
report(figures, 'occupancy');
