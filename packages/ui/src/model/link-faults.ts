import { ruleConcerns } from '@mk/monitor-proto/link/rule-scope';
import type { FaultView } from './page-events.ts';

/** States of one direction of a link under faults, worst first. */
const LINK_STATES = ['cut', 'lossy', 'slow', 'whole'] as const;
export type LinkState = (typeof LINK_STATES)[number];

/** The link from → to under these faults. Constant time for each fault. */
export function linkState(faults: readonly FaultView[], from: number, to: number): LinkState {
  let worst: LinkState = 'whole';
  for (const { rule } of faults) {
    if (rule === null || !ruleConcerns(rule, from, to)) continue;
    if (rule.kind !== 'link') return 'cut';
    const { loss = 0, delay_ns: delayNs = 0, rate_bytes_per_second: rate } = rule.settings;
    const lossRate = typeof loss === 'number' ? loss : 0;
    if (lossRate >= 1) return 'cut';
    if (lossRate > 0) worst = 'lossy';
    else if (worst === 'whole' && ((typeof delayNs === 'number' && delayNs > 0) || typeof rate === 'number'))
      worst = 'slow';
  }
  return worst;
}
