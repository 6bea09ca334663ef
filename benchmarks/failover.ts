import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ClusterRecord } from '@mk/libmk/io/cluster-record';
import { accessOf, callControl } from '@mk/libmk/io/control-call';
import { ended } from './cluster.ts';
import { keep, spread } from './report.ts';

/**
 * From the death or stop of a core to a view without it on every survivor, and how long rounds among the others stood
 *   still: npm run bench -- failover [cores] [runs] [lease in ms]
 * A core killed by SIGKILL is reaped and reported by the launcher; one stopped by SIGSTOP has to lose its lease.
 */
const CORES = Number(process.argv[2] ?? 5);
const RUNS = Number(process.argv[3] ?? 5);
const LEASE_MS = Number(process.argv[4] ?? 1500);
const LOOK_MS = 2;

interface CoreView {
  readonly members: readonly { readonly core: number }[];
  readonly fenced: boolean;
}

const state = mkdtempSync(join(tmpdir(), 'mk-failover-'));
const launcher = spawn(
  process.execPath,
  [join('dist', 'mk-launch.cjs'), '--cores', String(CORES), '--lease', `${LEASE_MS}ms`, '--json'],
  { env: { ...process.env, MK_STATE_DIR: state }, stdio: ['ignore', 'pipe', 'ignore'] },
);
await saidReady(launcher);
const access = accessOf(record().secret, null);

function record(): ClusterRecord {
  return JSON.parse(readFileSync(join(state, 'mk.json'), 'utf8')) as ClusterRecord;
}

function processOf(name: string): ClusterRecord['processes'][number] {
  const found = record().processes.find((row) => row.name === name);
  if (found === undefined) throw new Error(`${name} is not in the record`);
  return found;
}

async function saidReady(child: ChildProcess): Promise<void> {
  for await (const line of createInterface({ input: child.stdout! })) if (line.includes('"type":"ready"')) break;
  child.stdout!.resume();
}

function ask<T>(core: number, verb: string, args = {}): Promise<T> {
  return callControl(processOf(`core-${core}`).address, access, verb, args, { timeoutMs: 60_000 }) as Promise<T>;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves when each of these cores is in a view of exactly them, and may act; milliseconds elapsed. */
async function viewOf(cores: readonly number[], since: number): Promise<number> {
  const holds = async (core: number): Promise<boolean> => {
    const view = await ask<CoreView>(core, 'view').catch(() => null);
    return view !== null && !view.fenced && view.members.map((member) => member.core).join() === cores.join();
  };
  while (!(await Promise.all(cores.map(holds))).every(Boolean)) await pause(LOOK_MS);
  return performance.now() - since;
}

/** Rounds of the survivors in turn; the longest time between two that agreed. */
class Rounds {
  private last = performance.now();
  private longest = 0;
  private stopped = false;
  private readonly loop: Promise<void>;

  constructor(core: number) {
    this.loop = this.run(core);
  }

  async stop(): Promise<number> {
    this.stopped = true;
    await this.loop;
    return this.longest;
  }

  private async run(core: number): Promise<void> {
    while (!this.stopped) {
      const agreed = await ask(core, 'round', { plan: 'multicast', phases: 2, count: 1 }).then(
        () => true,
        () => false,
      );
      const now = performance.now();
      if (!agreed) continue;
      this.longest = Math.max(this.longest, now - this.last);
      this.last = now;
    }
  }
}

const all = Array.from({ length: CORES }, (_, core) => core);
const rows = { killed: [] as number[], killedStall: [] as number[], hung: [] as number[], hungStall: [] as number[] };
await viewOf(all, 0);
for (let run = 0; run < RUNS; run += 1)
  for (const how of ['killed', 'hung'] as const) {
    const victim = run % (CORES - 1);
    const others = all.filter((core) => core !== victim);
    const rounds = new Rounds(CORES - 1);
    await pause(300);
    const { pid } = processOf(`core-${victim}`);
    const since = performance.now();
    process.kill(pid, how === 'killed' ? 'SIGKILL' : 'SIGSTOP');
    rows[how].push(await viewOf(others, since));
    await pause(300);
    rows[`${how}Stall`].push(await rounds.stop());
    if (how === 'hung') process.kill(pid, 'SIGKILL');
    await callControl(record().supervisor.address, access, 'restart', { target: victim }, { timeoutMs: 60_000 });
    await viewOf(all, since);
  }
process.stdout.write(
  [
    `${CORES} cores, a lease of ${LEASE_MS} ms, ${RUNS} runs: median [least–most] ms`,
    `killed and reaped: a view without it on every survivor after ${spread(rows.killed)}; rounds stood still for ${spread(rows.killedStall)}`,
    `stopped: after ${spread(rows.hung)}; rounds stood still for ${spread(rows.hungStall)}`,
    '',
  ].join('\n'),
);
keep('failover', { cores: CORES, leaseMs: LEASE_MS, ...rows });
launcher.kill('SIGINT');
await ended(launcher);
