import { askProcess } from '../client/ask.ts';
import type { ClusterSession } from '../supervisor/cluster-session.ts';

const WITHIN_MS = 90_000;

/** Whether the cluster is whole again: all running cores are members, bound to one another, and agree in a round. */
export class Convergence {
  constructor(private readonly session: ClusterSession) {}

  /** What is still wrong once recovery should be over; empty: nothing. */
  async check(): Promise<string[]> {
    const { supervisor, control } = this.session;
    const left = (await control.faults()).map(({ rule }) => rule.id);
    if (left.length > 0)
      return [
        `the plan leaves faults in force (${left.join(', ')}), so the cluster cannot converge; end it with heal: all`,
      ];
    const until = performance.now() + WITHIN_MS;
    for (;;) {
      const problem = await this.problem().catch((error: Error) => error.message);
      if (problem === null) return [];
      if (performance.now() > until) return [`the cluster has not converged within ${WITHIN_MS / 1000} s: ${problem}`];
      if (supervisor.ending) return ['the cluster was ended before it had converged'];
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  private async problem(): Promise<string | null> {
    const { supervisor } = this.session;
    const running = supervisor.cores().filter(([, process]) => process.state === 'running');
    const members = await askProcess('skb', supervisor.skbAddress, supervisor.access, 'cores');
    if (members.length !== running.length) return `${members.length} members, ${running.length} cores running`;
    const loose = members.find(({ up, links }) => !up || links !== members.length - 1);
    if (loose !== undefined) return `core ${loose.core} is bound to ${loose.links} of ${members.length - 1} others`;
    const leader = running[0];
    if (leader === undefined) return null;
    const { cores } = await askProcess('core', leader[1].address, supervisor.access, 'round', {
      plan: 'multicast',
      phases: 2,
      count: 1,
    });
    return cores === members.length ? null : `a round reached ${cores} of ${members.length} cores`;
  }
}
