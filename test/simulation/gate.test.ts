import { spawnSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { builtProgram } from '../integration/built-programs.ts';

const SEEDS = Number(process.env.MK_GATE_SEEDS ?? 500);
const PATIENCE_MS = 900_000;

// In a process of its own: inside jest's sandbox every global is looked up through an interceptor, ten times as slow.
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
