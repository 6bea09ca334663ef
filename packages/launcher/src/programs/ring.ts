import { known } from '@mk/monitor-proto/assert';
import { describeTimes, type TimeSummary } from '../client/times.ts';
import { PROGRAM_MS, type Program } from './program.ts';

/** A token handed round the cores: every hop of the placement counts. */
export const RING: Program = {
  name: 'ring',
  doc: 'hands a token round the cores and times each round',
  fewestCores: 2,
  takes: ['rounds', 'bytes'],
  async run({ cluster, cores, options }) {
    const request = { cores, count: options.rounds, bytes: options.bytes };
    const summary = (await cluster.core(known(cores[0]), 'ring', request, { timeoutMs: PROGRAM_MS })) as TimeSummary;
    return { ok: true, lines: [`ring of ${cores.length}: ${describeTimes(summary, 'round')}`], value: summary };
  },
};
