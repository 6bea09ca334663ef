import { known } from '@mk/monitor-proto/assert';
import type { Nanos } from '@mk/monitor-proto/ids';
import type { RttRow } from '@mk/skb/facts/cluster-facts';
import { formatDuration } from '@mk/machine/duration';

/** The round trips of all pairs in one relation. */
export interface RelationSummary {
  readonly relation: string;
  readonly pairs: number;
  readonly minNs: Nanos;
  readonly medianNs: Nanos;
  readonly maxNs: Nanos;
}

/**
 * Shortest, median and longest round trip by relation, nearest relation first. Each pair counts by its shortest round
 * trip.
 */
export function summariseByRelation(
  rows: readonly RttRow[],
  relationOf: (from: number, to: number) => string,
): RelationSummary[] {
  const groups = new Map<string, number[]>();
  for (const { from, to, min } of rows) {
    const relation = relationOf(from, to);
    const group = groups.get(relation);
    if (group === undefined) groups.set(relation, [min]);
    else group.push(min);
  }
  return [...groups].map(([relation, values]) => summarise(relation, values)).sort((a, b) => a.medianNs - b.medianNs);
}

/** One line for each relation. */
export function describeSummary(summary: RelationSummary): string {
  const { relation, pairs, minNs, medianNs, maxNs } = summary;
  const who = `${relation.replaceAll('_', ' ').padEnd(14)} ${String(pairs).padStart(5)} pairs`;
  return `${who}   min ${formatDuration(minNs)}, median ${formatDuration(medianNs)}, max ${formatDuration(maxNs)}`;
}

function summarise(relation: string, values: number[]): RelationSummary {
  const sorted = values.sort((a, b) => a - b);
  return {
    relation,
    pairs: sorted.length,
    minNs: known(sorted[0]),
    medianNs: known(sorted[Math.ceil(sorted.length / 2) - 1]),
    maxNs: known(sorted.at(-1)),
  };
}
