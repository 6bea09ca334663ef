import { setTimeout as sleep } from 'node:timers/promises';
import { ROGUE_BEHAVIOUR_NAMES, type RogueBehaviour } from '@mk/monitor-proto/rogue-behaviours';
import { audit } from '../packages/launcher/src/client/audit.ts';
import { type BenchCluster, startCluster } from './cluster.ts';
import { keep } from './report.ts';

/**
 * Whether a misbehaving monitor is expelled from the view, how soon, and nobody else: meanwhile random capability
 * operations on the others, which are audited afterwards. Each run has another number of cores, and another one of them
 * misbehaves.
 *
 *   npm run bench -- quarantine [runs] [behaviour,…] [lease, ms] [first run]
 */
const RUNS = Number(process.argv[2] ?? 3);
const BEHAVIOURS = ROGUE_BEHAVIOUR_NAMES.filter(
  (name) => (process.argv[3] ?? 'all') === 'all' || process.argv[3]!.split(',').includes(name),
);
const LEASE_MS = Number(process.argv[4] ?? 3000);
const FIRST = Number(process.argv[5] ?? 0);
const CORES = [4, 5, 6, 7, 8];
const CHURN_S = 8;
const BEFORE_S = 3;
/** It must be out within so many leases. */
const LEASES = 5;

interface Shown {
  readonly view: number;
  readonly members: readonly { readonly core: number }[];
  readonly accused: readonly { readonly core: number; readonly by: readonly number[] }[];
}

interface Offences {
  readonly offences: readonly {
    readonly peer: number;
    readonly offence: string;
    readonly count: number;
    readonly proof: boolean;
    readonly text: string;
  }[];
}

interface Outcome {
  readonly behaviour: RogueBehaviour;
  readonly cores: number;
  readonly rogue: number;
  /** Null: it stayed. */
  readonly outAfterMs: number | null;
  readonly offences: readonly string[];
  /** Successful operations of the others per second: before, and from a second before it misbehaves on. */
  readonly before: number;
  readonly beside: number;
  readonly wrong: readonly string[];
}

const isUp = (cluster: BenchCluster, core: number): boolean =>
  cluster.cores[core]!.exitCode === null && cluster.cores[core]!.signalCode === null;

/** Runs random operations in a domain on each core until their time is over; returns the oracles' objections. */
async function churn(
  { ask }: BenchCluster,
  cores: readonly number[],
  seed: number,
  seconds: number,
): Promise<{ ok: number; wrong: string[] }> {
  const domains = await Promise.all(
    cores.map(
      async (core) => (await ask<{ domain: number }>(core, 'domain_create', { cnodes: 1, memory: 4 << 20 })).domain,
    ),
  );
  const peers = cores.flatMap((core, i) => [core, domains[i]!]);
  const reports = await Promise.all(
    cores.map((core, i) =>
      ask<{ ok: number; wrong: readonly string[] }>(core, 'churn', {
        domain: domains[i],
        peers,
        seconds,
        operations: 1_000_000,
        seed,
      }).catch((error: Error) => ({ ok: 0, wrong: [`core ${core}: ${error.message}`] })),
    ),
  );
  return { ok: reports.reduce((sum, { ok }) => sum + ok, 0), wrong: reports.flatMap(({ wrong }) => wrong) };
}

/** How long until every other core has a view without this one; null: it stays. */
async function outAfter(cluster: BenchCluster, rogue: number, honest: readonly number[]): Promise<number | null> {
  const startedAt = performance.now();
  while (performance.now() < startedAt + LEASES * LEASE_MS) {
    const views = await Promise.all(honest.map((core) => cluster.ask<Shown>(core, 'view').catch(() => null)));
    if (views.every((view) => view?.members.every(({ core }) => core !== rogue))) return performance.now() - startedAt;
    await sleep(50);
  }
  return null;
}

async function auditOf(cluster: BenchCluster, honest: readonly number[]): Promise<string[]> {
  const rows = honest.map((core) => ({ core, incarnation: 1, state: 'up' }));
  const found = await audit({
    cores: () => Promise.resolve(rows as never),
    core: ((core: number, verb: string, args: Record<string, unknown> = {}) => cluster.ask(core, verb, args)) as never,
  });
  const busy = found.quiet ? [] : ['the audit is busy'];
  const kept = found.quiet
    ? []
    : await Promise.all(
        honest.map(
          async (core) => `  core ${core}: ${JSON.stringify(await cluster.ask(core, 'leftovers').catch(() => null))}`,
        ),
      );
  return [
    ...busy,
    ...kept,
    ...found.violations.map(({ invariant, what, detail }) => `${invariant} ${what}: ${detail}`),
  ];
}

async function run(behaviour: RogueBehaviour, number: number): Promise<Outcome> {
  const count = CORES[number % CORES.length]!;
  const rogue = (3 + number) % count;
  const cluster = await startCluster(count, { logLevel: 'off', leaseMs: LEASE_MS });
  const honest = cluster.cores.flatMap((_core, core) => (core === rogue ? [] : [core]));
  const before = (await churn(cluster, honest, 1 + number, BEFORE_S)).ok / BEFORE_S;
  const churned = churn(cluster, honest, 1 + number, CHURN_S);
  await sleep(1000);
  await cluster.ask(rogue, 'rogue', { behaviour, seed: 1 + number });
  const outAfterMs = await outAfter(cluster, rogue, honest);
  const { ok, wrong } = await churned;
  if (isUp(cluster, rogue)) await cluster.ask(rogue, 'rogue', { behaviour: 'none' }).catch(() => undefined);
  const lost = honest.filter((core) => !isUp(cluster, core)).map((core) => `honest core ${core} was put out`);
  const left = honest.filter((core) => isUp(cluster, core));
  const seen = await Promise.all(left.map(async (by) => ({ by, ...(await cluster.ask<Offences>(by, 'offences')) })));
  const blamed = seen.flatMap(({ by, offences }) =>
    offences
      .filter(({ peer }) => peer !== rogue)
      .map(
        ({ peer, offence, count: times, proof, text }) =>
          `${proof ? '' : '(no proof) '}${by} caught honest ${peer} at ${offence} ${times} times: ${text}`,
      ),
  );
  const offences = [
    ...new Set(
      seen.flatMap(({ offences: rows }) => rows.filter(({ peer }) => peer === rogue).map(({ offence }) => offence)),
    ),
  ];
  const audited = await auditOf(cluster, left);
  await cluster.stop();
  return {
    behaviour,
    cores: count,
    rogue,
    outAfterMs,
    offences,
    before,
    beside: ok / CHURN_S,
    wrong: [...wrong, ...lost, ...blamed, ...audited],
  };
}

const outcomes: Outcome[] = [];
for (let number = FIRST; number < FIRST + RUNS; number += 1)
  for (const behaviour of BEHAVIOURS) {
    const outcome = await run(behaviour, number);
    outcomes.push(outcome);
    const { cores, rogue, outAfterMs, offences, before, beside, wrong } = outcome;
    const out = outAfterMs === null ? 'stayed' : `out after ${Math.round(outAfterMs)} ms`;
    process.stdout.write(
      `${behaviour}, core ${rogue} of ${cores}: ${out} (${offences.join(' ')}); the others’ operations a second: ${before.toFixed(0)} before, ${beside.toFixed(0)} beside it\n${wrong.map((text) => `  ${text}\n`).join('')}`,
    );
    if (wrong.some((text) => !text.startsWith('(no proof)'))) process.exitCode = 1;
  }
keep('quarantine', { leaseMs: LEASE_MS, outcomes });
