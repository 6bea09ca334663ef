import { audit, type AuditReport, describeAudit } from './audit.ts';
import type { Cores } from './cores.ts';
import { domainsOn, flatPeers } from './domains.ts';

/** What the core's verb `churn` answers. */
interface CoreReport {
  readonly operations: number;
  readonly ok: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly wrong: readonly string[];
  readonly elapsedNs: number;
}

export interface ChurnRequest {
  readonly seconds: number;
  /** At most so many for each domain. */
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
  /** What the oracles object to. */
  readonly wrong: readonly string[];
}
export type AuditedChurn = ChurnReport & { readonly audit: AuditReport };

/** Memory of each domain, bytes. */
const MEMORY = 4 << 20;

/** Random capability operations of new domains on these cores, with an oracle beside each. */
export async function churn(
  cluster: Cores,
  cores: readonly number[],
  { workers, ...request }: ChurnRequest,
): Promise<ChurnReport> {
  const size = { cnodes: 1, memory: MEMORY };
  const domains = (await Promise.all(Array.from({ length: workers }, () => domainsOn(cluster, cores, size)))).flat();
  const peers = flatPeers(domains);
  const timeoutMs = (request.seconds + 60) * 1000;
  const reports = await Promise.all(
    domains.map(
      async ({ core, domain }) =>
        (await cluster.core(core, 'churn', { domain, peers, ...request }, { timeoutMs })) as CoreReport,
    ),
  );
  const wrong = reports.flatMap((report, i) => report.wrong.map((text) => `core ${domains[i]!.core}: ${text}`));
  return { domains: domains.length, ...sumOf(reports), wrong };
}

/** A churn, then an audit of all cores once everything is quiet. */
export async function churnAndAudit(
  cluster: Cores,
  cores: readonly number[],
  request: ChurnRequest,
): Promise<AuditedChurn> {
  const report = await churn(cluster, cores, request);
  return { ...report, audit: await audit(cluster) };
}

/** The oracle found nothing wrong, and the audit neither. */
export function isSound({ wrong, audit: found }: AuditedChurn): boolean {
  return wrong.length === 0 && found.quiet && found.violations.length === 0;
}

/** A churn for people: how much was done, how fast, and how it ended. */
export function describeChurn({ domains, operations, ok, seconds, errors, wrong }: ChurnReport): readonly string[] {
  const whole = (value: number): string => Math.round(value).toLocaleString('en');
  const rows = Object.entries(errors).sort((a, b) => b[1] - a[1]);
  return [
    `${whole(operations)} operations on ${domains} domains in ${seconds.toFixed(1)} s: ${whole(operations / seconds)} operations/s, ${whole(ok)} succeeded`,
    ...(rows.length === 0 ? [] : [`the others: ${rows.map(([name, n]) => `${whole(n)} ${name}`).join(', ')}`]),
    ...wrong,
  ];
}

/** The same, and what the audit found. */
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
    seconds: Math.max(...reports.map(({ elapsedNs }) => elapsedNs)) / 1e9,
    errors,
  };
}
