import { expect, test } from '@jest/globals';
import { scenarioOf } from '@mk/sim/nemesis/nemesis';
import { runScenario } from '@mk/sim/engine/run-scenario';
import { RUN } from './support.ts';

/** Nemesis seeds that once showed a bug, and which. */
test.each([
  [10044, 'a proof that came after its maker was declared gone took the place of the newer incarnation'],
  [11676, 'the same: a round asked the newer incarnation before it was ready'],
  [10422, 'a report for an earlier life of the SKB was queued before the registration with the next one'],
  [12356, 'the same'],
  [13292, 'a core that was declared gone was let in again by a restarted SKB'],
  [21852, 'the same, on two cores'],
  [21993, 'the same: one end dialled for ever, the other knew nobody of that id'],
  [13418, 'an ack that was due before a repeat left the timer of the repeat behind'],
  [20261130644, 'a view was adopted while cores that it leaves out had leases from a later leader than its first'],
])('seed %i: %s', (seed) => {
  expect(runScenario(scenarioOf(seed), RUN).violations).toEqual([]);
});
