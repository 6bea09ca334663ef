import { SKB_PEER } from '@mk/monitor-proto/ids';
import type { SimLogLine } from '../engine/sim-log.ts';
import type { SimNode } from '../engine/sim-node.ts';
import type { Checker, Report } from './checker.ts';

/** J1, J2, R1–R4: who is a member, and how monitors come to be linked (join.ts, registry.ts). */
export function membershipChecker(): Checker {
  /** By core: the incarnations seen, with the life that had each. */
  const lives = new Map<number, { readonly incarnation: number; readonly life: number }[]>();
  const introduced = new Set<string>();
  const ready = new Set<string>();
  const handlers: Readonly<Record<string, (line: SimLogLine, report: Report) => void>> = {
    join_step(line, report) {
      if (line['step'] !== 'bind_monitor_request') return;
      const ends = [`${line.core}.${line.incarnation}`, `${String(line['peer'])}.${String(line['peer_incarnation'])}`]
        .sort()
        .join(' and ');
      if (introduced.has(ends)) report('R3', `${ends} were introduced twice, now to core ${line.core}`);
      introduced.add(ends);
    },
    message_delivered(line) {
      if (line['message'] === 'capops_ready') ready.add(`${line.core}.${line.incarnation}<${String(line['channel'])}`);
    },
    message_sent(line, report) {
      if (line['message'] !== 'round_request' || !String(line['op']).startsWith(`${line.core}.`)) return;
      const [from = '', to = ''] = String(line['channel']).split('>');
      if (!ready.has(`${line.core}.${line.incarnation}<${to}>${from}`))
        report(
          'J2',
          `core ${line.core} took core ${String(line['peer'])} into ${String(line['op'])} before it was ready`,
        );
    },
  };
  const watchIncarnation = (node: SimNode, report: Report): void => {
    if (node.id === SKB_PEER || node.incarnation === 0) return;
    let known = lives.get(node.id);
    if (known === undefined) lives.set(node.id, (known = []));
    const last = known.at(-1);
    if (last?.life === node.life && last.incarnation === node.incarnation) return;
    if (last !== undefined && node.incarnation <= last.incarnation)
      report('R2', `core ${node.id} got incarnation ${node.incarnation} after ${last.incarnation}`);
    known.push({ incarnation: node.incarnation, life: node.life });
  };
  return {
    name: 'membership',
    line: (line, report) => handlers[line.event]?.(line, report),
    afterStep: (node, event, report) => {
      if (event.type === 'frame_received') watchIncarnation(node, report);
    },
    // A later life of the SKB knows of no introduction before it: who was not bound by then is introduced again.
    died: (node) => {
      if (node.id === SKB_PEER) introduced.clear();
    },
    atEnd(simulation, report) {
      for (const node of simulation.nodes.values()) {
        const perPeer = new Map<SimNode, number>();
        for (const { other } of node.links.values())
          if (other !== null) perPeer.set(other.node, (perPeer.get(other.node) ?? 0) + 1);
        for (const [peer, links] of perPeer)
          if (links > 1) report('J1', `nodes ${node.id} and ${peer.id} have ${links} links`);
        if (node.kernel === null) continue;
        const claimed = [...simulation.nodes.values()].filter(
          (n) => n.kernel?.monitor.context.core === node.kernel?.monitor.context.core,
        );
        if (claimed.length > 1) report('R1', `${claimed.length} live processes hold core id ${node.id}`);
        for (const other of simulation.nodes.values()) {
          if (other.kernel?.services.membership.join.hasGivenUp(node.id, node.incarnation))
            report('R4', `core ${other.id} has given up ${node.id}.${node.incarnation}, which lives`);
        }
      }
    },
  };
}
