/**
 * What wakes an idle core: counts on virtual time, where nothing disturbs. `npm run bench -- idle-wakes 64 15000`:
 * cores, and the lease in ms. Frames and timers that come within a millisecond count as one wake.
 */
import { codecOfValid } from '@mk/monitor-proto/messages/codec';
import { decodeFrame } from '@mk/monitor-proto/urpc/frame-codec';
import { FRAME } from '@mk/monitor-proto/urpc/frames';
import { isCore, type PeerId, SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import { fastMac } from '@mk/sim/engine/fast-mac';
import { flatMachine } from '@mk/sim/engine/machines';
import type { AnyEvent } from '@mk/sim/engine/sim-node';
import { Simulation } from '@mk/sim/engine/simulation';

const CORES = Number(process.argv[2] ?? 64);
const LEASE_MS = Number(process.argv[3] ?? 15_000);
const SETTLE_S = 30;
const WATCH_S = 120;
/** A process that has just woken takes what comes meanwhile in the same turn. */
const ONE_WAKE_NS = 1e6;

const simulation = new Simulation({
  seed: 1,
  cores: CORES,
  machine: flatMachine(),
  hmac: fastMac,
  logLevel: 'off',
  hash: false,
  leaseMs: LEASE_MS,
  startPauseNs: 100_000,
});
simulation.start();
if (!simulation.run(60 * SECOND, () => simulation.node(SKB_PEER).skb?.registry.meshComplete ?? false))
  throw new Error(`${CORES} cores did not boot`);
simulation.run(simulation.now + SETTLE_S * SECOND);

const counts = new Map<string, number>();
const lastAt = new Map<PeerId, number>();
let wakes = 0;

function causeOf(event: AnyEvent): string {
  if (event.type !== 'frame_received') return event.type;
  const frame = decodeFrame(event.frame);
  if (typeof frame === 'string' || frame.kind !== FRAME.data) return 'another frame';
  const types = frame.batches.flatMap(({ messages }) => messages.map((wire) => codecOfValid(wire).type));
  return types.length === 0 ? 'a frame of acks' : types.join(' + ');
}

simulation.observe({
  step(node, event, startedAt) {
    if (!isCore(node.id)) return;
    const cause = causeOf(event);
    counts.set(cause, (counts.get(cause) ?? 0) + 1);
    if (startedAt - (lastAt.get(node.id) ?? -Infinity) > ONE_WAKE_NS) wakes += 1;
    lastAt.set(node.id, startedAt);
  },
});
simulation.run(simulation.now + WATCH_S * SECOND);
const perSecond = (count: number): string => (count / CORES / WATCH_S).toFixed(3);
console.log(`${CORES} idle cores, a lease of ${LEASE_MS} ms: ${perSecond(wakes)} wakes a second and core; events:`);
for (const [cause, count] of [...counts].sort((a, b) => b[1] - a[1])) console.log(`  ${perSecond(count)}  ${cause}`);
