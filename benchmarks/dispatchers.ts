/**
 * The cost of dispatchers against bare mechanisms: a start against a worker that only reports that it runs, a call
 * within a turn against a round trip over Atomics.wait, a call and its reply against an echo over a MessagePort. Ours
 * goes through a core's whole kernel. Also: the simulator's turns per second, run time by weight, and the effect of
 * endless loops on a ping.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { ControlReply } from '@mk/monitor-proto/step';
import { nowNs } from '@mk/monitor-proto/io/clock';
import { hmacSha256 } from '@mk/monitor-proto/io/crypto';
import { LONGEST_TIMEOUT_MS } from '@mk/monitor-proto/io/long-timer';
import type { KernelEffect, KernelEvent } from '@mk/node-kernel/effects';
import { DispatcherHost } from '@mk/node-kernel/io/dispatchers/dispatcher-host';
import { WorkerVessels } from '@mk/node-kernel/io/dispatchers/worker-vessel';
import { Kernel } from '@mk/node-kernel/kernel';
import { fastMac } from '@mk/sim/engine/fast-mac';
import { flatMachine } from '@mk/sim/engine/machines';
import { Simulation } from '@mk/sim/engine/simulation';
import { VmPrograms } from '@mk/sim/programs/io/vm-programs';
import { startCluster } from './cluster.ts';
import { type Figure, keep, median, report, timed } from './report.ts';

const RUNS = Number(process.argv[2] ?? 5);
const TRIPS = 5000;
const dist = join(process.cwd(), 'dist');
const contextText = readFileSync(join(dist, 'dispatcher-context.js'), 'utf8');
/** Imported unbundled, because it finds the project's files relative to itself. */
const bundler = (await import(pathToFileURL(join(process.cwd(), 'scripts/bundle-program.mjs')).href)) as {
  readonly programTextOf: (contents: string) => Promise<string>;
};

const program = (body: string): Promise<string> =>
  bundler.programTextOf(
    `import { start } from './test/programs/bare-runtime.ts';\nstart(async (mk) => {\n${body}\n});`,
  );

/** One core's kernel without links, in this process, with worker threads for its dispatchers. */
class LoneCore {
  readonly kernel: Kernel;
  /** Events of one type: how many, and when. */
  seen = { type: '' as string, first: 0, last: 0, count: 0 };
  private readonly host: DispatcherHost;
  private timer: NodeJS.Timeout | null = null;
  private asked = 0;
  private readonly replies = new Map<number, (reply: ControlReply) => void>();
  private readonly queue: KernelEvent[] = [];
  private busy = false;

  constructor() {
    this.kernel = new Kernel({
      cluster: 'bench',
      secret: new Uint8Array(32),
      instance: '00'.repeat(16),
      wantedCore: 0,
      skbAddress: '127.0.0.1:1',
      address: '127.0.0.1:2',
      entropy: new Uint8Array(32),
      hmac: hmacSha256,
      logLevel: 'off',
    });
    this.kernel.monitor.context.core = 0;
    this.kernel.cpuDriver.boot(0, 64 << 20);
    const vessels = new WorkerVessels({ script: join(dist, 'dispatcher-worker.cjs'), contextText: () => contextText });
    this.host = new DispatcherHost(vessels, (event) => this.post(event));
  }

  post(event: KernelEvent): void {
    const { seen } = this;
    if (event.type === seen.type) {
      seen.count += 1;
      // After a fifth of the trips code and thread are warm.
      if (seen.count <= TRIPS / 5) seen.first = performance.now();
      seen.last = performance.now();
    }
    this.queue.push(event);
    if (this.busy) return;
    this.busy = true;
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift())
      for (const effect of this.kernel.step(next, nowNs())) this.perform(effect);
    this.busy = false;
  }

  ask<T>(verb: string, args: Readonly<Record<string, unknown>> = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      this.asked += 1;
      this.replies.set(this.asked, (reply) => (reply.ok ? resolve(reply.value as T) : reject(new Error(reply.text))));
      this.post({ type: 'control_request', id: this.asked, request: { verb, args } });
    });
  }

  async load(name: string, text: string): Promise<void> {
    await this.ask('program_load', { name, text: Buffer.from(text).toString('base64') });
  }

  async run(name: string, args: readonly string[] = []): Promise<void> {
    const { domain } = await this.ask<{ domain: string }>('domain_spawn', { program: name, args });
    const { cause, text } = await this.ask<{ cause: string; text: string }>('domain_wait', { domain });
    if (cause !== 'exited') throw new Error(`${name} ended with ${cause}: ${text}`);
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.host.close();
  }

  private perform(effect: KernelEffect): void {
    if (effect.type === 'control_reply') this.replies.get(effect.id)?.(effect.reply);
    else if (effect.type === 'set_timer') {
      if (this.timer !== null) clearTimeout(this.timer);
      const pauseMs = Math.min(LONGEST_TIMEOUT_MS, Math.max(0, (effect.at - nowNs()) / 1e6));
      this.timer = setTimeout(() => this.post({ type: 'timer_fired' }), pauseMs);
    } else if (effect.type in this.host.performers)
      (this.host.performers as Record<string, (given: unknown) => void>)[effect.type]!(effect);
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** From `new Worker` to its first message, in milliseconds. */
async function bareStart(): Promise<number> {
  const file = join(dist, 'bench', 'bare-worker.cjs');
  writeFileSync(file, `require('node:worker_threads').parentPort.postMessage(0);`);
  const startedAt = performance.now();
  const worker = new Worker(file);
  await new Promise((resolve) => worker.once('message', resolve));
  const took = performance.now() - startedAt;
  await worker.terminate();
  return took;
}

/** From the spawn to the program's first system call, with or without a spare worker, in milliseconds. */
async function ourStart(core: LoneCore, text: string, spare: boolean): Promise<number> {
  if (spare) await pause(600);
  await core.load('starts', text);
  core.seen = { type: 'dispatcher_turn', first: 0, last: 0, count: 0 };
  const startedAt = performance.now();
  await core.run('starts');
  return core.seen.last - startedAt;
}

/** Microseconds between successive calls, or turns, of a program, as its core sees them. */
async function perCall(core: LoneCore, name: string, type: 'dispatcher_call' | 'dispatcher_turn'): Promise<number> {
  core.seen = { type, first: 0, last: 0, count: 0 };
  await core.run(name, [String(TRIPS)]);
  const { first, last, count } = core.seen;
  return ((last - first) / (count - TRIPS / 5)) * 1000;
}

/** A worker that asks over a port and waits in Atomics.wait; microseconds per round trip. */
async function bareAtomics(): Promise<number> {
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(
    `const { workerData: { shared, trips }, parentPort } = require('node:worker_threads');
     const ask = (n) => { for (let i = 0; i < n; i++) { Atomics.store(shared, 0, 1); parentPort.postMessage(new Uint8Array(8)); Atomics.wait(shared, 0, 1); } };
     ask(trips / 5); const t = process.hrtime.bigint(); ask(trips); parentPort.postMessage(Number(process.hrtime.bigint() - t) / 1e3 / trips);`,
    { eval: true, workerData: { shared, trips: TRIPS } },
  );
  return new Promise((resolve) =>
    worker.on('message', (message: unknown) => {
      if (typeof message === 'number') return resolve(message);
      Atomics.store(shared, 0, 0);
      Atomics.notify(shared, 0);
    }),
  );
}

/** An echo over a MessagePort; microseconds per round trip. */
async function bareEcho(): Promise<number> {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(
    `require('node:worker_threads').workerData.on('message', function (m) { this.postMessage(m); });`,
    {
      eval: true,
      workerData: port2,
      transferList: [port2],
    },
  );
  const trips = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      port1.postMessage(new Uint8Array(64));
      await new Promise((resolve) => port1.once('message', resolve));
    }
  };
  await trips(TRIPS / 5);
  const startedAt = performance.now();
  await trips(TRIPS);
  const took = ((performance.now() - startedAt) / TRIPS) * 1000;
  await worker.terminate();
  return took;
}

/**
 * The simulator's turns per second of processor time: on each of four cores, a program that makes one call per turn.
 */
async function simulatedTurns(): Promise<number> {
  const s = new Simulation({
    seed: 1,
    cores: 4,
    machine: flatMachine(),
    hmac: fastMac,
    logLevel: 'off',
    hash: false,
    programs: new VmPrograms(contextText),
  });
  s.start();
  s.run(2e9);
  const text = Buffer.from(await program(`for (;;) await mk.call('nop');`)).toString('base64');
  for (let core = 0; core < 4; core++) {
    s.control(core, 'program_load', { name: 'p', text }, () => undefined);
    s.control(core, 'domain_spawn', { program: 'p' }, () => undefined);
  }
  s.run(s.now + 0.1e9);
  const startedAt = performance.now();
  const warm = (): boolean => performance.now() - startedAt > 1000;
  s.run(s.now + 10e9, warm);
  const before = s.programs.turns;
  const { cpuMs } = timed(() => s.run(s.now + 10e9, () => performance.now() - startedAt > 3000));
  return (s.programs.turns - before) / (cpuMs / 1000);
}

const CLUSTER = 2;

/** On a running cluster: the largest deviation of run time from the weights 1, 2 and 4, over ten seconds. */
async function unfairness(): Promise<number> {
  const cluster = await startCluster(CLUSTER, { logLevel: 'off' });
  const text = await program(`for (;;) { for (let i = 0; i < 2e5; i++) Math.sqrt(i); await mk.call('nop'); }`);
  await cluster.ask(1, 'program_load', { name: 'p', text: Buffer.from(text).toString('base64') });
  const domains: string[] = [];
  for (const weight of [1, 2, 4])
    domains.push((await cluster.ask<{ domain: string }>(1, 'domain_spawn', { program: 'p', weight })).domain);
  type Row = { readonly domain: string; readonly run_ns: number };
  const runTimes = async (): Promise<number[]> => {
    const rows = await cluster.ask<Row[]>(1, 'dispatchers');
    return domains.map((domain) => rows.find((row) => row.domain === domain)!.run_ns);
  };
  await pause(1000);
  const before = await runTimes();
  await pause(10_000);
  const had = (await runTimes()).map((ns, i) => ns - before[i]!);
  await cluster.stop();
  const total = had.reduce((a, b) => a + b, 0);
  return Math.max(...[1, 2, 4].map((weight, i) => Math.abs(had[i]! / total / (weight / 7) - 1)));
}

/** The ping’s p99 with and without an endless loop on each core; microseconds. */
async function pingsBesideLoops(): Promise<{ readonly alone: number; readonly beside: number }> {
  const cluster = await startCluster(CLUSTER, { logLevel: 'off' });
  const ping = async (): Promise<number> =>
    (await cluster.ask<{ p99: number }>(0, 'ping', { core: 1, count: 1500, bytes: 64, pause_us: 1000 })).p99 / 1000;
  await ping();
  const alone = await ping();
  const text = Buffer.from(await program(`for (;;);`)).toString('base64');
  for (let core = 0; core < CLUSTER; core++) {
    await cluster.ask(core, 'program_load', { name: 'loop', text });
    await cluster.ask(core, 'domain_spawn', { program: 'loop' });
  }
  await pause(300);
  const beside = await ping();
  await cluster.stop();
  return { alone, beside };
}

const hello = await program(`mk.exit(0);`);
const core = new LoneCore();
await core.load('now', await program(`for (let i = 0; i < Number(mk.run.args[0]); i++) mk.now('nop'); mk.exit(0);`));
await core.load(
  'async',
  await program(`for (let i = 0; i < Number(mk.run.args[0]); i++) await mk.call('nop'); mk.exit(0);`),
);

const figures: { [K in 'start' | 'spare' | 'now' | 'async']: { ours: number[]; baseline: number[] } } = {
  start: { ours: [], baseline: [] },
  spare: { ours: [], baseline: [] },
  now: { ours: [], baseline: [] },
  async: { ours: [], baseline: [] },
};
for (let run = 0; run < RUNS; run++) {
  const lone = new LoneCore();
  figures.start.baseline.push(await bareStart());
  figures.start.ours.push(await ourStart(lone, hello, false));
  figures.spare.baseline.push(await bareStart());
  figures.spare.ours.push(await ourStart(lone, hello, true));
  lone.close();
  figures.now.baseline.push(await bareAtomics());
  figures.now.ours.push(await perCall(core, 'now', 'dispatcher_call'));
  figures.async.baseline.push(await bareEcho());
  figures.async.ours.push(await perCall(core, 'async', 'dispatcher_turn'));
}
core.close();
const pings: { readonly alone: number; readonly beside: number }[] = [];
for (let run = 0; run < Math.min(3, RUNS); run++) pings.push(await pingsBesideLoops());
const rows: Figure[] = [
  {
    name: 'a dispatcher started, to the end of its first turn, against a bare worker’s first word',
    unit: 'ms',
    ...figures.start,
    target: { kind: 'at most', ratio: 1.3 },
  },
  { name: '… from a spare worker', unit: 'ms', ...figures.spare, target: { kind: 'at most', ratio: 0.15 } },
  {
    name: 'a call within the turn, against a bare round trip over Atomics.wait',
    unit: 'µs',
    ...figures.now,
    target: { kind: 'at most', ratio: 1.3 },
  },
  {
    name: 'a call and its reply, against an echo over a bare MessagePort',
    unit: 'µs',
    ...figures.async,
    target: { kind: 'at most', ratio: 1.3 },
  },
  {
    name: 'p99 of a ping with an endless loop on each of two cores, against without',
    unit: 'µs',
    ours: pings.map(({ beside }) => beside),
    baseline: pings.map(({ alone }) => alone),
    target: { kind: 'at most', ratio: 2 },
  },
];
report(rows, 'dispatchers');
const turns: number[] = [];
for (let run = 0; run < RUNS; run++) turns.push(await simulatedTurns());
const unfair = await unfairness();
process.stdout.write(
  `turns of programs a second of processor time in the simulator: ${Math.round(median(turns))} of ${turns.map(Math.round).join(', ')} (at least 100,000)\n`,
);
process.stdout.write(
  `run time by weights 1, 2, 4 over 10 s: off by ${(100 * unfair).toFixed(1)} % at most (at most 5 %)\n`,
);
keep('dispatchers-more', { turnsASecond: turns, unfairness: unfair });
process.exit(0);
