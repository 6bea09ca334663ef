import type { CoreId } from '@mk/monitor-proto/ids';
import { auditCapabilities } from '@mk/node-kernel/capability/audit/audit';
import type { CoreSnapshot, Violation } from '@mk/node-kernel/capability/audit/audit-snapshot';
import { type AbsentCore, askEach, type Cores, rebornCores } from './cores.ts';

type Snapshot = CoreSnapshot & { readonly busy: boolean };

/** What an audit found. */
export interface AuditReport {
  readonly cores: number;
  readonly capabilities: number;
  /** Two rounds of snapshots were alike and nothing was under way: what the audit says is so. */
  readonly quiet: boolean;
  readonly violations: readonly Violation[];
  /** Cores that could not be asked: what they hold is not checked. */
  readonly absent: readonly AbsentCore[];
  /** What went with a core that is not there, or with an earlier life of one: nobody that lives has done wrong. */
  readonly losses: readonly Violation[];
}

const QUIET_WITHIN_MS = 20_000;
/** A core that takes a snapshot answers at once. */
const ANSWER_MS = 5000;

/** Takes snapshots of all cores until two in a row are alike and nothing is under way, then audits those that answer. */
export async function audit(cluster: Cores, withinMs: number = QUIET_WITHIN_MS): Promise<AuditReport> {
  const end = Date.now() + withinMs;
  const absent = new Map<number, AbsentCore>();
  let before = '';
  for (;;) {
    const rows = await cluster.cores();
    const snapshots = await snapshotsOf(
      cluster,
      rows.map(({ core }) => core),
      absent,
    );
    const text = JSON.stringify(snapshots);
    const quiet = text === before && snapshots.every(({ busy }) => !busy);
    before = text;
    if (!quiet && Date.now() < end) continue;
    const gone = { absent: new Set(absent.keys()), reborn: new Set(rebornCores(rows)) };
    const found = auditCapabilities(snapshots);
    return {
      cores: snapshots.length,
      capabilities: snapshots.reduce((sum, { slots }) => sum + slots.length, 0),
      quiet,
      violations: found.filter((violation) => !isLoss(violation, gone)),
      absent: [...absent.values()].sort((a, b) => a.core - b.core),
      losses: found.filter((violation) => isLoss(violation, gone)),
    };
  }
}

/** An audit for people, naming capability and cores. */
export function describeAudit(report: AuditReport): readonly string[] {
  const { cores, capabilities, quiet, violations, absent, losses } = report;
  const rows = violations.map(
    ({ invariant, what, cores: on, detail }) =>
      `${invariant}  ${what} on core${on.length === 1 ? '' : 's'} ${on.join(', ')}: ${detail}`,
  );
  const verdict = violations.length === 0 ? 'every invariant holds' : `${violations.length} violations`;
  const note = quiet ? '' : '; capabilities kept changing while they were looked at, so this may be a state in between';
  return [
    ...rows,
    ...absent.map(({ core, why }) => `core ${core} is not checked: ${why}`),
    ...(losses.length === 0 ? [] : [describeLosses(losses)]),
    `${capabilities} capabilities on ${cores} cores: ${verdict}${note}`,
  ];
}

/** Every core was there, nothing moved, nothing is wrong. What a crash took with it is told, and is no fault of those who live. */
export function isSoundAudit({ quiet, violations, absent }: AuditReport): boolean {
  return quiet && violations.length === 0 && absent.length === 0;
}

/** The snapshots of those that answer; the others are noted. A core that was absent once is not asked again. */
async function snapshotsOf(
  cluster: Cores,
  cores: readonly number[],
  noted: Map<number, AbsentCore>,
): Promise<readonly Snapshot[]> {
  for (const core of (await cluster.absent?.()) ?? []) noted.set(core.core, core);
  const asked = cores.filter((core) => !noted.has(core));
  const { answers, absent } = await askEach<Snapshot>(asked, (core) =>
    cluster.core(core, 'audit_snapshot', {}, { timeoutMs: ANSWER_MS }),
  );
  for (const core of absent) noted.set(core.core, core);
  return answers.map(({ value }) => value);
}

interface Gone {
  readonly absent: ReadonlySet<number>;
  readonly reborn: ReadonlySet<number>;
}

/** A core that crashes takes its capabilities with it: memory that only it had is lost, and what it owned has no owner. */
function isLoss({ memory, owners = [], cores }: Violation, { absent, reborn }: Gone): boolean {
  const isGone = (core: CoreId): boolean => absent.has(core) || reborn.has(core);
  if (memory === 'leaked') return absent.size + reborn.size > 0 && !cores.some(isGone);
  if (memory === 'foreign') return absent.size > 0;
  return owners.some(isGone);
}

function describeLosses(losses: readonly Violation[]): string {
  const of = (wanted: (violation: Violation) => boolean): number => losses.filter(wanted).length;
  const parts = [
    [of(({ memory }) => memory === 'leaked'), 'pieces of memory went with a core that had the only capability to them'],
    [of(({ memory }) => memory === 'foreign'), 'pieces belong to a core that is not there'],
    [of(({ owners }) => owners !== undefined), 'capabilities name an owner that is gone'],
  ] as const;
  const told = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return `lost in a crash: ${told.join('; ')}`;
}
