import type { BookedFault } from './fault-book.ts';
import { coresOf, type ReportLine } from './report-line.ts';
import { counted, namedCores, plural } from '../counted.ts';

/** A request that ended in an error. Times are of the world's own clock. */
export interface Failure {
  readonly what: string;
  readonly result: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** What a run recorded, from which the effects of its faults are derived. */
export interface Evidence {
  /** In order of time: views (once each), suspicions, fences, deaths, lost pages, ends of domains. */
  readonly lines: readonly ReportLine[];
  readonly failures: readonly Failure[];
}

/** Events that show the effect of a fault; other lines are not kept. */
export const TELLING: ReadonlySet<string> = new Set([
  'view_installed',
  'peer_suspected',
  'core_fenced',
  'core_ready',
  'page_lost',
  'cap_adopted',
  'cap_revoke_takeover',
  'domain_finished',
  'link_refused',
  'frame_rejected',
  'engine_restarted',
  'journal_repaired',
]);

/** What happened while a fault was in force, one line each. Overlapping faults share the lines. */
export function didOf(fault: BookedFault, evidence: Evidence, endMs: number): readonly string[] {
  const to = fault.ended ?? endMs;
  const meanwhile = evidence.lines.filter(({ time }) => time >= fault.begun && time <= to);
  return [
    ...(fault.frames > 0 ? [`${whole(fault.frames)} frames felt it`] : []),
    ...suspected(meanwhile),
    ...views(meanwhile, fault),
    ...backAgain(meanwhile, fault),
    ...happened(meanwhile),
    ...failed(evidence.failures, fault.begun, to),
  ];
}

function suspected(lines: readonly ReportLine[]): readonly string[] {
  const by = new Map<string, Set<number | string>>();
  for (const line of lines) {
    if (line.event !== 'peer_suspected') continue;
    const peer = line['peer'];
    const whom = typeof peer === 'number' ? `core ${peer}` : String(peer);
    by.set(whom, (by.get(whom) ?? new Set()).add(line.core));
  }
  return [...by].map(([whom, who]) => `${whom} was suspected by ${who.size}`);
}

function views(lines: readonly ReportLine[], { begun }: BookedFault): readonly string[] {
  return lines.flatMap((line) => {
    const lost = line.event === 'view_installed' ? coresOf(line['lost']) : [];
    if (lost.length === 0) return [];
    return [`view ${String(line['view'])} went on without ${namedCores(lost)} after ${secondsText(line.time - begun)}`];
  });
}

/** A returning core logs that it is ready by itself; the restart ends the fault a little later. */
function backAgain(lines: readonly ReportLine[], { rule, begun }: BookedFault): readonly string[] {
  const core = /^crash:(\d+)$/.exec(rule)?.[1];
  const ready = lines.find((line) => line.event === 'core_ready' && String(line.core) === core);
  return ready === undefined ? [] : [`core ${core} was ready again after ${secondsText(ready.time - begun)}`];
}

const COUNTED: Readonly<Record<string, (n: number) => string>> = {
  core_fenced: (n) => `${counted(n, 'time')} a core had no lease and was fenced`,
  page_lost: (n) => `${whole(n)} ${plural(n, 'page')} lost`,
  cap_adopted: (n) => `${whole(n)} capabilit${n === 1 ? 'y' : 'ies'} of dead owners adopted`,
  cap_revoke_takeover: (n) => `${whole(n)} ${plural(n, 'revoke')} of the dead finished by others`,
  link_refused: (n) => `${whole(n)} ${plural(n, 'link')} refused`,
  frame_rejected: (n) => `${whole(n)} ${plural(n, 'frame')} refused`,
  engine_restarted: (n) => `the Prolog engine was replaced ${counted(n, 'time')}`,
  journal_repaired: (n) => `the SKB’s journal was repaired ${counted(n, 'time')}`,
};

function happened(lines: readonly ReportLine[]): readonly string[] {
  const domains = lines.filter((line) => line.event === 'domain_finished' && line['cause'] !== 'exited');
  return [
    ...Object.entries(COUNTED).flatMap(([event, text]) => {
      const count = event === 'link_refused' ? refusals(lines) : lines.filter((line) => line.event === event).length;
      return count === 0 ? [] : [text(count)];
    }),
    ...domains.map((line) => `${String(line['program'])} (${String(line['domain'])}) ended: ${String(line['cause'])}`),
  ];
}

/** Each line carries the running total of one peer and reason. */
function refusals(lines: readonly ReportLine[]): number {
  const most = new Map<string, number>();
  for (const line of lines) {
    if (line.event !== 'link_refused') continue;
    const key = [line.core, line['peer'], line['error'], line['ours']].join(' ');
    const count = typeof line['count'] === 'number' ? line['count'] : (most.get(key) ?? 0) + 1;
    most.set(key, Math.max(count, most.get(key) ?? 0));
  }
  return [...most.values()].reduce((sum, count) => sum + count, 0);
}

/** Operations that overlapped the fault and ended in an error. */
function failed(failures: readonly Failure[], from: number, to: number): readonly string[] {
  const counts = new Map<string, number>();
  for (const { what, result, fromMs, toMs } of failures) {
    if (toMs < from || fromMs > to) continue;
    const key = `${what} ended in ${result}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].toSorted((a, b) => b[1] - a[1]).map(([text, count]) => `${whole(count)} × ${text}`);
}

export function secondsText(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}
