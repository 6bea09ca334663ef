// `node scripts/nightly-capabilities.mjs [OPERATIONS] [SEEDS] [FIRST]`: the long tests of the capability system.
// Compares the mapping database and the primitives with simple models for OPERATIONS operations (3 million), then
// simulates SEEDS seeds (2,000) of churn, 2,000 operations each. Exits with 1 on a finding and prints the command that
// repeats it.
import { spawnSync } from 'node:child_process';
import { install, root } from './install.mjs';

const [operations = 3_000_000, seeds = 2000, first = 1] = process.argv.slice(2).map(Number);
if (![operations, seeds, first].every((n) => Number.isSafeInteger(n) && n > 0)) {
  process.stderr.write('nightly-capabilities: OPERATIONS, SEEDS and FIRST are whole numbers, like 3000000 2000 1\n');
  process.exit(2);
}
install();
run({ MK_PROPERTY_OPERATIONS: operations }, ['scripts/test.mjs', 'capability/mapping-database']);
run({ MK_PROPERTY_OPERATIONS: Math.ceil(operations / 20) }, ['scripts/test.mjs', 'capability/instant-machine']);
run({}, ['scripts/bench.mjs', 'sim-churn', String(first), String(first + seeds - 1), '2000', '4']);

function run(env, args) {
  const given = Object.entries(env)
    .map(([name, value]) => `${name}=${value} `)
    .join('');
  process.stdout.write(`$ ${given}node ${args.join(' ')}\n`);
  const { status } = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (status !== 0) process.exit(status ?? 2);
}
