import type { CoreId } from '@mk/monitor-proto/ids';
import type { SimFault } from './scenario.ts';
import type { Simulation } from './simulation.ts';

/** Messages per millisecond from a misbehaving core to each peer: their kind matters, not their number. */
const ROGUE_RATE = 2;

/** Makes cores' monitors misbehave, for a time if one is given. */
export function misbehave(s: Simulation, { cores, behaviour, forNs }: Extract<SimFault, { type: 'rogue' }>): void {
  for (const core of cores) {
    const { life } = s.node(core);
    const seed = s.prng.split(`rogue ${core} ${s.now}`).nextUint32();
    s.control(core, 'rogue', { behaviour, rate: ROGUE_RATE, seed }, () => undefined);
    if (forNs !== null) s.call(s.now + forNs, () => s.node(core).life === life && behave(s, core));
  }
}

/** Makes a core behave again. */
export function behave(simulation: Simulation, id: CoreId): void {
  const { kernel } = simulation.node(id);
  if (kernel === null || !kernel.services.rogue.active) return;
  simulation.faultLog.ended(`rogue:${id}`, simulation.now);
  simulation.control(id, 'rogue', { behaviour: 'none' }, () => undefined);
}
