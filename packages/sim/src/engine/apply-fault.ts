import { isCore, type PeerId, peerName, SKB_PEER } from '@mk/monitor-proto/ids';
import { behave, misbehave } from './rogue-fault.ts';
import type { SimFault } from './scenario.ts';
import type { Simulation } from './simulation.ts';

/** Applies one fault now. One that makes no sense at the moment (crashing a dead core) does nothing. */
export function applyFault(simulation: Simulation, action: SimFault): void {
  simulation.faultLog.began(action, simulation.now);
  applyAs(simulation, action.type, action);
}

function applyAs<K extends SimFault['type']>(
  simulation: Simulation,
  type: K,
  action: Extract<SimFault, { readonly type: K }>,
): void {
  APPLY[type](simulation, action);
}

const APPLY: {
  readonly [K in SimFault['type']]: (simulation: Simulation, action: Extract<SimFault, { readonly type: K }>) => void;
} = {
  rule: (s, { rule }) => {
    s.faults.add(rule, s.now);
    // Ends on time, too: what the rule holds back must not wait for the next frame to notice.
    if (rule.for_ns !== null) s.call(s.now + rule.for_ns, () => void s.faults.rules(s.now));
  },
  heal: (s, { target }) => s.faultLog.heal(target, s.now),
  crash: (s, { cores }) => cores.forEach((core) => s.crash(core)),
  restart: (s, { cores }) => cores.forEach((core) => s.node(core).machine === null && s.startNode(core)),
  hang: (s, { cores, forNs }) => {
    for (const core of cores) {
      s.hang(core);
      const { life } = s.node(core);
      if (forNs !== null) s.call(s.now + forNs, () => s.node(core).life === life && resume(s, core));
    }
  },
  slow: (s, { cores, factor, forNs }) => {
    for (const core of cores) {
      s.slow(core, factor);
      if (forNs !== null) s.call(s.now + forNs, () => speedUp(s, core));
    }
  },
  skb_loss: (s, { forNs }) => {
    s.crash(SKB_PEER);
    if (forNs !== null) s.call(s.now + forNs, () => s.node(SKB_PEER).machine === null && startAgain(s, SKB_PEER));
  },
  rogue: misbehave,
  reset: (s, { from, to }) => s.resetLink(from, to),
};

/** Faults stop: rules end, stopped cores continue, dead ones restart. */
export function healAll(simulation: Simulation): void {
  simulation.faultLog.heal('all', simulation.now);
  for (const node of simulation.nodes.values()) {
    resume(simulation, node.id);
    speedUp(simulation, node.id);
    if (isCore(node.id)) behave(simulation, node.id);
    if (node.machine === null) startAgain(simulation, node.id);
  }
}

function resume(simulation: Simulation, id: PeerId): void {
  if (simulation.node(id).hung) simulation.faultLog.ended(`hang:${id}`, simulation.now);
  simulation.resume(id);
}

function speedUp(simulation: Simulation, id: PeerId): void {
  if (simulation.node(id).slowFactor !== 1) simulation.faultLog.ended(`slow:${id}`, simulation.now);
  simulation.slow(id, 1);
}

function startAgain(simulation: Simulation, id: PeerId): void {
  simulation.faultLog.ended(`crash:${peerName(id)}`, simulation.now);
  simulation.startNode(id);
}
