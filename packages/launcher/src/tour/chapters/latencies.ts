import { known } from '@mk/monitor-proto/assert';
import { formatDuration } from '@mk/machine/duration';
import { packageMatrixText } from '../../client/latency-matrix.ts';
import type { RttRow } from '@mk/skb/facts/cluster-facts';
import { type RelationSummary, summariseByRelation } from '../../client/latency-summary.ts';
import { addedDelaysNs } from '../../boot/machine.ts';
import type { Chapter, Tour } from '../tour.ts';

/** Measuring 64 cores takes about half a minute on two CPUs at rest; beside thirty busy processes 32 took over two minutes. */
const MEASURE_MS = 600_000;
/** How long a pair whose round trips were late is pinged. */
const PING_MS = 20_000;
/** How early a timer may be. */
const EARLY_NS = 100_000;
/** The most that sockets, and a host with fewer CPUs than cores, add to a round trip while nothing else runs. */
const HOST_NS = 6_000_000;
const HOST_RATIO = 0.25;

export const LATENCIES: Chapter = {
  title: 'Latency: what every link was given, and what it measures',
  async run(tour) {
    const rows = await measuredTrips(tour);
    const pairs = tour.cores * (tour.cores - 1);
    tour.check(`round trips of all ${pairs} ordered pairs are measured`, rows.length === pairs);
    const relation = (a: number, b: number): string => tour.machine.machine.relation(a, b);
    tour.say('median round trip between packages (rows ask, columns answer):');
    tour.say(packageMatrixText(rows, (core) => tour.machine.machine.packageOf(core)));
    for (const summary of nearestFirst(tour, rows, summariseByRelation(rows, relation), relation))
      await checkRelation(tour, rows, summary, relation);
  },
};

async function measuredTrips(tour: Tour): Promise<readonly RttRow[]> {
  const measured = await tour.until(async () => {
    // In this order: an answer after the end of the measurement is complete.
    const { measuring } = await tour.skb('status');
    const rows = measuring ? [] : await tour.trips();
    return rows.length > 0 ? rows : null;
  }, MEASURE_MS);
  return measured ?? tour.trips();
}

function nearestFirst(
  tour: Tour,
  rows: readonly RttRow[],
  summaries: readonly RelationSummary[],
  relationOf: (a: number, b: number) => string,
): RelationSummary[] {
  const distance = ({ relation }: RelationSummary): number => {
    const { from, to } = known(rows.find((row) => relationOf(row.from, row.to) === relation));
    return tour.machine.machine.relationNumber(from, to);
  };
  return [...summaries].sort((a, b) => distance(a) - distance(b));
}

async function checkRelation(
  tour: Tour,
  rows: readonly RttRow[],
  summary: RelationSummary,
  relationOf: (a: number, b: number) => string,
): Promise<void> {
  const { relation, pairs, minNs, medianNs, maxNs } = summary;
  const related = rows.filter((row) => relationOf(row.from, row.to) === relation);
  const { from, to } = known(related[0]);
  const { config } = tour.session;
  const oneWay = config.latencyNs + known(addedDelaysNs(tour.machine, from, config.timeScale)[to]);
  const least = 2 * oneWay - EARLY_NS - 2 * config.jitterNs;
  const most = 2 * oneWay * (1 + HOST_RATIO) + HOST_NS + 2 * config.jitterNs;
  const figures = `min ${formatDuration(minNs)}, median ${formatDuration(medianNs)}, max ${formatDuration(maxNs)}`;
  tour.check(
    `${relation.replaceAll('_', ' ')} (${pairs} pairs): configured 2 × ${formatDuration(oneWay)}, measured ${figures}`,
    minNs >= least && (medianNs <= most || (await onlyTheHost(tour, related, medianNs, least, most))),
  );
}

/**
 * Whether late round trips are due to a busy host: a pair of that median is pinged until one trip takes what the link
 * was given. A link with the wrong delay never does.
 */
async function onlyTheHost(
  tour: Tour,
  rows: readonly RttRow[],
  medianNs: number,
  least: number,
  most: number,
): Promise<boolean> {
  const { from, to } = known(rows.find((row) => row.min === medianNs));
  const fastest = await tour.until(async () => {
    const { min } = await tour.core(from, 'ping', { core: to, count: 20 });
    return min <= most ? min : null;
  }, PING_MS);
  if (fastest === null) return false;
  tour.say(`this host is busy: the fastest ping from core ${from} to core ${to} takes ${formatDuration(fastest)}`);
  return fastest >= least;
}
