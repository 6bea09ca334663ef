import { warmToRest } from './at-rest.ts';
import { startBareProcesses } from './cluster.ts';
import { erlang } from './peers/erlang.ts';
import { etcd } from './peers/etcd.ts';
import { startOurs } from './peers/mk.ts';
import { nats } from './peers/nats.ts';
import { isInstalled, type Measure, type Peer, type PeerKind, type Way } from './peers/peer.ts';
import { type Figure, median, report } from './report.ts';

/**
 * mk beside systems that others use, all on this host and in one run: a round trip of 64 bytes, a round over 32 members, boot, a
 * revoke. All clusters stand at the same time and take turns; those whose turn it is not are at rest. `peers 32 7`:
 * members, runs. What is not installed is left out.
 *
 * Ours and theirs are not the same thing (benchmarks/README.md says how they differ); they are what each has for the
 * purpose.
 */
const MEMBERS = Number(process.argv[2] ?? 32);
const RUNS = Number(process.argv[3] ?? 7);
const BOOTS = Math.min(RUNS, 3);
const WARM_BLOCKS = 12;
/** Never behind Erlang in the same run; the others are printed. */
const WANTED = { kind: 'at most', ratio: 1 } as const;

const TITLES: Readonly<Record<Measure, string>> = {
  trip: 'round trip of 64 bytes',
  round: `one-phase round over ${MEMBERS} members`,
  twoPhases: `two-phase round over ${MEMBERS} members`,
  revoke: `revoke with copies on ${MEMBERS} cores`,
};

function installed(kinds: readonly PeerKind[]): PeerKind[] {
  return kinds.filter((kind) => {
    if (isInstalled(kind)) return true;
    process.stdout.write(`${kind.name} is left out: ${kind.program} is not installed (Debian: ${kind.debian})\n`);
    return false;
  });
}

const targetOf = (kind: PeerKind): Figure['target'] => (kind === erlang ? WANTED : null);

interface Theirs {
  readonly kind: PeerKind;
  readonly way: Way;
}

/** One block of each side in every run, another side first each time. */
async function measured(ours: Way, theirs: readonly Theirs[]): Promise<Figure[]> {
  const ways = [ours, ...theirs.map(({ way }) => way)];
  await warmToRest(
    ways.map((way) => async () => (await way.run()) / 1e6),
    WARM_BLOCKS,
  );
  const rows = ways.map(() => [] as number[]);
  for (let run = 0; run < RUNS; run += 1)
    for (let turn = 0; turn < ways.length; turn += 1) {
      const side = (run + turn) % ways.length;
      rows[side]!.push((await ways[side]!.run()) / 1e3);
    }
  return theirs.map(({ kind, way }, i) => ({
    name: `${TITLES[ours.of]}, against ${way.title}`,
    unit: 'µs',
    ours: rows[0]!,
    baseline: rows[i + 1]!,
    target: targetOf(kind),
  }));
}

async function boots(kinds: readonly PeerKind[]): Promise<Figure[]> {
  const sides: (() => Promise<number>)[] = [
    () => bootOf(startOurs),
    () => startBareProcesses(MEMBERS),
    ...kinds.map((kind) => () => bootOf((members) => kind.start(members))),
  ];
  const rows = sides.map(() => [] as number[]);
  await startBareProcesses(MEMBERS);
  for (let run = 0; run < BOOTS; run += 1) for (const [i, side] of sides.entries()) rows[i]!.push(await side());
  const figure = (other: string, side: number, target: Figure['target']): Figure => ({
    name: `boot of ${MEMBERS} cores until each knows all others, against ${MEMBERS} ${other}`,
    unit: 'ms',
    ours: rows[0]!,
    baseline: rows[side]!,
    target,
  });
  return [
    figure('bare processes of node', 1, null),
    ...kinds.map((kind, i) => figure(kind.booted, i + 2, targetOf(kind))),
  ];
}

async function bootOf(start: (members: number) => Promise<Peer>): Promise<number> {
  const peer = await start(MEMBERS);
  await peer.stop();
  return peer.bootMs;
}

const kinds = installed([erlang, nats, etcd]);
const figures = await boots(kinds);
const ours = await startOurs(MEMBERS);
await ours.takePart();
const peers: { readonly kind: PeerKind; readonly peer: Peer }[] = [];
for (const kind of kinds) peers.push({ kind, peer: await kind.start(MEMBERS) });

/** The plan with the faster rounds once both are warm. */
const plans = ['unicast', 'multicast'] as const;
await warmToRest(
  plans.map((plan) => async () => (await ours.round(plan)) / 1e6),
  WARM_BLOCKS,
);
const taken = { unicast: [] as number[], multicast: [] as number[] };
for (let i = 0; i < 3; i += 1) for (const plan of plans) taken[plan].push(await ours.round(plan));
const best = median(taken.unicast) < median(taken.multicast) ? 'unicast' : 'multicast';
ours.use(best);
process.stdout.write(`rounds of mk go by ${best}\n`);

for (const way of ours.ways) {
  const theirs = peers.flatMap(({ kind, peer }) =>
    peer.ways.filter((other) => other.of === way.of).map((other) => ({ kind, way: other })),
  );
  figures.push(...(await measured(way, theirs)));
}
await Promise.all([ours, ...peers.map(({ peer }) => peer)].map((peer) => peer.stop()));
report(figures, `peers-${MEMBERS}`);
