import { spawnSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { builtProgram } from '../integration/built-programs.ts';

const SEEDS = Number(process.env.MK_GATE_SEEDS ?? 500);
const PATIENCE_MS = 900_000;

// In a separate process: in jest's sandbox an interceptor handles every access to a global, ten times as slowly.
test(
  `${SEEDS} seeds hold every invariant, and each leaves the same trace twice`,
  () => {
    const program = builtProgram('mk-launch.cjs');
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'sim', '--seeds', String(SEEDS)], {
      encoding: 'utf8',
      timeout: PATIENCE_MS,
    });
    process.stdout.write(stdout);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(`${SEEDS} seeds, each twice with the same trace: all invariants held`);
  },
  PATIENCE_MS,
);
