import { audit, type AuditReport, type Cores } from './audit.ts';
import { domainEverywhere, flatPeers } from './domains.ts';

/** What the core's verb `churn` answers. */
interface ChurnReport {
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

export interface ChurnSummary {
  readonly domains: number;
  readonly operations: number;
  readonly ok: number;
  readonly seconds: number;
  readonly errors: Readonly<Record<string, number>>;
  /** What the oracles object to. */
  readonly wrong: readonly string[];
}

/** Memory of each domain, bytes. */
const MEMORY = 4 << 20;

/** Random capability operations on every core at once, with an oracle beside each. */
export async function churn(cluster: Cores, { workers, ...request }: ChurnRequest): Promise<ChurnSummary> {
  const rounds = await Promise.all(
    Array.from({ length: workers }, () => domainEverywhere(cluster, { cnodes: 1, memory: MEMORY })),
  );
  const domains = rounds.flat();
  const peers = flatPeers(domains);
  const timeoutMs = (request.seconds + 60) * 1000;
  const reports = await Promise.all(
    domains.map(
      async ({ core, domain }) =>
        (await cluster.core(core, 'churn', { domain, peers, ...request }, { timeoutMs })) as ChurnReport,
    ),
  );
  const wrong = reports.flatMap((report, i) => report.wrong.map((text) => `core ${domains[i]!.core}: ${text}`));
  return { domains: domains.length, ...sumOf(reports), wrong };
}

/** A churn for people: how much was done, how fast, and how it ended. */
export function describeChurn({ domains, operations, ok, seconds, errors, wrong }: ChurnSummary): readonly string[] {
  const count = (n: number): string => Math.round(n).toLocaleString('en');
  const rows = Object.entries(errors).sort((a, b) => b[1] - a[1]);
  return [
    `${count(operations)} operations on ${domains} domains in ${seconds.toFixed(1)} s: ${count(operations / seconds)} operations/s, ${count(ok)} succeeded`,
    ...(rows.length === 0 ? [] : [`the others: ${rows.map(([name, n]) => `${count(n)} ${name}`).join(', ')}`]),
    ...wrong,
  ];
}

/** A churn, and an audit once everything is quiet. */
export async function churnAndAudit(
  cluster: Cores,
  request: ChurnRequest,
): Promise<ChurnSummary & { readonly audit: AuditReport }> {
  const summary = await churn(cluster, request);
  return { ...summary, audit: await audit(cluster) };
}

function sumOf(reports: readonly ChurnReport[]): Omit<ChurnSummary, 'wrong' | 'domains'> {
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
