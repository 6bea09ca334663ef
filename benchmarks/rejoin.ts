import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type { ClusterRecord } from '@mk/libmk/io/cluster-record';
import { accessOf, callControl } from '@mk/libmk/io/control-call';
import { ended } from './cluster.ts';
import { keep, spread } from './report.ts';

/**
 * A core of a large machine is killed and started again: until a view goes on without it, until the launcher says that it has joined, until
 * a view has it, until it may act. `rejoin 128 3`: cores, runs. With the default lease, which grows with the machine.
 */
const CORES = Number(process.argv[2] ?? 64);
const RUNS = Number(process.argv[3] ?? 3);
const LOOK_MS = 50;
const ANSWER_MS = 120_000;

interface CoreView {
  readonly members: readonly { readonly core: number }[];
  readonly fenced: boolean;
}

const state = mkdtempSync(join(tmpdir(), 'mk-rejoin-'));
const bootedAt = performance.now();
const launcher = spawn(process.execPath, [join('dist', 'mk-launch.cjs'), '--cores', String(CORES), '--json'], {
  env: { ...process.env, MK_STATE_DIR: state },
  stdio: ['ignore', 'pipe', 'ignore'],
});
for await (const line of createInterface({ input: launcher.stdout! })) if (line.includes('"type":"ready"')) break;
launcher.stdout!.resume();
const readyMs = performance.now() - bootedAt;
const record = (): ClusterRecord => JSON.parse(readFileSync(join(state, 'mk.json'), 'utf8')) as ClusterRecord;
const access = accessOf(record().secret, null);

function ask<T>(address: string, verb: string, args = {}): Promise<T> {
  return callControl(address, access, verb, args, { timeoutMs: ANSWER_MS }) as Promise<T>;
}

const processOf = (core: number) => record().processes.find(({ name }) => name === `core-${core}`);

/** Milliseconds since then, once a core's own word of its view is as wanted. */
async function until(core: number, wanted: (view: CoreView) => boolean, since: number): Promise<number> {
  for (;;) {
    const view = await ask<CoreView>(processOf(core)?.address ?? '', 'view').catch(() => null);
    if (view !== null && wanted(view)) return performance.now() - since;
    await pause(LOOK_MS);
  }
}

const has = (view: CoreView, core: number): boolean => view.members.some((member) => member.core === core);
const rows = { out: [] as number[], joined: [] as number[], inView: [] as number[], acts: [] as number[] };
await until(0, ({ members, fenced }) => members.length === CORES && !fenced, bootedAt);
process.stdout.write(`${CORES} cores: ready after ${Math.round(readyMs)} ms\n`);
for (let run = 0; run < RUNS; run += 1) {
  const victim = CORES - 2 - run;
  const killedAt = performance.now();
  process.kill(processOf(victim)!.pid, 'SIGKILL');
  rows.out.push(await until(0, (view) => !has(view, victim), killedAt));
  const startedAt = performance.now();
  const joined = ask(record().supervisor.address, 'restart', { target: victim }).then(() => performance.now());
  rows.inView.push(await until(0, (view) => has(view, victim), startedAt));
  rows.acts.push(await until(victim, (view) => has(view, victim) && !view.fenced, startedAt));
  rows.joined.push((await joined) - startedAt);
}
process.stdout.write(
  `killed: a view without it after ${spread(rows.out)} ms, ${RUNS} runs\n` +
    `started again: a view with it after ${spread(rows.inView)} ms; it acts after ${spread(rows.acts)}; the launcher has said so after ${spread(rows.joined)}\n`,
);
keep(`rejoin-${CORES}`, { readyMs, ...rows });
launcher.kill('SIGINT');
await ended(launcher);
