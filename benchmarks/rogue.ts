import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BenchCluster, startCluster } from './cluster.ts';
import { keep, report } from './report.ts';

/**
 * What a misbehaving monitor costs the others: revokes and retypes of three cores at once before a fourth spams them,
 *   while it does, and once it has been put out of the view, each run on its own cluster; then as many malformed frames
 *   and messages as the others have refused, with their memory before and after. npm run bench -- rogue [runs]
 *   [malformed]
 */
const RUNS = Number(process.argv[2] ?? 5);
const MALFORMED = Number(process.argv[3] ?? 100_000);
const HONEST = [0, 1, 2];
const ROGUE = 3;
const WORK = { revokes: 10, retypes: 5 };
const QUIET_MS = 5000;
/** A view without the rogue is there long before that, so the throughput covers both parts. */
const SPAMMED_MS = 30_000;
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

interface Shown {
  readonly members: readonly { readonly core: number }[];
}

/** Domains of each core: capabilities sent to a domain take slots that it must not need itself. */
interface Domains {
  readonly works: number;
  readonly receives: number;
}

/** Revokes and retypes per second, over all honest cores, for this long at least. */
async function work({ ask }: BenchCluster, domains: readonly Domains[], leastMs: number): Promise<number> {
  const startedAt = performance.now();
  let done = 0;
  do {
    await Promise.all(
      HONEST.map(async (core) => {
        const domain = domains[core]!.works;
        const peers = HONEST.flatMap((other) => (other === core ? [] : [other, domains[other]!.receives]));
        // Retypes are measured twice: one after the other and all at once.
        if (await ended(ask(core, 'bench_revoke', { domain, peers, count: WORK.revokes, quiet_ms: 0 })))
          done += WORK.revokes;
        if (await ended(ask(core, 'bench_retype', { domain, peers, count: WORK.retypes }))) done += 2 * WORK.retypes;
      }),
    );
  } while (performance.now() < startedAt + leastMs);
  return (done * 1000) / (performance.now() - startedAt);
}

/** False: a view went on without the rogue meanwhile, so none of the batch counts. */
async function ended(batch: Promise<unknown>): Promise<boolean> {
  try {
    await batch;
    return true;
  } catch (error) {
    if (error instanceof Error && 'error' in error && error.error === 'PEER_GONE') return false;
    throw error;
  }
}

const offencesAt = (cluster: BenchCluster, cores: readonly number[]): Promise<readonly Offences[]> =>
  Promise.all(cores.map((core) => cluster.ask<Offences>(core, 'offences')));

interface SpamRun {
  readonly before: number;
  /** For `SPAMMED_MS` from when it begins, in the view or not. */
  readonly during: number;
  /** How much of that passed until the others had a view without it; null: they never had. */
  readonly outAfterMs: number | null;
  readonly after: number;
}

async function outAfter(cluster: BenchCluster): Promise<number | null> {
  const startedAt = performance.now();
  while (performance.now() < startedAt + SPAMMED_MS) {
    const views = await Promise.all(HONEST.map((core) => cluster.ask<Shown>(core, 'view')));
    if (views.every(({ members }) => members.every(({ core }) => core !== ROGUE))) return performance.now() - startedAt;
    await sleep(50);
  }
  return null;
}

async function spammed(behaviour: string): Promise<SpamRun> {
  const cluster = await startCluster(ROGUE + 1, { logLevel: 'off' });
  const domainOn = async (core: number): Promise<number> =>
    (await cluster.ask<{ domain: number }>(core, 'domain_create', { cnodes: 1 })).domain;
  const domains = await Promise.all(
    HONEST.map(async (core) => ({ works: await domainOn(core), receives: await domainOn(core) })),
  );
  await work(cluster, domains, QUIET_MS);
  const before = await work(cluster, domains, QUIET_MS);
  await cluster.ask(ROGUE, 'rogue', { behaviour });
  const out = outAfter(cluster);
  const during = await work(cluster, domains, SPAMMED_MS);
  const outAfterMs = await out;
  const after = await work(cluster, domains, QUIET_MS);
  await cluster.stop();
  return { before, during, outAfterMs, after };
}

async function measureSpam(): Promise<void> {
  const rows = SPAM.map((): SpamRun[] => []);
  for (let run = 0; run < RUNS; run += 1)
    for (const [i, behaviour] of SPAM.entries()) {
      const row = await spammed(behaviour);
      rows[i]!.push(row);
      const out = row.outAfterMs === null ? 'it stayed' : `out after ${(row.outAfterMs / 1000).toFixed(1)} s`;
      const [before, during, after] = [row.before, row.during, row.after].map((value) => value.toFixed(0));
      process.stdout.write(
        `${behaviour}: ${before}/s before, ${during}/s in 30 s from its begin, ${after}/s after; ${out}\n`,
      );
    }
  report(
    SPAM.flatMap((behaviour, i) => {
      const baseline = rows[i]!.map(({ before }) => before);
      const row = { unit: 'operations/s', baseline, target: { kind: 'at least', ratio: 0.8 } as const };
      const name = `revokes and retypes of three cores`;
      return [
        {
          ...row,
          name: `${name}, 30 s from when a fourth is ${behaviour}`,
          ours: rows[i]!.map(({ during }) => during),
        },
        { ...row, name: `${name}, after those, once it was ${behaviour}`, ours: rows[i]!.map(({ after }) => after) },
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
  const cluster = await startCluster(TARGETS.length + 1, { logLevel: 'off', leaseMs: 60_000, quarantine: 0 });
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
