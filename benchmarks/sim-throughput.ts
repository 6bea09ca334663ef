/**
 * How many messages per second of wall time the simulator delivers, codec included: frames are really encoded, hashed,
 * decoded and validated. `npm run bench -- sim-throughput`. Target: 150,000 on one core.
 */
import { SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import { hmacSha256 } from '@mk/sim/io/hmac';
import { flatMachine } from '@mk/sim/engine/machines';
import { Simulation } from '@mk/sim/engine/simulation';
import { median, spread } from './report.ts';

const TARGET = 150_000;
const RUNS = 5;
const CORES = 8;

/** Messages of 64 bytes from every core to the next; messages delivered per second of wall time. */
function flood(perCore: number): number {
  const simulation = booted();
  let done = 0;
  const startedAt = performance.now();
  for (let core = 0; core < CORES; core++) {
    simulation.control(core, 'flood', { core: (core + 1) % CORES, count: perCore, bytes: 64 }, (reply) => {
      if (!reply.ok) throw new Error(reply.text);
      done += 1;
    });
  }
  simulation.run(600 * SECOND, () => done === CORES);
  return (CORES * perCore) / ((performance.now() - startedAt) / 1000);
}

/** Pings one at a time: one per frame, nothing to batch. */
function pings(perCore: number): number {
  const simulation = booted();
  let done = 0;
  const startedAt = performance.now();
  for (let core = 0; core < CORES; core++)
    simulation.control(core, 'ping', { core: (core + 1) % CORES, count: perCore, bytes: 64 }, () => (done += 1));
  simulation.run(600 * SECOND, () => done === CORES);
  return (2 * CORES * perCore) / ((performance.now() - startedAt) / 1000);
}

function booted(): Simulation {
  const simulation = new Simulation({
    seed: 1,
    cores: CORES,
    machine: flatMachine(),
    hmac: hmacSha256,
    logLevel: 'info',
  });
  simulation.start();
  simulation.run(SECOND, () => simulation.node(SKB_PEER).skb?.registry.meshComplete ?? false);
  return simulation;
}

flood(20_000);
pings(2_000);
const floods = Array.from({ length: RUNS }, () => flood(100_000));
const pinged = Array.from({ length: RUNS }, () => pings(10_000));
const held = median(floods) >= TARGET;
console.log(`delivered messages of 64 bytes a second of wall time, ${CORES} cores, ${RUNS} runs`);
console.log(
  `  in floods          ${spread(floods)}  (at least ${TARGET.toLocaleString('en')}: ${held ? 'held' : 'MISSED'})`,
);
console.log(`  one by one (ping)  ${spread(pinged)}`);
if (!held) process.exitCode = 1;
