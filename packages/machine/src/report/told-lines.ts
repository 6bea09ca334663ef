import { formatCores } from '../duration.ts';
import { coresOf, nameOf, type ReportLine } from './report-line.ts';
import type { EntryKind } from './run-report.ts';

/** A log line in a timeline's words. */
export interface Told {
  readonly kind: EntryKind;
  readonly text: string;
  /** Lines with the same key within a moment form one entry. */
  readonly key: string;
  /** Concerns the whole cluster, whoever logged it. */
  readonly everybody?: boolean;
}

/** Puts a log line into words for the timeline; null if it does not belong there. Faults have their own book. */
export function toldOf(line: ReportLine): Told | null {
  const { event } = line;
  const tell = TELLERS[event];
  if (tell !== undefined) return tell(line);
  if (line['level'] !== 'warn' && line['level'] !== 'error') return null;
  const text = `${event} ${fieldsText(line)}`.trim();
  return { kind: 'warning', text, key: `${event} ${String(line['peer'] ?? line['text'] ?? '')}` };
}

/** An operation whose end a core logged. */
export interface LoggedOperation {
  readonly what: string;
  readonly result: string;
  readonly elapsedMs: number;
}

export function operationOf(line: ReportLine): LoggedOperation | null {
  if (line.event !== 'round_finished' && line.event !== 'cap_operation') return null;
  const round = line.event === 'round_finished';
  const what = round ? `${String(line['plan'])} round, ${String(line['phases'])}-phase` : String(line['kind']);
  const elapsed = line['elapsed_us'];
  return { what, result: String(line['result']), elapsedMs: typeof elapsed === 'number' ? elapsed / 1000 : 0 };
}

const TELLERS: Readonly<Record<string, (line: ReportLine) => Told | null>> = {
  view_installed: (line) => {
    const lost = coresOf(line['lost']);
    const left = coresOf(line['left']);
    const joined = coresOf(line['joined']);
    const text = [
      `view ${String(line['view'])}: ${coresOf(line['members']).length} members, leader ${String(line['leader'])}`,
      ...(lost.length === 0 ? [] : [`lost ${formatCores(lost)}`]),
      ...(left.length === 0 ? [] : [`left ${formatCores(left)}`]),
      ...(joined.length === 0 ? [] : [`joined ${formatCores(joined)}`]),
    ].join('; ');
    return { kind: 'view', text, key: `view ${String(line['view'])}`, everybody: true };
  },
  core_fenced: (line) => ({ kind: 'view', text: 'has no lease and is fenced', key: `fenced ${String(line['view'])}` }),
  core_unfenced: (line) => ({ kind: 'view', text: 'has a lease again', key: `unfenced ${String(line['view'])}` }),
  member_gone: (line) => ({
    kind: 'member',
    text: `core ${String(line['member'])} is declared gone (${String(line['cause'])})`,
    key: `gone ${String(line['member'])}`,
  }),
  member_down: () => null,
  core_ready: (line) => ({
    kind: 'member',
    text: `is ready again, as incarnation ${String(line['incarnation'])}`,
    key: `ready ${line.core} ${String(line['incarnation'])}`,
  }),
  peer_suspected: (line) => ({ kind: 'suspicion', text: `suspects ${peer(line)}`, key: `suspected ${peer(line)}` }),
  peer_heard: (line) => ({ kind: 'suspicion', text: `hears ${peer(line)} again`, key: `heard ${peer(line)}` }),
  operation_unanswered: () => null,
  domain_finished: (line) => ({
    kind: 'program',
    text: `${String(line['program'])} (${String(line['domain'])}) ${line['cause'] === 'exited' ? `exited with ${String(line['status'])}` : `ended: ${String(line['cause'])}`}`,
    key: `domain ${String(line['domain'])}`,
  }),
  process_failed: (line) => ({ kind: 'broken', text: `ends: ${String(line['text'])}`, key: `failed ${line.core}` }),
  assertion_failed: (line) => ({
    kind: 'broken',
    text: `assertion ${String(line['invariant'])} failed: ${String(line['text'])}`,
    key: `assertion ${line.core} ${String(line['invariant'])}`,
  }),
};

function peer(line: ReportLine): string {
  const value = line['peer'];
  return typeof value === 'number' ? nameOf(value) : String(value);
}

const COMMON = new Set(['v', 'time', 'level', 'event', 'core', 'incarnation', 'seq', 'lamport', 'msg', 'op', 'link']);

function fieldsText(line: ReportLine): string {
  return Object.entries(line)
    .filter(([name]) => !COMMON.has(name))
    .map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(' ');
}
