/** Bounds of round-trip measurement: a part of LIMITS (limits.ts). */
export const MEASURING_LIMITS = {
  measurePings: {
    value: 5,
    unit: 'round trips',
    reason: 'Pings from each end of a pair in one online measurement, after one that warms the path.',
  },
  measureConcurrency: {
    value: 8,
    unit: 'rallies',
    reason: 'On slow links, peers measured at once; more would measure the core’s own queue.',
  },
  measureAllCores: {
    value: 64,
    unit: 'cores',
    reason:
      'Up to here the measurement after a boot takes every pair, and opens its link; above, a sample: 256 cores have 32,640 pairs, of which 13,000 took six minutes on two busy CPUs.',
  },
  measureSample: {
    value: 4,
    unit: 'pairs',
    reason: 'Sampled pairs of each core and each relation: their median stands for the pairs left out.',
  },
  planChangeRatio: {
    value: 0.2,
    unit: 'ratio',
    reason: 'A link whose latency changed by more replans the trees; less is noise.',
  },
} as const;
