import { expect, test } from '@jest/globals';
import { isCore, SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import { codecOfValid } from '@mk/monitor-proto/messages/codec';
import { decodeFrame } from '@mk/monitor-proto/urpc/frame-codec';
import { FRAME } from '@mk/monitor-proto/urpc/frames';
import { quickSimulation } from '../support/quick-simulation.ts';

const CORES = 8;
const LEASE_MS = 15_000;
const BEACON_S = LEASE_MS / 3000;

/** A cluster at rest: the steps of its cores since `watch`, by cause. */
function atRest() {
  const simulation = quickSimulation({ seed: 1, cores: CORES, logLevel: 'off', measure: true, leaseMs: LEASE_MS });
  const steps = { timers: 0, probes: 0, requests: 0 };
  const followersWake: number[] = [];
  simulation.observe({
    step(node, event, at) {
      if (!isCore(node.id) || node.id === 0) return;
      if (event.type === 'timer_fired') {
        steps.timers += 1;
        followersWake.push(at);
      }
      if (event.type !== 'frame_received') return;
      const frame = decodeFrame(event.frame);
      if (typeof frame === 'string' || frame.kind !== FRAME.data) return;
      const types = frame.batches.flatMap(({ messages }) => messages.map((wire) => codecOfValid(wire).type));
      steps.probes += types.filter((type) => type === 'view_probe').length;
      steps.requests += types.filter((type) => type === 'view_probe_request').length;
    },
  });
  simulation.start();
  const complete = (): boolean => simulation.node(SKB_PEER).skb?.registry.meshComplete ?? false;
  expect(simulation.run(30 * SECOND, complete)).toBe(true);
  simulation.run(30 * SECOND);
  const watch = (seconds: number) => {
    Object.assign(steps, { timers: 0, probes: 0, requests: 0 });
    followersWake.length = 0;
    simulation.run(simulation.now + seconds * SECOND);
  };
  return { simulation, steps, followersWake, watch };
}

test('a follower at rest wakes by itself for heartbeats and looks at whole seconds alone, and nobody is asked for a probe', () => {
  const { steps, followersWake, watch } = atRest();
  watch(20 * BEACON_S);
  expect({ probes: steps.probes, requests: steps.requests }).toEqual({ probes: 0, requests: 0 });
  // At most one timer a second, all on the host's seconds: none just to find that nothing needs repeating.
  expect(steps.timers).toBeLessThanOrEqual((CORES - 1) * 20 * BEACON_S);
  expect(followersWake.filter((at) => at % SECOND > SECOND / 100)).toEqual([]);
});

test('a sign that is lost is asked for: links that lose a third of their frames are not suspected', () => {
  const { simulation, steps, watch } = atRest();
  const settings = { loss: 0.33 };
  simulation.faults.add(
    { kind: 'link', id: 'bad', from: 'all', to: 'all', both: true, settings, for_ns: null },
    simulation.now,
  );
  watch(60 * BEACON_S);
  expect(steps.requests).toBeGreaterThan(0);
  expect(steps.probes).toBeGreaterThanOrEqual(steps.requests / 2);
  for (let core = 0; core < CORES; core += 1) expect(simulation.node(core).kernel?.monitor.context.view).toBe(1);
});
