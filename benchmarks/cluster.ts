import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { accessOf, callControl } from '@mk/libmk/io/control-call';
import type { TlsSettings } from '@mk/monitor-proto/io/tls';

/** Longer than any measurement. */
const LONGEST_MS = 600_000;
/** Longer than the boot of a large machine on a busy host. */
const JOIN_MS = 600_000;

/** A cluster of real processes for a measurement, with as little around it as possible. */
export interface BenchCluster {
  readonly cores: readonly ChildProcess[];
  readonly skb: ChildProcess;
  readonly skbAddress: string;
  readonly bootMs: number;
  /** Sends a verb to a core (by id) or to the SKB. */
  ask<T>(target: number | 'skb', verb: string, args?: Readonly<Record<string, unknown>>): Promise<T>;
  stop(): Promise<void>;
}

export interface ClusterOptions {
  readonly logLevel?: 'debug' | 'info' | 'off';
  readonly links?: Readonly<Record<string, unknown>>;
  readonly measure?: boolean;
  readonly machine?: unknown;
  /** Wall time per unit of the machine's time, with its messages' occupancy; absent: links are unshaped. */
  readonly occupied?: number;
  /** After this long without reaching a majority a core is left out of the view; default: short. */
  readonly leaseMs?: number;
  /** This many proven offences expel a core from the view; 0: nobody is expelled. */
  readonly quarantine?: number;
  /** Hex; default: random. */
  readonly secret?: string;
  readonly dataDir?: string;
  /** Links use Unix sockets in this folder; absent: TCP. */
  readonly socketDir?: string;
  /** Each process in its own session, as the launcher starts them: a scheduler shares a busy host among sessions. */
  readonly detached?: boolean;
  /** How many cores join at a time once all have started; for measuring something other than boot on a busy host. */
  readonly wave?: number;
  /** TLS credentials by process name; absent: no TLS. */
  readonly credentials?: (name: string) => TlsSettings;
}

const dist = join(process.cwd(), 'dist');

/** Boots `n` cores; resolves when they are fully meshed. */
export async function startCluster(n: number, options: ClusterOptions = {}): Promise<BenchCluster> {
  const { logLevel = 'info', links = {}, measure = false, machine = null } = options;
  const secret = options.secret ?? randomBytes(32).toString('hex');
  const data = options.dataDir === undefined ? {} : { dataDir: options.dataDir };
  const sockets = options.socketDir === undefined ? {} : { socketDir: options.socketDir };
  const common = {
    cluster: 'bench',
    secret,
    listenHost: '127.0.0.1',
    listenPort: 0,
    logLevel,
    detached: false,
    ...sockets,
  };
  const startedAt = performance.now();
  const isApart = options.detached === true;
  const secured = (name: string): object =>
    options.credentials === undefined ? {} : { tls: options.credentials(name) };
  const skb = start(isApart, 'skb', 'MK_SKB', {
    ...common,
    ...secured('skb'),
    expectedCores: n,
    maxCores: n,
    seed: 'bench',
    links,
    timeScale: options.occupied ?? 0,
    ...(options.occupied === undefined ? {} : { occupancy: true }),
    ...(options.leaseMs === undefined ? {} : { leaseMs: options.leaseMs }),
    ...(options.quarantine === undefined ? {} : { quarantine: options.quarantine }),
    measure,
    machineFollows: machine !== null,
    ...data,
  });
  if (machine !== null) skb.send({ type: 'machine', machine });
  const cores = Array.from({ length: n }, (_, core) =>
    start(isApart, 'core', 'MK_CORE', { ...common, ...secured(`core-${core}`), core, skb: null, joinMs: JOIN_MS }),
  );
  const addresses = cores.map((core) => messageOf(core, 'listening'));
  const meshed = messageOf(skb, 'mesh_complete');
  const skbListens = await messageOf(skb, 'listening');
  const skbAddress = skbListens.address as string;
  if (options.wave !== undefined) await Promise.all(addresses);
  await joinInWaves(cores, (skbListens.links as string | undefined) ?? skbAddress, options.wave ?? n);
  await meshed;
  const bootMs = performance.now() - startedAt;
  const known = (await Promise.all(addresses)).map((message) => message.address as string);
  const access = accessOf(secret, options.credentials?.('client') ?? null);
  return {
    cores,
    skb,
    skbAddress,
    bootMs,
    async ask<T>(target: number | 'skb', verb: string, args = {}) {
      const address = target === 'skb' ? skbAddress : known[target]!;
      return (await callControl(address, access, verb, args, { timeoutMs: LONGEST_MS })) as T;
    },
    async stop() {
      await Promise.all([...cores, skb].map((child) => ended(child)));
    },
  };
}

/** All cores take part in a round of core 0: the first view has its lease, and the links that it needs are open. */
export async function firstRound(cluster: BenchCluster): Promise<void> {
  for (;;) {
    const round = await cluster.ask<{ readonly cores: number }>(0, 'round').catch(() => ({ cores: 0 }));
    if (round.cores === cluster.cores.length) return;
    await pause(5);
  }
}

/** Tells the cores where the SKB is, each wave once the previous one has registered. */
async function joinInWaves(cores: readonly ChildProcess[], address: string, wave: number): Promise<void> {
  for (let first = 0; first < cores.length; first += wave) {
    const group = cores.slice(first, first + wave);
    const registered = Promise.all(group.map((core) => messageOf(core, 'registered')));
    for (const core of group) core.send({ type: 'skb', address });
    await registered;
  }
}

/** The next IPC message of a type. */
export function messageOf(child: ChildProcess, type: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const exited = (code: number | null): void =>
      reject(new Error(`a process ended with status ${code} before it said "${type}"`));
    const listen = (message: unknown): void => {
      if ((message as { type?: unknown }).type !== type) return;
      child.off('message', listen);
      child.off('exit', exited);
      resolve(message as Record<string, unknown>);
    };
    child.on('message', listen);
    child.once('exit', exited);
  });
}

/** Ends a child; resolves when it is gone. */
export function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}

/** Resident and proportional memory of a process, in MiB. */
export function memoryMib(child: ChildProcess): { rss: number; pss: number } {
  const text = readFileSync(`/proc/${child.pid}/smaps_rollup`, 'utf8');
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) / 1024;
  return { rss: field('Rss'), pss: field('Pss') };
}

/** Starts a baseline program of benchmarks/baseline. */
export function startBaseline(name: string, args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [join(process.cwd(), 'benchmarks', 'baseline', name), ...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

/**
 * Starts bare processes; resolves with the time until the last has reported. In their own sessions, like the
 * launcher's: on a busy host the scheduler gives each session a share, so both sides must have equally many.
 */
export async function startBareProcesses(n: number): Promise<number> {
  const startedAt = performance.now();
  const children = Array.from({ length: n }, () =>
    spawn(process.execPath, ['-e', 'process.send(1); process.on("message", () => {})'], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      detached: true,
    }),
  );
  await Promise.all(children.map((child) => new Promise((resolve) => child.once('message', resolve))));
  const elapsed = performance.now() - startedAt;
  await Promise.all(children.map((child) => ended(child)));
  return elapsed;
}

function start(detached: boolean, program: string, variable: string, settings: unknown): ChildProcess {
  const env = { ...process.env, [variable]: JSON.stringify(settings) };
  return spawn(process.execPath, [join(dist, `boot-${program}.cjs`)], {
    env,
    detached,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}
