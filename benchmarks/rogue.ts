import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BenchCluster, ended, startCluster } from './cluster.ts';
import { keep, report } from './report.ts';

/**
 * What a misbehaving monitor costs the others: revokes and retypes of three cores at once, in turns with and without a
 *   fourth that spams them; then as many malformed frames and messages as the others have refused, with their memory
 *   before and after. npm run bench -- rogue [runs] [malformed]
 */
const RUNS = Number(process.argv[2] ?? 5);
const MALFORMED = Number(process.argv[3] ?? 100_000);
const HONEST = [0, 1, 2];
const ROGUE = 3;
const WORK = { revokes: 60, retypes: 30 };
const SPAM = ['spam_remap', 'spam_retype', 'spam_revoke'] as const;
/**
 * One core sends garbage to this many others: each message costs it a link, which is then reopened. With a short lease
 * it would soon drop out of the view.
 */
const TARGETS = [0, 1, 2, 3, 4];

interface Offences {
  readonly offences: readonly { readonly peer: number; readonly offence: string; readonly count: number }[];
  readonly held: number;
}

/** Domains of each core: capabilities sent to a domain take slots that it must not need itself. */
interface Domains {
  readonly works: number;
  readonly receives: number;
}

/** Revokes and retypes per second, over all honest cores. */
async function work({ ask }: BenchCluster, domains: readonly Domains[]): Promise<number> {
  const startedAt = performance.now();
  await Promise.all(
    HONEST.map(async (core) => {
      const domain = domains[core]!.works;
      const peers = HONEST.flatMap((other) => (other === core ? [] : [other, domains[other]!.receives]));
      await ask(core, 'bench_revoke', { domain, peers, count: WORK.revokes, quiet_ms: 0 });
      await ask(core, 'bench_retype', { domain, peers, count: WORK.retypes });
    }),
  );
  // Retypes are measured twice: one after the other and all at once.
  return (HONEST.length * (WORK.revokes + 2 * WORK.retypes) * 1000) / (performance.now() - startedAt);
}

const offencesAt = (cluster: BenchCluster, cores: readonly number[]): Promise<readonly Offences[]> =>
  Promise.all(cores.map((core) => cluster.ask<Offences>(core, 'offences')));

async function atRest(cluster: BenchCluster): Promise<void> {
  while ((await offencesAt(cluster, HONEST)).some(({ held }) => held > 0)) await sleep(50);
}

async function spammed(cluster: BenchCluster, behaviour: string, domains: readonly Domains[]): Promise<number> {
  await cluster.ask(ROGUE, 'rogue', { behaviour });
  const done = await work(cluster, domains);
  await cluster.ask(ROGUE, 'rogue', { behaviour: 'none' });
  await atRest(cluster);
  return done;
}

/**
 * The loss caused by a process that takes a CPU and sends nothing: on this host the rogue and the others share CPUs.
 */
async function besideALoop(cluster: BenchCluster, domains: readonly Domains[]): Promise<number> {
  const loop = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
  const done = await work(cluster, domains);
  await ended(loop);
  return done;
}

async function measureSpam(): Promise<void> {
  const cluster = await startCluster(ROGUE + 1, { logLevel: 'off' });
  const domainOn = async (core: number): Promise<number> =>
    (await cluster.ask<{ domain: number }>(core, 'domain_create', { cnodes: 1 })).domain;
  const domains = await Promise.all(
    HONEST.map(async (core) => ({ works: await domainOn(core), receives: await domainOn(core) })),
  );
  for (let warm = 0; warm < 5; warm += 1) await work(cluster, domains);
  const rows = SPAM.map(() => ({ with: [] as number[], without: [] as number[], beside: [] as number[] }));
  for (let run = 0; run < RUNS; run += 1)
    for (const [i, behaviour] of SPAM.entries()) {
      if (run % 2 === 0) rows[i]!.without.push(await work(cluster, domains));
      rows[i]!.with.push(await spammed(cluster, behaviour, domains));
      rows[i]!.beside.push(await besideALoop(cluster, domains));
      if (run % 2 === 1) rows[i]!.without.push(await work(cluster, domains));
    }
  await cluster.stop();
  report(
    SPAM.flatMap((behaviour, i) => {
      const name = `revokes and retypes of three cores while a fourth is ${behaviour}`;
      const row = { unit: 'operations/s', ours: rows[i]!.with };
      return [
        {
          ...row,
          name: `${name}, against without`,
          baseline: rows[i]!.without,
          target: { kind: 'at least', ratio: 0.8 } as const,
        },
        { ...row, name: `${name}, against an endless loop in its place`, baseline: rows[i]!.beside, target: null },
      ];
    }),
    'rogue',
  );
}

function residentMiB(pid: number | undefined): number {
  const kib = /^VmRSS:\s+([0-9]+)/m.exec(readFileSync(`/proc/${pid ?? 0}/status`, 'utf8'))?.[1];
  return Math.round(Number(kib) / 1024);
}

async function measureGarbage(): Promise<void> {
  const cluster = await startCluster(TARGETS.length + 1, { logLevel: 'off', leaseMs: 60_000 });
  const memory = (): number[] => TARGETS.map((core) => residentMiB(cluster.cores[core]!.pid));
  const before = memory();
  const caught = async (): Promise<number> =>
    (await offencesAt(cluster, TARGETS))
      .flatMap(({ offences }) => offences)
      .filter(({ offence }) => offence === 'bad_frame' || offence === 'out_of_place')
      .reduce((sum, { count }) => sum + count, 0);
  const startedAt = performance.now();
  await cluster.ask(TARGETS.length, 'rogue', { behaviour: 'garbage' });
  let count = 0;
  const during: number[][] = [];
  for (let step = 1; step <= 4; step += 1) {
    while ((count = await caught()) < (MALFORMED * step) / 4) await sleep(200);
    during.push(memory());
  }
  const seconds = (performance.now() - startedAt) / 1000;
  await cluster.ask(TARGETS.length, 'rogue', { behaviour: 'none' });
  const lost = cluster.cores.filter(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null).length;
  const answer = await cluster.ask<{ p50: number }>(0, 'ping', { core: 1, count: 100, bytes: 64 });
  process.stdout.write(
    `${count} malformed frames and messages caught by five cores in ${seconds.toFixed(0)} s: ${lost} processes ended, a ping between two of them ${(answer.p50 / 1000).toFixed(0)} µs\n` +
      `  resident, MiB: ${[before, ...during].map((row) => row.join(' ')).join(' → ')}\n`,
  );
  if (lost > 0) process.exitCode = 1;
  keep('rogue-garbage', { malformed: count, seconds, lost, residentMiB: { before, during } });
  await cluster.stop();
}

if (RUNS > 0) await measureSpam();
if (MALFORMED > 0) await measureGarbage();
