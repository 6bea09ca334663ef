import { hmacSha256 } from '@mk/sim/io/hmac';
import { runChurn } from '@mk/sim/workloads/churn';
import { withLargeNursery } from './nursery.ts';

/*
 * Many seeds of random capability operations in the simulator, C1–C6 checked after every step and C7 at the end: `npm
 * run bench -- sim-churn FROM TO OPERATIONS FAULTS_PER_SECOND`. The full test is `sim-churn 1 2000 2000 4`; to repeat a
 * failing seed N: `sim-churn N N 2000 4`.
 */
withLargeNursery();
const [from = 1, to = 10, operations = 2000, faultsPerSecond = 4] = process.argv.slice(2).map(Number);
let failures = 0;
const totals = { operations: 0, ok: 0, steps: 0 };
const errors: Record<string, number> = {};
const startedAt = process.hrtime.bigint();
for (let seed = from; seed <= to; seed += 1) {
  const result = runChurn({ seed, operations, faultsPerSecond, hmac: hmacSha256 });
  totals.operations += result.operations;
  totals.ok += result.ok;
  totals.steps += result.steps;
  for (const [error, count] of Object.entries(result.errors)) errors[error] = (errors[error] ?? 0) + count;
  if (seed % 20 === 0) process.stdout.write(`seed ${seed} done, ${failures} failed so far\n`);
  if (result.violations.length === 0) continue;
  failures += 1;
  process.stdout.write(`seed ${seed}, ${result.cores} cores, ${(result.virtualNs / 1e6).toFixed(1)} ms\n`);
  for (const { invariant, text, at } of result.violations.slice(0, 4))
    process.stdout.write(`  ${invariant} at ${(at / 1e6).toFixed(3)} ms: ${text}\n`);
}
const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9;
process.stdout.write(
  `${to - from + 1} seeds, ${failures} failed; ${JSON.stringify(totals)} in ${seconds.toFixed(1)} s\n${JSON.stringify(errors)}\n`,
);
process.exitCode = failures > 0 ? 1 : 0;
