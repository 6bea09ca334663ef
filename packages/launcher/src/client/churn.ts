import { audit, type AuditReport, describeAudit } from './audit.ts';
import type { ClusterClient } from './cluster-client.ts';
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
  /** What the oracle found. */
  readonly wrong: readonly string[];
  readonly audit: AuditReport;
}

const MEMORY = 4 << 20;

/** Random capability operations of new domains on these cores, then an audit of all cores. */
export async function runChurn(cluster: ClusterClient, cores: readonly number[], { workers, ...request }: ChurnRequest): Promise<ChurnReport> {
  const size = { cnodes: 1, memory: MEMORY };
  const domains = (await Promise.all(Array.from({ length: workers }, () => domainsOn(cluster, cores, size)))).flat();
  const peers = flatPeers(domains);
  const timeoutMs = (request.seconds + 60) * 1000;
  const reports = await Promise.all(
    domains.map(async ({ core, domain }) => (await cluster.core(core, 'churn', { domain, peers, ...request }, { timeoutMs })) as CoreReport),
  );
  const wrong = reports.flatMap((report, i) => report.wrong.map((text) => `core ${domains[i]!.core}: ${text}`));
  return { domains: domains.length, ...sumOf(reports), wrong, audit: await audit(cluster) };
}

/** The oracle found nothing wrong, and the audit neither. */
export function isSound({ wrong, audit: found }: ChurnReport): boolean {
  return wrong.length === 0 && found.quiet && found.violations.length === 0;
}

export function describeChurn({ domains, operations, ok, seconds, wrong, audit: found }: ChurnReport): readonly string[] {
  const whole = (value: number): string => Math.round(value).toLocaleString('en');
  const what = `${whole(operations)} operations on ${domains} domains in ${seconds.toFixed(1)} s`;
  return [`${what}: ${whole(operations / seconds)} operations/s, ${whole(ok)} succeeded`, ...wrong, ...describeAudit(found)];
}

function sumOf(reports: readonly CoreReport[]): Pick<ChurnReport, 'operations' | 'ok' | 'seconds' | 'errors'> {
  const errors: Record<string, number> = {};
  for (const report of reports) for (const [name, count] of Object.entries(report.errors)) errors[name] = (errors[name] ?? 0) + count;
  return {
    operations: reports.reduce((sum, { operations }) => sum + operations, 0),
    ok: reports.reduce((sum, { ok }) => sum + ok, 0),
    seconds: Math.max(...reports.map(({ elapsedNs }) => elapsedNs)) / 1e9,
    errors,
  };
}
