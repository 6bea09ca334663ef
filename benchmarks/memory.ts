/**
 * The cost of memory, side by side: accesses through the TLB, a view and bulk copies against typed arrays in one
 *   process; a page held elsewhere against URPC round trips and rounds between processes. npm run bench -- memory
 *   [runs]
 */
import { join } from 'node:path';
import { makeFrameView, PAGE_BYTES, PAGE_STATES } from '@mk/libmk/dispatcher/frame-view';
import { Memory } from '@mk/libmk/memory/memory';
import { programText } from '../scripts/bundle-program.mjs';
import { startCluster } from './cluster.ts';
import { report } from './report.ts';

const RUNS = Number(process.argv[2] ?? 5);
const PAGES = 64;
const BYTES = PAGES * PAGE_BYTES;
const WORDS = BYTES / 8;
const SWEEPS = 60;
/** Of 64 pages each. */
const TIMED_SWEEPS = 16;
const RESTED_SWEEPS = 2;
/** Until cores have compiled what a ping and a round take. */
const WARM_PINGS = 4000;
const WARM_ROUNDS = 2000;
const CORES = 4;
/** How long the dispatchers rest before each miss of a row. */
const REST_NS = 4_000_000;

const frame = makeFrameView(PAGES);
new Int32Array(frame.words).fill(PAGE_STATES.modified, 0, PAGES);
const memory = new Memory({
  fault: (address) => Promise.resolve({ frame, page: Math.floor(address / PAGE_BYTES), rights: 3 }),
});
const plain = new Float64Array(new SharedArrayBuffer(BYTES));
const source = new Uint8Array(BYTES).fill(3);
const target = new Uint8Array(new SharedArrayBuffer(BYTES));
/** Keeps results from being optimized away. */
let sink = 0;

function timed(sweep: () => void): number {
  const begun = performance.now();
  for (let i = 0; i < SWEEPS; i += 1) sweep();
  return ((performance.now() - begun) * 1e6) / (SWEEPS * WORDS);
}

async function timedBulk(sweep: () => Promise<void> | void): Promise<number> {
  const begun = performance.now();
  for (let i = 0; i < SWEEPS; i += 1) await sweep();
  return (SWEEPS * BYTES) / (performance.now() - begun) / 1e6; // GB/s
}

async function viewed(): Promise<number> {
  const begun = performance.now();
  for (let i = 0; i < SWEEPS; i += 1)
    for (let at = 0; at < BYTES; at += PAGE_BYTES) {
      const { buffer, byteOffset } = await memory.view(at, PAGE_BYTES, 'read');
      const words = new Float64Array(buffer, byteOffset, PAGE_BYTES / 8);
      for (let word = 0; word < words.length; word += 1) sink += words[word] ?? 0;
      memory.release();
    }
  return ((performance.now() - begun) * 1e6) / (SWEEPS * WORDS);
}

const rows: Record<string, number[]> = {};
const note = (name: string, value: number): void => void (rows[name] ??= []).push(value);

for (let at = 0; at < BYTES; at += PAGE_BYTES) await memory.storeFloat64(at, 1);
for (let run = -1; run < RUNS; run += 1) {
  const local = {
    array: timed(() => {
      for (let word = 0; word < WORDS; word += 1) sink += plain[word] ?? 0;
    }),
    load: timed(() => {
      for (let at = 0; at < BYTES; at += 8) sink += Number(memory.loadFloat64(at));
    }),
    arrayStore: timed(() => {
      for (let word = 0; word < WORDS; word += 1) plain[word] = word;
    }),
    store: timed(() => {
      for (let at = 0; at < BYTES; at += 8) void memory.storeFloat64(at, at);
    }),
    view: await viewed(),
    set: await timedBulk(() => target.set(source)),
    bulk: await timedBulk(() => memory.write(0, source)),
  };
  if (run >= 0) for (const [name, value] of Object.entries(local)) note(name, value);
}

const cluster = await startCluster(CORES);
const text = await programText(join(process.cwd(), 'packages/programs/src/tests/memory-bench.ts'));
await cluster.ask(0, 'program_load', { name: 'memory-bench', text: Buffer.from(text).toString('base64') });

async function miss(part: string, sweeps = TIMED_SWEEPS, pauseNs = 0): Promise<number> {
  const args = [part, String(sweeps), String(pauseNs)];
  const { domain } = await cluster.ask<{ domain: string }>(0, 'domain_spawn', {
    program: 'memory-bench',
    core: 0,
    args,
  });
  const ended = await cluster.ask<{ cause: string; status: number; text: string }>(0, 'domain_wait', {
    domain,
  });
  if (ended.cause !== 'exited') throw new Error(`${part}: ${ended.cause} ${ended.text}`);
  return ended.status;
}

await cluster.ask(1, 'ping', { core: 0, count: WARM_PINGS, bytes: PAGE_BYTES });
await cluster.ask(0, 'round', { plan: 'unicast', phases: 1, count: WARM_ROUNDS });
for (let run = 0; run < RUNS; run += 1) {
  const ping = await cluster.ask<{ p50: number }>(1, 'ping', { core: 0, count: 500, bytes: PAGE_BYTES });
  const round = await cluster.ask<{ p50: number }>(0, 'round', { plan: 'unicast', phases: 1, count: 100 });
  note('ping', ping.p50);
  note('round', ping.p50 + 1.3 * round.p50);
  for (const part of ['clean', 'dirty', 'upgrade']) note(part, await miss(part));
  note('rested', await miss('clean', RESTED_SWEEPS, REST_NS));
}
await cluster.stop();

const of = (name: string, scale = 1): number[] => (rows[name] ?? []).map((value) => value / scale);
const figure = (
  name: string,
  unit: string,
  ours: string,
  baseline: string,
  kind: 'at most' | 'at least',
  ratio: number,
  scale = 1,
) => ({
  name,
  unit,
  ours: of(ours, scale),
  baseline: of(baseline, scale),
  target: { kind, ratio },
});
report(
  [
    figure('a load of 8 bytes through the TLB, against a typed array', 'ns', 'load', 'array', 'at most', 20),
    figure('a store of 8 bytes through the TLB, against a typed array', 'ns', 'store', 'arrayStore', 'at most', 20),
    figure('8 bytes through a view, against a typed array', 'ns', 'view', 'array', 'at most', 1.2),
    figure('a bulk copy by pages, against one `set`', 'GB/s', 'bulk', 'set', 'at least', 0.65),
    figure(
      'a clean page from its home, against a URPC round trip of 4 KiB',
      'µs',
      'clean',
      'ping',
      'at most',
      1.5,
      1000,
    ),
    figure('… by a dispatcher that was at rest for 4 ms', 'µs', 'rested', 'ping', 'at most', 1.5, 1000),
    figure('a page that another core has written, against the same', 'µs', 'dirty', 'ping', 'at most', 2.5, 1000),
    figure(
      'a write to a page that three read, against a round trip and 1.3 rounds',
      'µs',
      'upgrade',
      'round',
      'at most',
      1,
      1000,
    ),
  ],
  'memory',
);
process.stdout.write(sink === 0.5 ? '\n' : '');
