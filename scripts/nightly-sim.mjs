// `node scripts/nightly-sim.mjs [SEEDS] [FIRST]`: any number of seeds under the nemesis, each run twice, on small and
// large machines. Exits with 1 at the first batch with a finding; the simulator prints the command that repeats it.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { install, root, run } from './install.mjs';

const seeds = Number(process.argv[2] ?? 20_000);
const first = Number(process.argv[3] ?? 1 + Math.floor(Date.now() / 86_400_000) * 1_000_000);
if (!Number.isSafeInteger(seeds) || seeds < 1 || !Number.isSafeInteger(first) || first < 0) {
  process.stderr.write('nightly-sim: SEEDS and FIRST are whole numbers, like 20000 1\n');
  process.exit(2);
}
install();
const program = join(root, 'dist', 'mk-launch.cjs');
if (!existsSync(program)) run('node', ['scripts/build.mjs']);

/** [share of the seeds, options]: most are small; some are long, harsh or on a larger machine. */
const BATCHES = [
  [0.6, []],
  [0.2, ['--for', '20s', '--weights', 'crash=6,reset=8,skb_cut=4']],
  [0.15, ['--machine', 'amd-8x4', '--cores', '12']],
  [0.05, ['--machine', 'rack', '--cores', '32']],
];
process.stdout.write(`nightly-sim: ${seeds} seeds from ${first}\n`);
let at = first;
for (const [share, options] of BATCHES) {
  const count = Math.max(1, Math.round(seeds * share));
  const args = [program, 'sim', '--seed', String(at), '--seeds', String(count), ...options];
  process.stdout.write(`$ mk-launch ${args.slice(1).join(' ')}\n`);
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 2);
  at += count;
}
