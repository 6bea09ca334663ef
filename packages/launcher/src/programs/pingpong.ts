import { formatDuration } from '@mk/machine/duration';
import { describeTimes, type TimeSummary } from '../client/times.ts';
import { PROGRAM_MS, type Program } from './program.ts';

interface Pair extends TimeSummary {
  readonly from: number;
  readonly to: number;
}

/** Every pair of cores, one after the other, so that no pair measures another's queue. */
export const PINGPONG: Program = {
  name: 'pingpong',
  doc: 'plays ping-pong between every two of the cores, one pair after the other',
  fewestCores: 2,
  takes: ['rounds', 'bytes'],
  async run({ cluster, cores, options }) {
    const pairs: Pair[] = [];
    for (const [place, from] of cores.entries()) {
      for (const to of cores.slice(place + 1)) {
        const request = { core: to, count: options.rounds, bytes: options.bytes };
        const summary = (await cluster.core(from, 'ping', request, { timeoutMs: PROGRAM_MS })) as TimeSummary;
        pairs.push({ ...summary, from, to });
      }
    }
    const mean = pairs.reduce((sum, { p50 }) => sum + p50, 0) / pairs.length;
    const lines = pairs.map((pair) => `core ${pair.from} ↔ ${pair.to}: ${describeTimes(pair, 'round trip')}`);
    return {
      ok: true,
      lines: [...lines, `mean of the medians ${formatDuration(mean)}`],
      value: { pairs, meanNs: mean },
    };
  },
};
