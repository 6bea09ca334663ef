import type { ChurnReport as CoreReport } from '@mk/node-kernel/control/verb-answers';
import { audit, type AuditReport, describeAudit } from './audit.ts';
import { type AbsentCore, askCores, type Cores } from './cores.ts';
import { type DomainRow, domainsOn, flatPeers } from './domains.ts';

export interface ChurnRequest {
  readonly seconds: number;
  /** Most operations per domain. */
  readonly operations: number;
  readonly seed: number;
  /** Domains on each core. */
  readonly workers: number;
}

export interface ChurnReport {
  readonly domains: number;
  readonly operations: number;
  readonly ok: number;
  readonly seconds: number;
  readonly errors: Readonly<Record<string, number>>;
  /** Objections of the oracles. */
  readonly wrong: readonly string[];
  /** Cores that left or did not answer: the results of their domains are unknown. */
  readonly lost: readonly AbsentCore[];
}
export type AuditedChurn = ChurnReport & { readonly audit: AuditReport };

/** Memory of each domain, bytes. */
const MEMORY = 4 << 20;
/** When its time is up, a churn finishes the operations in progress: a few deadlines, on a busy host. */
const PATIENCE_S = 30;

/**
 * Runs random capability operations in new domains on these cores, with an oracle beside each. A core that crashes or
 * hangs only loses its own domains: the others continue, and the report names it.
 */
export async function churn(
  cluster: Cores,
  cores: readonly number[],
  { workers, ...request }: ChurnRequest,
  /** Checked before anything begins. */
  isAbandoned: () => boolean = () => false,
): Promise<ChurnReport> {
  const size = { cnodes: 1, memory: MEMORY };
  const made = await askCores(cores, async (core): Promise<readonly DomainRow[]> =>
    (await Promise.all(Array.from({ length: workers }, () => domainsOn(cluster, [core], size)))).flat(),
  );
  const domains = isAbandoned() ? [] : made.answers.flatMap(({ value }) => value);
  const peers = flatPeers(domains);
  const timeoutMs = (request.seconds + PATIENCE_S) * 1000;
  const runs = await Promise.all(
    domains.map(({ core, domain }) =>
      askCores([core], () => cluster.core(core, 'churn', { domain, peers, ...request }, { timeoutMs })),
    ),
  );
  const reports = runs.flatMap(({ answers }) => answers);
  const wrong = reports.flatMap(({ core, value }) => value.wrong.map((text) => `core ${core}: ${text}`));
  const lost = new Map([...made.absent, ...runs.flatMap(({ absent }) => absent)].map((row) => [row.core, row]));
  return { domains: domains.length, ...sumOf(reports.map(({ value }) => value)), wrong, lost: [...lost.values()] };
}

/** A churn, then an audit of all cores once they are quiet. */
export async function churnAndAudit(
  cluster: Cores,
  cores: readonly number[],
  request: ChurnRequest,
): Promise<AuditedChurn> {
  const report = await churn(cluster, cores, request);
  return { ...report, audit: await audit(cluster) };
}

/**
 * Neither the oracles nor the audit found anything wrong; a core that somebody crashed does not count against the
 * others.
 */
export function isSound({ wrong, audit: found }: AuditedChurn): boolean {
  return wrong.length === 0 && found.quiet && found.violations.length === 0;
}

/** Describes a churn for people: how much was done, how fast, and how it ended. */
export function describeChurn(report: ChurnReport): readonly string[] {
  const { domains, operations, ok, seconds, errors, wrong, lost } = report;
  const whole = (value: number): string => Math.round(value).toLocaleString('en');
  const rows = Object.entries(errors).sort((a, b) => b[1] - a[1]);
  return [
    `${whole(operations)} operations on ${domains} domains in ${seconds.toFixed(1)} s: ${whole(seconds > 0 ? operations / seconds : 0)} operations/s, ${whole(ok)} succeeded`,
    ...(rows.length === 0 ? [] : [`the others: ${rows.map(([name, n]) => `${whole(n)} ${name}`).join(', ')}`]),
    ...lost.map(({ core, why }) => `core ${core} was lost, and what its domains did is not known: ${why}`),
    ...wrong,
  ];
}

/** Like `describeChurn`, with the audit's findings. */
export function describeAuditedChurn(report: AuditedChurn): readonly string[] {
  return [...describeChurn(report), ...describeAudit(report.audit)];
}

function sumOf(reports: readonly CoreReport[]): Pick<ChurnReport, 'operations' | 'ok' | 'seconds' | 'errors'> {
  const errors: Record<string, number> = {};
  for (const report of reports)
    for (const [name, count] of Object.entries(report.errors)) errors[name] = (errors[name] ?? 0) + count;
  return {
    operations: reports.reduce((sum, { operations }) => sum + operations, 0),
    ok: reports.reduce((sum, { ok }) => sum + ok, 0),
    seconds: Math.max(0, ...reports.map(({ elapsedNs }) => elapsedNs)) / 1e9,
    errors,
  };
}
