import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { buildSync } from 'esbuild';
import { expect, test } from '@jest/globals';
import { cpuNsOfProcess } from '@mk/node-kernel/io/dispatchers/cpu-time';

const MS = 1_000_000;
/** Uses 300 ms of CPU time, then tells. */
const BUSY = 'const end = process.cpuUsage().user + 300_000; while (process.cpuUsage().user < end);';

/** What counts while a worker computes, and then while the main thread does. */
const MEASURED = `
  import { once } from 'node:events';
  import { Worker } from 'node:worker_threads';
  import { cpuNsOfWorkers } from '@mk/node-kernel/io/dispatchers/cpu-time';
  const before = cpuNsOfWorkers();
  once(new Worker(${JSON.stringify(BUSY)}, { eval: true }), 'exit').then(() => {
    const after = cpuNsOfWorkers();
    const { user } = process.cpuUsage();
    while (process.cpuUsage().user < user + 400_000);
    console.log(JSON.stringify({ worker: after - before, main: cpuNsOfWorkers() - after }));
  });`;

// In a process of its own: in jest's, threads of jest and of earlier tests count, too.
test('a worker’s time counts, and that of the main thread does not', () => {
  const { outputFiles } = buildSync({
    stdin: { contents: MEASURED, resolveDir: import.meta.dirname },
    bundle: true,
    write: false,
    platform: 'node',
    conditions: ['@mk/source'],
  });
  const { stdout } = spawnSync(process.execPath, ['-'], { input: outputFiles[0]!.text, encoding: 'utf8' });
  const { worker, main } = JSON.parse(stdout) as { worker: number; main: number };
  expect(worker).toBeGreaterThan(150 * MS);
  expect(main).toBeLessThan(300 * MS);
});

test('another process’s time, and null once it is gone', async () => {
  const child = spawn(process.execPath, ['-e', `${BUSY} process.stdout.write('.'); setInterval(() => {}, 1000)`]);
  await once(child.stdout, 'data');
  expect(cpuNsOfProcess(child.pid!)).toBeGreaterThanOrEqual(250 * MS);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(cpuNsOfProcess(child.pid!)).toBeNull();
});
