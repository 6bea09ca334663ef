import { auditCapabilities } from '@mk/node-kernel/capability/audit/audit';
import type { CoreSnapshot, Violation } from '@mk/node-kernel/capability/audit/audit-snapshot';
import { type Gone, type Loss, partLosses } from '@mk/node-kernel/capability/audit/losses';
import { describeLosses } from './audit-losses.ts';
import { type AbsentCore, askCores, type Cores, rebornCores } from './cores.ts';
import { namedCores, plural } from '@mk/machine/counted';

type Snapshot = CoreSnapshot & { readonly busy: boolean };

/** The result of an audit. */
export interface AuditReport {
  readonly cores: number;
  readonly capabilities: number;
  /** Two rounds of snapshots were equal and nothing was under way: the audit is conclusive. */
  readonly quiet: boolean;
  readonly violations: readonly Violation[];
  /** Cores that did not answer: their capabilities are not checked. */
  readonly absent: readonly AbsentCore[];
  /** Losses explained by a core that is absent or has restarted: no live core is at fault. */
  readonly losses: readonly Loss[];
  /** The restarted cores, and their present lives. */
  readonly reborn: readonly { readonly core: number; readonly incarnation: number }[];
}

const QUIET_WITHIN_MS = 20_000;
/** A snapshot takes no time: a core answers at once. */
const ANSWER_MS = 5000;

/**
 * Takes snapshots of all cores until two in a row are equal and nothing is under way, then audits those that answer.
 */
export async function audit(cluster: Cores, withinMs: number = QUIET_WITHIN_MS): Promise<AuditReport> {
  const pause: { busy: readonly number[] } = { busy: [] };
  const look = (): Promise<AuditReport> => auditWhenQuiet(cluster, withinMs, pause);
  return cluster.waiting === undefined ? look() : cluster.waiting(() => describePause(pause.busy), look);
}

/** Audits as soon as all is quiet; keeps in `pause` which cores are still busy. */
async function auditWhenQuiet(
  cluster: Cores,
  withinMs: number,
  pause: { busy: readonly number[] },
): Promise<AuditReport> {
  const end = performance.now() + withinMs;
  const absent = new Map<number, AbsentCore>();
  let before = new Map<number, string>();
  for (;;) {
    const rows = await cluster.cores();
    const snapshots = await snapshotsOf(
      cluster,
      rows.map(({ core }) => core),
      absent,
    );
    const now = new Map(snapshots.map((snapshot) => [snapshot.core, JSON.stringify(snapshot)]));
    pause.busy = snapshots
      .filter(({ core, busy }) => busy || now.get(core) !== before.get(core))
      .map(({ core }) => core);
    before = now;
    if (pause.busy.length > 0 && performance.now() < end) continue;
    const gone = { absent: new Set(absent.keys()), reborn: livesOf(rows) };
    return {
      cores: snapshots.length,
      capabilities: snapshots.reduce((sum, { slots }) => sum + slots.length, 0),
      quiet: pause.busy.length === 0,
      ...partLosses(auditCapabilities(snapshots), snapshots, gone),
      absent: [...absent.values()].sort((a, b) => a.core - b.core),
      reborn: [...gone.reborn].map(([core, incarnation]) => ({ core, incarnation })),
    };
  }
}

function describePause(busy: readonly number[]): string {
  return busy.length === 0
    ? 'the capabilities of all cores'
    : `${namedCores(busy)}, where capabilities are still changing (audit)`;
}

function livesOf(rows: Parameters<typeof rebornCores>[0]): ReadonlyMap<number, number> {
  const reborn = new Set(rebornCores(rows));
  return new Map(
    rows.filter(({ core }) => reborn.has(core)).map(({ core, incarnation }) => [core, incarnation] as const),
  );
}

/** An audit for people, naming capability and cores. */
export function describeAudit(report: AuditReport): readonly string[] {
  const { cores, capabilities, quiet, violations, absent } = report;
  const rows = violations.map(
    ({ invariant, what, cores: on, detail }) =>
      `${invariant}  ${what} on ${plural(on.length, 'core')} ${on.join(', ')}: ${detail}`,
  );
  const judged = report.losses.length === 0 ? '' : ' where it can be judged';
  const verdict = violations.length === 0 ? `every invariant holds${judged}` : `${violations.length} violations`;
  const note = quiet ? '' : '; capabilities kept changing while they were looked at, so this may be a state in between';
  return [
    ...rows,
    ...absent.map(({ core, why }) => `core ${core} is not checked: ${why}`),
    ...describeLosses(report.losses, goneIn(report)),
    `${capabilities} capabilities on ${cores} cores: ${verdict}${note}`,
  ];
}

/**
 * Every core answered, nothing moved, and nothing is wrong. Losses by a crash are reported, but no survivor is to blame
 * for them.
 */
export function isSoundAudit({ quiet, violations, absent }: AuditReport): boolean {
  return quiet && violations.length === 0 && absent.length === 0;
}

/** The snapshots of the cores that answer; notes the others in `absent`, which are not asked again. */
async function snapshotsOf(
  cluster: Cores,
  cores: readonly number[],
  noted: Map<number, AbsentCore>,
): Promise<readonly Snapshot[]> {
  for (const core of (await cluster.absent?.()) ?? []) noted.set(core.core, core);
  const asked = cores.filter((core) => !noted.has(core));
  const { answers, absent } = await askCores(asked, (core) =>
    cluster.core(core, 'audit_snapshot', {}, { timeoutMs: ANSWER_MS }),
  );
  for (const core of absent) noted.set(core.core, core);
  return answers.map(({ value }) => value);
}

function goneIn({ absent, reborn }: AuditReport): Gone {
  return {
    absent: new Set(absent.map(({ core }) => core)),
    reborn: new Map(reborn.map(({ core, incarnation }) => [core, incarnation])),
  };
}
