import type { PeerId } from '@mk/monitor-proto/ids';
import { epochOf, isMember, majorityOf, type Member, type View } from '@mk/node-kernel/monitor/views/view';
import type { SimLogLine } from '../engine/sim-log.ts';
import type { SimNode } from '../engine/sim-node.ts';
import type { Simulation } from '../engine/simulation.ts';
import type { Checker, Report } from './checker.ts';

/** V1, V3, V4: the promises of view agreement (view-agreement.ts), on whole kernels. */
export function viewsChecker(): Checker {
  return new ViewsChecker();
}

class ViewsChecker implements Checker {
  readonly name = 'views';
  private readonly nodes = new Map<PeerId, SimNode>();
  /** Every view by number, as its first installer had it. */
  private readonly agreed = new Map<number, string>();
  /** The number of the last view that each life of a core installed. */
  private readonly last = new Map<string, number>();
  private newest: View | null = null;
  /** Lives that are expelled for what they did: nobody waits for their leases (quarantine.ts). */
  private readonly guilty = new Set<string>();

  line(line: SimLogLine, report: Report, node: SimNode): void {
    this.nodes.set(node.id, node);
    const accused = line.event === 'core_quarantined' ? this.nodes.get(Number(line['peer'])) : undefined;
    if (accused !== undefined) this.guilty.add(lifeOf(accused));
    if (line.event !== 'view_installed') return;
    // A core that lagged behind installs several in one step.
    const view = node.kernel?.services.views.agreement?.past.views.find(({ number }) => number === line['view']);
    if (view !== undefined) this.installed(node, view, Number(line['time']) * 1e6, report);
  }

  atEnd(_simulation: Simulation, report: Report): void {
    const views = [...this.nodes.values()].flatMap((node) => viewOf(node) ?? []);
    const numbers = new Set(views.map(({ number }) => number));
    if (numbers.size > 1) report('V4', `after faults stopped the cores are in views ${[...numbers].join(' and ')}`);
  }

  private installed(node: SimNode, view: View, now: number, report: Report): void {
    const text = JSON.stringify([view.leader, view.members]);
    const life = lifeOf(node);
    const before = this.last.get(life);
    this.last.set(life, view.number);
    if (before !== undefined && view.number !== before + 1 && epochOf(view.number) <= epochOf(before))
      report('V3', `core ${node.id} installs view ${view.number} after ${before}`);
    const known = this.agreed.get(view.number);
    if (known !== undefined) {
      if (known !== text) report('V3', `core ${node.id} has another view ${view.number}: ${text}, not ${known}`);
      return;
    }
    this.agreed.set(view.number, text);
    const predecessor = this.newest;
    if (predecessor === null || view.number > predecessor.number) this.newest = view;
    if (predecessor === null || epochOf(view.number) > epochOf(predecessor.number)) return;
    this.succeeds(predecessor, view, now, report);
  }

  /** Cores that the new view leaves out have no lease once anybody is in it. */
  private succeeds(before: View, view: View, now: number, report: Report): void {
    for (const other of this.nodes.values()) {
      const { id, kernel } = other;
      const agreement = kernel?.services.views.agreement ?? null;
      if (agreement === null || isMember(view, agreement.self)) continue;
      if (agreement.mayAct(now) && !this.guilty.has(lifeOf(other)))
        report('V1', `view ${view.number} is in force and core ${id}, which is not in it, has a lease`);
    }
    const decided = before.members.filter((member) => isMember(view, member) || this.leaves(member)).length;
    const living = before.members.filter(({ core, incarnation }) => {
      const other = this.nodes.get(core);
      return other !== undefined && other.machine !== null && other.incarnation === incarnation;
    }).length;
    if (decided < Math.min(living, majorityOf(before.members.length)))
      report('V1', `view ${view.number} has ${decided} of ${before.members.length} of the one before, ${living} live`);
  }

  /** A core that leaves by itself votes for the view without it. */
  private leaves({ core, incarnation }: Member): boolean {
    const node = this.nodes.get(core);
    return node?.incarnation === incarnation && node.kernel?.services.views.agreement?.isLeaving === true;
  }
}

function lifeOf({ id, life }: SimNode): string {
  return `${id}/${life}`;
}

function viewOf({ kernel }: SimNode): View | null {
  return kernel?.services.views.agreement?.view ?? null;
}
