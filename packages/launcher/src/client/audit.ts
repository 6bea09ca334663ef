import { auditCapabilities } from '@mk/node-kernel/capability/audit/audit';
import type { CoreSnapshot, Violation } from '@mk/node-kernel/capability/audit/audit-snapshot';
import type { Cores } from './cores.ts';

type Snapshot = CoreSnapshot & { readonly busy: boolean };

/** What an audit found. */
export interface AuditReport {
  readonly cores: number;
  readonly capabilities: number;
  /** Two rounds of snapshots were alike and nothing was under way: what the audit says is so. */
  readonly quiet: boolean;
  readonly violations: readonly Violation[];
}

const QUIET_WITHIN_MS = 20_000;

/** Takes snapshots of all cores until two in a row are alike and nothing is under way, then audits them. */
export async function audit(cluster: Cores, withinMs: number = QUIET_WITHIN_MS): Promise<AuditReport> {
  const end = Date.now() + withinMs;
  let before = '';
  for (;;) {
    const snapshots = await snapshotAll(cluster);
    const text = JSON.stringify(snapshots);
    const quiet = text === before && snapshots.every(({ busy }) => !busy);
    before = text;
    if (!quiet && Date.now() < end) continue;
    const capabilities = snapshots.reduce((sum, { slots }) => sum + slots.length, 0);
    return { cores: snapshots.length, capabilities, quiet, violations: auditCapabilities(snapshots) };
  }
}

/** An audit for people, naming capability and cores. */
export function describeAudit({ cores, capabilities, quiet, violations }: AuditReport): readonly string[] {
  const rows = violations.map(
    ({ invariant, what, cores: on, detail }) =>
      `${invariant}  ${what} on core${on.length === 1 ? '' : 's'} ${on.join(', ')}: ${detail}`,
  );
  const verdict = violations.length === 0 ? 'every invariant holds' : `${violations.length} violations`;
  const note = quiet ? '' : '; capabilities kept changing while they were looked at, so this may be a state in between';
  return [...rows, `${capabilities} capabilities on ${cores} cores: ${verdict}${note}`];
}

async function snapshotAll(cluster: Cores): Promise<readonly Snapshot[]> {
  const cores = (await cluster.cores()).map(({ core }) => core);
  return Promise.all(cores.map(async (core) => (await cluster.core(core, 'audit_snapshot')) as Snapshot));
}
