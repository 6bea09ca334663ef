/** The environment variables that tests and scripts read; a test compares this list with the code. */
export const TEST_VARIABLES = {
  MK_REQUIRE_DOCKER: {
    otherwise: '',
    doc: '`1`: the container tests must run; otherwise they are skipped without an engine.',
  },
  MK_REQUIRE_CHROMIUM: {
    otherwise: '',
    doc: '`1`: the page must be tested in Chromium; otherwise its suite is skipped without one.',
  },
  MK_REQUIRE_LSTOPO: {
    otherwise: '',
    doc: '`1`: the comparison with lstopo must run; otherwise it is skipped without it.',
  },
  MK_REQUIRE_PROMTOOL: {
    otherwise: '',
    doc: '`1`: Prometheus’ promtool must check the metrics; otherwise that is skipped without it.',
  },
  MK_DOCKER_ENGINE: { otherwise: '', doc: 'A script (`start`, `stop`) that brings an engine for `.ci/run`.' },
  MK_REWRITE: {
    otherwise: '',
    doc: '`1`: data-driven tests write what they saw into their files instead of comparing.',
  },
  MK_GATE_SEEDS: { otherwise: '500', doc: 'Seeds that the gate’s simulation runs.' },
  MK_SEEDS: { otherwise: '0', doc: 'More seeds for the chaos of programs.' },
  MK_FIRST_SEED: { otherwise: '10000', doc: 'The first of those seeds in the chaos of memory.' },
  MK_SEED: { otherwise: '20261123', doc: 'The seed of the hostile frames.' },
  MK_PROPERTY_SEED: { otherwise: '20261129', doc: 'The seed of all property tests.' },
  MK_PROPERTY_RUNS: { otherwise: '300', doc: 'Cases that the channel’s property test tries.' },
  MK_PROPERTY_OPERATIONS: { otherwise: '', doc: 'Operations of the capability tests against a naive model.' },
  MK_CHANNEL_SEEDS: { otherwise: '8', doc: 'Seeds of the channels’ traffic.' },
  MK_CHANNEL_FIRST: { otherwise: '1', doc: 'The first of them.' },
  MK_CHANNEL_ACTS: { otherwise: '600', doc: 'Acts of each.' },
  MK_CHANNEL_TOTALS: { otherwise: '', doc: 'Anything: prints what the traffic came to.' },
  MK_CHURN_SEEDS: { otherwise: '', doc: 'Seeds of the capability churn.' },
  MK_CHURN_OPERATIONS: { otherwise: '', doc: 'Operations of each.' },
  MK_ROGUE_SEEDS: { otherwise: '2', doc: 'Seeds of rogue monitors.' },
  MK_DEATH_SEEDS: { otherwise: '1', doc: 'Seeds of the deaths within recipes.' },
  MK_PROGRESS_RUNS: { otherwise: '40', doc: 'Cases of the progress under faults.' },
  MK_PROGRESS_SEED: { otherwise: '1', doc: 'Their seed.' },
  MK_ALL_GRAPHS: { otherwise: '', doc: '`1`: every graph of five cores, not each 24th.' },
  MK_FLOOD_MESSAGES: { otherwise: '', doc: 'Messages of the flood tests.' },
  MK_PAUSE_US: { otherwise: '100', doc: 'Pause between two starts in `npm run bench -- sim-scale`.' },
} as const;
