import { SKB_PEER, peerName } from '@mk/monitor-proto/ids';
import type { Endpoint } from '@mk/monitor-proto/endpoint/endpoint';
import type { Simulation } from '../engine/simulation.ts';
import type { SimNode } from '../engine/sim-node.ts';
import type { Checker } from './checker.ts';

/** Timers that the SKB always has: heartbeats, and the measuring of links. */
const SKB_TIMERS = 2;

/** What is left over at one node; empty once everything has ended. */
export function leftovers(node: SimNode): readonly string[] {
  const endpoint = endpointOf(node);
  if (endpoint === null) return [];
  const { kernel } = node;
  const rows = [...(kernel?.leftovers() ?? [])];
  if (node.skb?.registry.introductions.pending === true) rows.push('monitors that were not introduced');
  let armed = 0;
  for (const peer of endpoint.peers.values()) {
    if (peer.armedAt !== Infinity) armed += 1;
    if (!peer.channel.idle)
      rows.push(`${peer.channel.unacknowledged} unacknowledged messages or an ack owed to ${peerName(peer.id)}`);
    if (peer.link === 0 && peer.id === SKB_PEER) rows.push('no link to the SKB');
    if (peer.pendingLink !== 0) rows.push(`an opening link to ${peerName(peer.id)}`);
  }
  const timers = endpoint.timers.size - armed - (kernel?.standingTimers ?? SKB_TIMERS);
  if (timers > 0) rows.push(`${timers} timers too many`);
  if (node.queued > 0) rows.push(`${node.queued} events in its queue`);
  return rows;
}

function endpointOf(node: SimNode): Endpoint | null {
  return node.kernel?.monitor.endpoint ?? node.skb?.endpoint ?? null;
}

/** Whether nothing is left over anywhere. */
export function isQuiet(simulation: Simulation): boolean {
  for (const node of simulation.nodes.values()) if (node.machine !== null && leftovers(node).length > 0) return false;
  return true;
}

/** L1: once everything has settled, no timer, operation, phase of a round, rally or unacknowledged message is left. */
export function leakChecker(): Checker {
  return {
    name: 'leaks',
    atEnd(simulation, report) {
      for (const node of simulation.nodes.values()) {
        if (node.machine === null) continue;
        for (const row of leftovers(node))
          report('L1', `${node.id === SKB_PEER ? 'the SKB' : `core ${node.id}`} is left with ${row}`);
      }
    },
  };
}
