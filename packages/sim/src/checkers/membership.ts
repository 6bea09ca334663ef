import { known } from '@mk/monitor-proto/assert';
import { isCore, SKB_PEER } from '@mk/monitor-proto/ids';
import type { SimLogLine } from '../engine/sim-log.ts';
import type { AnyEvent, SimNode } from '../engine/sim-node.ts';
import type { Simulation } from '../engine/simulation.ts';
import type { Checker, Report } from './checker.ts';
import { handleLine, type LineHandlers, type LineOf } from './line-handlers.ts';

/** J1, J2, R1–R4: who is a member, and how monitors are linked (join.ts, registry.ts). */
export function membershipChecker(): Checker {
  return new MembershipChecker();
}

class MembershipChecker implements Checker {
  readonly name = 'membership';
  /** By core: the incarnations seen, and the life of each. */
  private readonly lives = new Map<number, { readonly incarnation: number; readonly life: number }[]>();
  private readonly introduced = new Set<string>();
  /**
   * By core: the life of the SKB whose introduction it took last. A core that hung may take one from an earlier life.
   */
  private readonly introducers = new Map<number, string>();
  /** By core and incarnation: the members of the view that it has installed. */
  private readonly views = new Map<string, readonly unknown[]>();
  private readonly handlers: LineHandlers = {
    join_step: (line, report) => this.joinStep(line, report),
    view_installed: (line) => {
      const { members } = line;
      this.views.set(`${line.core}.${line.incarnation}`, Array.isArray(members) ? members : []);
    },
    message_delivered: ({ core, message, channel }) => {
      if (message === 'bind_monitor_request') this.introducers.set(Number(core), known(channel.split('>')[0]));
    },
    message_sent: (line, report) => this.messageSent(line, report),
  };

  line(line: SimLogLine, report: Report, node: SimNode): void {
    handleLine(this.handlers, line, report, node);
  }

  afterStep(node: SimNode, event: AnyEvent, report: Report): void {
    if (event.type === 'frame_received') this.watchIncarnation(node, report);
  }

  /**
   * A later life of the SKB knows of no earlier introduction, so it introduces again the pairs that are not bound by
   * then.
   */
  died(node: SimNode): void {
    if (node.id === SKB_PEER) this.introduced.clear();
  }

  atEnd(simulation: Simulation, report: Report): void {
    for (const node of simulation.nodes.values()) {
      checkLinks(node, report);
      if (node.kernel !== null) checkPlace(simulation, node, report);
    }
  }

  private joinStep(line: LineOf<'join_step'>, report: Report): void {
    if (line.step !== 'bind_monitor_request') return;
    const own = `${line.core}.${line.incarnation}`;
    const other = `${line.peer}.${line.peer_incarnation}`;
    const ends = [own, other].sort().join(' and ');
    const introduction = `${ends} by ${this.introducers.get(Number(line.core)) ?? ''}`;
    if (this.introduced.has(introduction)) report('R3', `${ends} were introduced twice, now to core ${line.core}`);
    this.introduced.add(introduction);
  }

  private messageSent(line: LineOf<'message_sent'>, report: Report): void {
    if (line.message !== 'round_request' || !String(line['op']).startsWith(`${line.core}.`)) return;
    if (this.views.get(`${line.core}.${line.incarnation}`)?.includes(line.peer) === true) return;
    const text = `core ${line.core} took core ${line.peer} into ${String(line['op'])} and has no view with it`;
    report('J2', text);
  }

  private watchIncarnation(node: SimNode, report: Report): void {
    if (node.id === SKB_PEER || node.incarnation === 0) return;
    let known = this.lives.get(node.id);
    if (known === undefined) this.lives.set(node.id, (known = []));
    const last = known.at(-1);
    if (last?.life === node.life && last.incarnation === node.incarnation) return;
    if (last !== undefined && node.incarnation <= last.incarnation)
      report('R2', `core ${node.id} got incarnation ${node.incarnation} after ${last.incarnation}`);
    known.push({ incarnation: node.incarnation, life: node.life });
  }
}

/** J1: one link per pair. */
function checkLinks(node: SimNode, report: Report): void {
  const perPeer = new Map<SimNode, number>();
  for (const { other, open } of node.links.values())
    if (open && other !== null) perPeer.set(other.node, (perPeer.get(other.node) ?? 0) + 1);
  for (const [peer, links] of perPeer)
    if (links > 1) report('J1', `nodes ${node.id} and ${peer.id} have ${links} links`);
}

/** R1: one process per id. R4: nobody has given up a process that lives. */
function checkPlace(simulation: Simulation, node: SimNode, report: Report): void {
  const { id } = node;
  const cores = [...simulation.nodes.values()];
  const claimed = cores.filter(
    ({ kernel }) => kernel !== null && kernel.monitor.context.core === node.kernel?.monitor.context.core,
  );
  if (claimed.length > 1) report('R1', `${claimed.length} live processes hold core id ${id}`);
  for (const other of cores) {
    const { join } = other.kernel?.services.membership ?? {};
    if (isCore(id) && join?.hasGivenUp(id, node.incarnation))
      report('R4', `core ${other.id} has given up ${id}.${node.incarnation}, which lives`);
  }
}
