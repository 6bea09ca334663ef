import { known } from '@mk/monitor-proto/assert';
import type { Workload } from '@mk/machine/fault-plan';
import { CommandError } from '../cli/usage-error.ts';
import { audit, describeAudit } from '../client/audit.ts';
import { churn, type ChurnReport, type ChurnRequest, describeChurn } from '../client/churn.ts';
import { askCores, type Cores, coresUp } from '../client/cores.ts';
import type { ClusterSession } from '../supervisor/cluster-session.ts';
import { sessionCores } from '../supervisor/session-cores.ts';

const OPTIONS: Readonly<Record<string, { readonly field: keyof ChurnRequest; readonly max: number }>> = {
  '--seconds': { field: 'seconds', max: 86_400 },
  '--operations': { field: 'operations', max: 1e9 },
  '--workers': { field: 'workers', max: 64 },
  '--seed': { field: 'seed', max: 2 ** 32 - 1 },
};

/** A core that does not answer within this time ends its churn by itself. */
const STOP_MS = 3000;

/** Decodes a plan's `workload: { program: churn, args: [--seconds, 60] }`; the arguments are those of mkctl churn. */
export function churnRequestOf({ args, on }: Workload): ChurnRequest {
  if (on !== null) throw new CommandError('the plan’s workload churn runs on every core; leave on out', 2);
  const request = { seconds: 10, operations: 1e9, workers: 2, seed: 1 };
  for (let i = 0; i < args.length; i += 2) {
    const option = Object.hasOwn(OPTIONS, known(args[i])) ? OPTIONS[known(args[i])] : undefined;
    if (option === undefined)
      throw new CommandError(`the plan’s workload churn takes ${Object.keys(OPTIONS).join(', ')}, not ${args[i]}`, 2);
    const value = Number(args[i + 1] ?? Number.NaN);
    if (!Number.isSafeInteger(value) || value < 0 || value > option.max)
      throw new CommandError(`the plan’s workload churn: ${args[i]} must be a whole number up to ${option.max}`, 2);
    request[option.field] = value;
  }
  return request;
}

/** The workload of a plan, which runs while its faults happen. */
export interface PlanWorkload {
  start(): void;
  /** Waits for its end; resolves with its objections. */
  end(stop: AbortSignal): Promise<readonly string[]>;
  /** Ends the workload now, unjudged, and leaves the cluster to others. */
  abandon(): Promise<void>;
}

/** Random capability operations on all cores while the plan's faults happen. */
export class ChurnWorkload implements PlanWorkload {
  private running: Promise<ChurnReport> | null = null;
  private abandoned = false;
  private readonly cores: Cores;

  constructor(
    session: ClusterSession,
    private readonly request: ChurnRequest,
    private readonly say: (text: string) => void,
  ) {
    this.cores = sessionCores(session);
  }

  start(): void {
    this.running = coresUp(this.cores).then((cores) => churn(this.cores, cores, this.request, () => this.abandoned));
    this.running.catch(() => undefined); // reported by `end`
  }

  /** Waits for the end of the churn; resolves with its oracles' objections. */
  async end(): Promise<readonly string[]> {
    const summary = await known(this.running);
    for (const text of describeChurn(summary)) this.say(`churn: ${text}`);
    return summary.wrong;
  }

  async abandon(): Promise<void> {
    this.abandoned = true; // a core that has not begun to churn has nothing to stop
    const cores = await coresUp(this.cores).catch(() => []);
    await askCores(cores, (core) => this.cores.core(core, 'churn_stop', {}, { timeoutMs: STOP_MS }));
  }
}

/** Audits every core after a workload; resolves with what does not hold. */
export async function auditSession(session: ClusterSession, say: (text: string) => void): Promise<readonly string[]> {
  const report = await audit(sessionCores(session));
  const rows = describeAudit(report);
  say(`audit: ${known(rows.at(-1))}`);
  for (const { core, why } of report.absent) say(`audit: core ${core} is not checked: ${why}`);
  if (report.violations.length > 0) return rows.slice(0, report.violations.length);
  return report.quiet ? [] : ['capabilities kept changing after the workload’s end, so they could not be audited'];
}
