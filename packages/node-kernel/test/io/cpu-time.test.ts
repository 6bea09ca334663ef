import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, test } from '@jest/globals';
import { cpuNsOfProcess, cpuNsOfWorkers } from '@mk/node-kernel/io/dispatchers/cpu-time';

const MS = 1_000_000;
/** Uses 300 ms of CPU time, then tells. */
const BUSY = 'const end = process.cpuUsage().user + 300_000; while (process.cpuUsage().user < end);';

test('a worker’s time counts, and that of the main thread does not', async () => {
  const before = cpuNsOfWorkers();
  const worker = new Worker(BUSY, { eval: true });
  await once(worker, 'exit');
  const after = cpuNsOfWorkers();
  expect(after - before).toBeGreaterThan(150 * MS);
  // The engine's own threads count, too, and may be busy in one of the tries.
  const tries = [1, 2, 3, 4, 5].map(() => {
    const before = cpuNsOfWorkers();
    const { user } = process.cpuUsage();
    while (process.cpuUsage().user < user + 400_000);
    return cpuNsOfWorkers() - before;
  });
  expect(Math.min(...tries)).toBeLessThan(300 * MS);
});

test('another process’s time, and null once it is gone', async () => {
  const child = spawn(process.execPath, ['-e', `${BUSY} process.stdout.write('.'); setInterval(() => {}, 1000)`]);
  await once(child.stdout, 'data');
  expect(cpuNsOfProcess(child.pid!)).toBeGreaterThanOrEqual(250 * MS);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(cpuNsOfProcess(child.pid!)).toBeNull();
});
