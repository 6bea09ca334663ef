import { hmacSha256 } from './io/hmac.ts';
import { flatMachine } from './machines.ts';
import { Simulation } from './simulation.ts';
const cores = Number(process.argv[2] ?? 4);
const sim = new Simulation({ seed: 1, cores, machine: flatMachine(), hmac: hmacSha256, logLevel: process.argv[3] as never ?? 'debug' });
if (cores <= 8) sim.observe({ line: (line) => console.log(JSON.stringify(line)) });
sim.start();
const t0 = performance.now();
sim.run(1e9);
console.log('boot', performance.now() - t0, 'steps', sim.steps, sim.network.counters, process.memoryUsage().rss / 1e6, 'MB');
for (const plan of ['unicast', 'broadcast', 'multicast', 'numa']) for (const phases of [1, 2]) {
  let done = false;
  const t0 = performance.now();
  sim.control(0, 'round', { plan, phases, count: 10 }, (reply) => { done = true; console.log(JSON.stringify(reply)); });
  sim.run(sim.now + 60e9, () => done);
  console.log('10 rounds ms', performance.now() - t0);
}
if (process.argv[4] === 'flood') {
let done = false;
const t1 = performance.now();
sim.control(0, 'flood', { core: 1, count: 1_000_000, bytes: 64 }, (reply) => { done = true; console.log(JSON.stringify(reply)); });
sim.run(sim.now + 600e9, () => done);
const s = (performance.now() - t1) / 1000;
console.log('flood', 1e6 / s, 'msg/s', sim.hash?.digest());
}
