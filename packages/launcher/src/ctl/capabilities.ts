import { auditCapabilities } from '@mk/node-kernel/capability/audit';
import type { CoreSnapshot, Violation } from '@mk/node-kernel/capability/audit-snapshot';
import { coreNumber } from '../cli/values.ts';
import type { ClusterClient } from '../client/cluster-client.ts';
import { type CtlCommand, optional, printJson } from './context.ts';

/** One slot, as a core's verb `caps` lists it. */
interface CapabilityRow {
  readonly slot: number;
  readonly capability: string;
  readonly owner: number;
  readonly locked: boolean;
  readonly in_delete: boolean;
  readonly relations: number;
}

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
const RELATIONS = ['copies', 'ancestors', 'descendants'];

export const CAPS: CtlCommand = {
  command: 'caps',
  describe: 'capabilities, slot by slot, with owner, lock and what may exist elsewhere',
  examples: [['$0 caps --core 3', 'those on core 3']],
  options: (cli) => cli.option('core', { type: 'string', requiresArg: true, describe: 'one core; without it all' }) as never,
  async run(context) {
    const wanted = optional(context.args, 'core');
    const cores = wanted === undefined ? (await context.cluster.cores()).map(({ core }) => core) : [coreNumber('--core', wanted)];
    const lists = await Promise.all(cores.map(async (core) => ({ core, capabilities: (await context.cluster.core(core, 'caps')) as CapabilityRow[] })));
    if (context.json) return printJson(context, lists);
    for (const { core, capabilities } of lists) {
      context.terminal.out(`core ${core}: ${capabilities.length} capabilities`);
      for (const row of capabilities) context.terminal.out(`  ${describeRow(row)}`);
    }
  },
};

export const AUDIT: CtlCommand = {
  command: 'audit',
  describe: 'checks every capability invariant over all cores (C1, C2, C5, relations)',
  examples: [['$0 audit', 'exit status 1 when one does not hold']],
  async run(context) {
    const report = await audit(context.cluster);
    if (context.json) printJson(context, report);
    else for (const line of describeAudit(report)) context.terminal.out(line);
    return report.quiet && report.violations.length === 0 ? 0 : 1;
  },
};

/** Takes snapshots of all cores until two in a row are alike and nothing is under way, then audits them. */
export async function audit(cluster: ClusterClient, withinMs: number = QUIET_WITHIN_MS): Promise<AuditReport> {
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
  const rows = violations.map(({ invariant, what, cores: on, detail }) => `${invariant}  ${what} on core${on.length === 1 ? '' : 's'} ${on.join(', ')}: ${detail}`);
  const verdict = violations.length === 0 ? 'every invariant holds' : `${violations.length} violations`;
  const note = quiet ? '' : '; capabilities kept changing while they were looked at, so this may be a state in between';
  return [...rows, `${capabilities} capabilities on ${cores} cores: ${verdict}${note}`];
}

async function snapshotAll(cluster: ClusterClient): Promise<readonly Snapshot[]> {
  const cores = (await cluster.cores()).map(({ core }) => core);
  return Promise.all(cores.map(async (core) => (await cluster.core(core, 'audit_snapshot')) as Snapshot));
}

function describeRow({ slot, capability, owner, locked, in_delete: inDelete, relations }: CapabilityRow): string {
  const remote = RELATIONS.filter((_, bit) => (relations & (1 << bit)) !== 0);
  const marks = [locked ? 'locked' : '', inDelete ? 'in delete' : '', remote.length > 0 ? `remote ${remote.join(', ')}` : ''].filter((mark) => mark !== '');
  return `${slot < 0 ? 'kernel' : `0x${slot.toString(16)}`}  ${capability}  owner ${owner}${marks.length > 0 ? `  (${marks.join('; ')})` : ''}`;
}
