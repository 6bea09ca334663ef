import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { progressText, runProgress } from '../src/commands/progress.ts';

const LAUNCHER = fileURLToPath(new URL('../../../dist/mk-launch.cjs', import.meta.url));

const FLIP = `import { program } from '@mk/libmk/program/program';

export const main = program({ name: 'flip' }, async (mk) => {
  const coin = mk.random();
  mk.console.log('coin ' + coin);
  mk.assert(coin < 0.5, 'the coin fell on its head');
  return 0;
});
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mk-jobs-'));
  writeFileSync(join(folder, 'flip.ts'), FLIP);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the built command; times and memory are removed from its output. */
function sim(...args: readonly string[]): { status: number | null; out: string; error: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [LAUNCHER, 'sim', ...args], {
    cwd: folder,
    encoding: 'utf8',
  });
  const out = stdout
    .replace(/ in [\d.]+ s; /, ' in T s; ')
    .replace(/; \d+ MB/, '; M MB')
    .replace(/"wall_seconds":[\d.]+/, '"wall_seconds":0');
  return { status, out, error: stderr };
}

describe('mk-launch sim --jobs', () => {
  test('prints what one process prints, seeds that fail included', () => {
    const flip = ['run', './flip.ts', '--seeds', '8', '--cores', '2', '--once'];
    const one = sim(...flip, '--json');
    expect(sim(...flip, '--json', '--jobs', '2')).toEqual(one);
    expect(one).toMatchObject({ status: 1, error: '' });
    const { failed, runs } = JSON.parse(one.out) as { failed: number[]; runs: { seed: number }[] };
    expect(failed.length).toBeGreaterThan(0);
    expect(runs.map(({ seed }) => seed)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const text = sim(...flip, '--jobs', '3');
    expect(text.out).toContain(`repeat: mk-launch sim run ./flip.ts --seed ${failed[0]} --cores 2`);
    expect(text.out).toBe(sim(...flip).out);
  });

  test('does so for the nemesis; the first seed is recorded as well', () => {
    const seeds = ['--seed', '7', '--seeds', '3', '--for', '500ms', '--once', '--json'];
    const one = sim(...seeds, '--record', 'one.ndjson');
    expect(one).toMatchObject({ status: 0, error: '' });
    expect(sim(...seeds, '--jobs', '2', '--record', 'two.ndjson')).toEqual(one);
    expect(readFileSync(join(folder, 'two.ndjson'), 'utf8')).toBe(readFileSync(join(folder, 'one.ndjson'), 'utf8'));
  });

  test.each([
    [['--jobs', '0', '--seeds', '2'], /--jobs must be a whole number from 1/],
    [['--jobs', 'many', '--seeds', '2'], /--jobs must be a whole number or auto/],
    [['--jobs', '2', '--seeds', '2', '--trace', 'x'], /without --jobs/],
    [['shootdown', '--jobs', '2'], /shootdown has none/],
    [['--job'], /--job is for the processes/],
  ])('%j is refused in one line', (args, message) => {
    const { status, error } = sim(...args);
    expect(error).toMatch(message);
    expect({ status, lines: error.trimEnd().split('\n').length }).toEqual({ status: 2, lines: 1 });
  });

  test('a process that dies is named with its seeds, and the others end', async () => {
    const args = ['sim', '--seeds', '10000', '--cores', '4', '--once', '--jobs', '2'];
    const parent = spawn(process.execPath, [LAUNCHER, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let error = '';
    parent.stderr.on('data', (chunk: Buffer) => void (error += chunk.toString()));
    await new Promise((resolve) => void parent.stdout.once('data', resolve));
    const children = await childrenOf(parent.pid, 2);
    process.kill(children[0]!, 'SIGKILL');
    const status = await new Promise((resolve) => void parent.once('close', resolve));
    expect(status).toBe(2);
    expect(error).toMatch(new RegExp(`job \\d \\(process ${children[0]}\\) was ended by SIGKILL; it had seed \\d+`));
    await gone(children);
  });

  test('a signal ends it and all its processes', async () => {
    const args = ['sim', '--seeds', '10000', '--cores', '4', '--once', '--jobs', '2'];
    const parent = spawn(process.execPath, [LAUNCHER, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
    await new Promise((resolve) => void parent.stdout.once('data', resolve));
    const children = await childrenOf(parent.pid, 2);
    parent.kill('SIGINT');
    expect(await new Promise((resolve) => void parent.once('exit', (_, signal) => resolve(signal)))).toBe('SIGINT');
    await gone(children);
  });
});

describe('progress', () => {
  test.each([
    [0, 500, 0, 900, '0 of 500 seeds, 0 failed'],
    [12, 500, 0, 1000, '12 of 500 seeds, 0 failed, done in about 41 s'],
    [100, 1000, 3, 60_000, '100 of 1000 seeds, 3 failed, done in about 9 min'],
    [1, 1000, 0, 36_000, '1 of 1000 seeds, 0 failed, done in about 10.0 h'],
    [1, 1, 0, 5, '1 of 1 seed, 0 failed'],
  ])('%d of %d', (done, of, failed, elapsedMs, text) => {
    expect(progressText(done, of, failed, elapsedMs)).toBe(text);
  });
});

/** The processes it started, once there are this many. */
async function childrenOf(pid: number | undefined, count: number): Promise<readonly number[]> {
  for (;;) {
    const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
    const pairs = stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number));
    const children = pairs.filter(([, parent]) => parent === pid).map(([child = 0]) => child);
    if (children.length >= count) return children;
    await new Promise((resolve) => void setTimeout(resolve, 50));
  }
}

/** Waits until none of them runs; an unreaped zombie counts as ended. */
async function gone(pids: readonly number[]): Promise<void> {
  for (;;) {
    const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,stat='], { encoding: 'utf8' });
    const running = stdout
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([pid, stat = 'Z']) => pids.includes(Number(pid)) && !stat.startsWith('Z'));
    if (running.length === 0) return;
    await new Promise((resolve) => void setTimeout(resolve, 50));
  }
}

test('a run that takes long says how far it is, each second', () => {
  let wall = 0;
  const told: string[] = [];
  const { step } = runProgress(
    (text) => void told.push(text),
    () => wall,
  );
  for (const [at, virtual] of [
    [900, 1e9],
    [1000, 2e9],
    [1900, 3e9],
    [2100, 4.5e9],
  ] as const) {
    wall = at;
    step?.({} as never, {} as never, virtual, virtual);
  }
  expect(told).toEqual(['2.0 s of virtual time', '4.5 s of virtual time']);
});
