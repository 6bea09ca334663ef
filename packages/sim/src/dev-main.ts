import { hmacSha256 } from './io/hmac.ts';
import { flatMachine } from './machines.ts';
import { scenarioOf } from './nemesis.ts';
import { runTwice } from './run-seed.ts';
import { describeFault } from './scenario.ts';
const [from, to] = [Number(process.argv[2] ?? 1), Number(process.argv[3] ?? 10)];
const trace = process.argv[4] === 'trace';
const t0 = performance.now();
let failures = 0;
const totals: Record<string, number> = {};
for (let seed = from; seed <= to; seed++) {
  const scenario = scenarioOf(seed, process.env.STRONG ? { faultsPerSecond: 6, faultsForNs: 20e9, weights: JSON.parse(process.env.STRONG) } : {});
  if (trace) for (const f of scenario.faults) console.log(f.atNs / 1e6, describeFault(f.action));
  const result = runTwice(scenario, { hmac: hmacSha256, machineOf: () => flatMachine(), ...(trace ? { observers: [{ line: (l) => console.log(JSON.stringify(l)) }] } : {}) });
  for (const [k, v] of Object.entries(result.outcomes)) totals[k] = (totals[k] ?? 0) + v;
  if (result.violations.length || result.inconclusive) {
    failures += 1;
    console.log(seed, scenario.cores, result.inconclusive ?? '', result.violations.slice(0, 3).map((v) => `${v.invariant}@${(v.at / 1e6).toFixed(1)}ms ${v.text}`));
  }
}
console.log(failures, 'failed', ((performance.now() - t0) / 1000).toFixed(1), 's', totals);
