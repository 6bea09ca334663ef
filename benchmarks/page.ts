import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Page } from 'playwright-core';
import { startBrowser, whyNoChromium } from '../test/page/browser.ts';
import { keep, median, spread } from './report.ts';

/**
 * A run of 256 simulated cores, recorded and replayed in headless Chromium: frames per second of wall time, and how
 *   long a frame holds the page's only thread, which does not depend on other users of the host. Then the heap, play
 *   after play. npm run bench -- page [PLAYS] [RECORDING]
 */
const PLAYS = Number(process.argv[2] ?? 5);
const CORES = 256;
const FRAMES_WANTED = 30;
const recording = process.argv[3] ?? join('dist', 'bench', `page-${CORES}.ndjson`);

const why = whyNoChromium();
if (why !== null) {
  process.stderr.write(`page: ${why}\n`);
  process.exit(2);
}
record();
const server = spawn('node', ['dist/mkctl.cjs', 'ui', '--replay', recording], { stdio: ['ignore', 'pipe', 'inherit'] });
const [url] = await new Promise<string[]>((resolve) =>
  createInterface(server.stdout).once('line', (line) => resolve([line])),
);
const browser = await startBrowser();
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
await page.goto(url!);
await page.locator('.core').first().waitFor();
await page.getByLabel('Tree of').selectOption('0');
const cores = await page.locator('.core').count();
const runs: PlayFigures[] = [];
for (let play = 0; play < PLAYS; play++) runs.push(await playOnce(page));
await browser.close();
server.kill();

const fps = runs.map((run) => run.framesPerSecond);
const frameMs = runs.map((run) => run.frameMs);
const heap = runs.map((run) => run.heapMiB);
process.stdout.write(
  [
    `replay of ${cores} simulated cores, ${runs.length} plays`,
    `  frames a second        ${spread(fps)}  (at least ${FRAMES_WANTED}: ${median(fps) >= FRAMES_WANTED ? 'held' : 'MISSED'})`,
    `  work of a frame, p95   ${spread(frameMs)} ms`,
    `  heap after each play   ${heap.map((mib) => mib.toFixed(1)).join(', ')} MiB`,
    '',
  ].join('\n'),
);
keep('page', { cores, runs });

interface PlayFigures {
  readonly framesPerSecond: number;
  readonly frameMs: number;
  readonly heapMiB: number;
}

/** Plays the recording from start to end, and counts. */
async function playOnce(page: Page): Promise<PlayFigures> {
  await page.getByRole('slider').fill('0');
  await page.getByRole('button', { name: 'Play' }).click();
  const figures = await page.evaluate(async () => {
    const { mkSession } = globalThis as unknown as { mkSession: { frames: number; frameTimes: number[] } };
    const [frames, startedAt] = [mkSession.frames, performance.now()];
    mkSession.frameTimes.length = 0;
    while (document.querySelector('.replay button')?.textContent === 'Pause')
      await new Promise((resolve) => setTimeout(resolve, 50));
    const times = [...mkSession.frameTimes].sort((a, b) => a - b);
    return {
      framesPerSecond: ((mkSession.frames - frames) * 1000) / (performance.now() - startedAt),
      frameMs: times[Math.floor(times.length * 0.95)] ?? 0,
    };
  });
  const client = await page.context().newCDPSession(page);
  await client.send('HeapProfiler.collectGarbage');
  const { usedSize } = await client.send('Runtime.getHeapUsage');
  return { ...figures, heapMiB: usedSize / 2 ** 20 };
}

function record(): void {
  if (existsSync(recording)) return;
  mkdirSync(dirname(recording), { recursive: true });
  const args = ['dist/mk-launch.cjs', 'sim', '--cores', String(CORES), '--seed', '7', '--once', '--for', '3s'];
  const { status } = spawnSync('node', [...args, '--record', recording], { stdio: 'inherit' });
  if (status !== 0) process.exit(1);
}
