import { known } from '@mk/monitor-proto/assert';

import { describeFlood, isClean } from '../client/flood-result.ts';
import { PROGRAM_MS, type Program } from './program.ts';

/** Every core floods the next one of the list, all at once. */
export const FLOOD_PROGRAM: Program = {
  name: 'flood',
  doc: 'every core sends numbered messages to the next as fast as it can; nothing may be lost or doubled',
  fewestCores: 2,
  takes: ['count', 'bytes'],
  async run({ cluster, cores, options }) {
    const results = await Promise.all(
      cores.map(async (from, place) => {
        const to = known(cores[(place + 1) % cores.length]);
        const request = { core: to, count: options.count, bytes: options.bytes };
        return { from, to, ...(await cluster.core(from, 'flood', request, { timeoutMs: PROGRAM_MS })) };
      }),
    );
    const lines = results.map((result) => describeFlood(result.from, result.to, result));
    return { ok: results.every(isClean), lines, value: results };
  },
};
