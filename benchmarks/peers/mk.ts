import { type BenchCluster, firstRound, startCluster } from '../cluster.ts';
import { COUNTS, PAYLOAD_BYTES, type Peer } from './peer.ts';

type Plan = 'unicast' | 'multicast';

/** Ours, as `npm run bench -- round` and `revoke` measure it. */
export interface OurCluster extends Peer {
  /** Resolves when all cores take part in rounds. */
  takePart(): Promise<void>;
  /** The median of one-phase rounds by a plan, in nanoseconds. */
  round(plan: Plan): Promise<number>;
  /** Rounds of `ways` go by this plan from now on. */
  use(plan: Plan): void;
}

export async function startOurs(members: number): Promise<OurCluster> {
  const cluster = await startCluster(members, { logLevel: 'off', detached: true });
  let best: Plan = 'multicast';
  const rounds = async (plan: Plan, phases: number): Promise<number> =>
    (await cluster.ask<{ readonly p50: number }>(0, 'round', { plan, phases, count: COUNTS.round })).p50;
  const ping = { core: 1, count: COUNTS.trip, bytes: PAYLOAD_BYTES };
  let copies: Promise<Record<string, unknown>> | undefined;
  return {
    bootMs: cluster.bootMs,
    ways: [
      {
        of: 'trip',
        title: 'mk: round trip',
        run: async () => (await cluster.ask<{ readonly p50: number }>(0, 'ping', ping)).p50,
      },
      { of: 'round', title: 'mk: one-phase round', run: () => rounds(best, 1) },
      { of: 'twoPhases', title: 'mk: two-phase round', run: () => rounds(best, 2) },
      {
        of: 'revoke',
        title: 'mk: revoke',
        run: async () =>
          (
            await cluster.ask<{ readonly revoke: { readonly p50: number } }>(
              0,
              'bench_revoke',
              await (copies ??= domainsOf(cluster)),
            )
          ).revoke.p50,
      },
    ],
    takePart: () => firstRound(cluster),
    round: (plan) => rounds(plan, 1),
    use: (plan) => (best = plan),
    stop: () => cluster.stop(),
  };
}

/** A domain on each core: what `bench_revoke` puts copies into. */
async function domainsOf(cluster: BenchCluster): Promise<Record<string, unknown>> {
  const domains = await Promise.all(
    cluster.cores.map((_, core) => cluster.ask<{ readonly domain: number }>(core, 'domain_create', { cnodes: 1 })),
  );
  const peers = domains.flatMap(({ domain }, core) => (core === 0 ? [] : [core, domain]));
  return { domain: domains[0]!.domain, peers, count: COUNTS.revoke, quiet_ms: 0 };
}
