import { visible } from '../one-line.ts';
import { secondsText } from './consequences.ts';
import { OutcomeTable } from './outcome-table.ts';
import type { EndedRow, FaultReport, RunReport } from './run-report.ts';
import { counted } from '../counted.ts';

/** Timeline entries shown on a terminal. */
const TOLD_MOST = 60;

/** A report for a terminal, or a file. `everything`: the whole timeline. */
export function reportText(report: RunReport, everything = false): string {
  return [
    ...headRows(report),
    '',
    ...section('asked', askedRows(report)),
    ...section('ended', endedRows(report)),
    ...section('faults', report.faults.flatMap(faultRows)),
    ...section('timeline', timelineRows(report, everything ? Infinity : TOLD_MOST)),
    ...section('notes', report.notes),
    ...section('seeds', seedRows(report)),
    `repeat: ${report.asked.repeat}`,
  ].join('\n');
}

/** `HELD  plan runs/a.yaml on 4 cores (flat), processes, seed 42, in 7.3 s`. */
export function headline({ verdict, world, asked, took_ms }: RunReport): string {
  const { what, cores, machine, seed } = asked;
  return `${verdict.toUpperCase()}  ${visible(what)} on ${counted(cores, 'core')} (${machine}), ${world}, seed ${seed}, in ${secondsText(took_ms)}`;
}

/** Tells people where a report is. */
export function keptLine(folder: string): string {
  return `report: ${folder} (report.html for a browser, report.json, report.txt)`;
}

/** `38 ok, 2 OPERATION_TIMEOUT`: successes first, then by count. */
export function outcomesText({ outcomes }: EndedRow): string {
  return Object.entries(outcomes)
    .toSorted(([a, n], [b, m]) => Number(b === 'ok') - Number(a === 'ok') || m - n || a.localeCompare(b))
    .map(([outcome, times]) => `${times.toLocaleString('en')} ${outcome}`)
    .join(', ');
}

/** `0.200 s to 1.201 s`. */
export function faultTimes({ began_ms: began, ended_ms: ended, planned_ms: planned }: FaultReport): string {
  if (began === null) return `asked for at ${secondsText(planned ?? 0)}`;
  return `${secondsText(began)} to ${ended === null ? 'the end' : secondsText(ended)}`;
}

function headRows(report: RunReport): readonly string[] {
  const { why, started_at: startedAt } = report;
  return [headline(report), `began ${startedAt}`, ...(why === null ? [] : [`nothing can be said: ${why}`])];
}

function section(title: string, rows: readonly string[]): readonly string[] {
  return rows.length === 0 ? [] : [title, ...rows.map((row) => `  ${clean(row)}`.trimEnd()), ''];
}

/** Programs' output reaches a terminal as text; its line breaks survive. */
function clean(row: string): string {
  return row.split('\n').map(visible).join('\n      ');
}

function askedRows({ asked }: RunReport): readonly string[] {
  return [
    ...asked.faults.map(({ at_ms, text }) => `${time(at_ms)}  ${text}`),
    ...(asked.workload === null ? [] : [`workload: ${asked.workload}`]),
    `expect: ${asked.expect.join(', ') || 'nothing'}`,
  ];
}

/** How domains of each program ended. */
export function domainRows({ domains }: RunReport): readonly EndedRow[] {
  const ends = new OutcomeTable();
  for (const { program, cause, status } of domains)
    ends.add(program, status === null ? cause : `exited with ${status}`);
  return ends.rows;
}

function endedRows(report: RunReport): readonly string[] {
  const { expected, requests, operations } = report;
  return [
    ...expected.flatMap(({ name, held, broken }) => [
      `${name}: ${held ? 'held' : broken.length > 0 ? 'BROKEN' : 'unknown'}`,
      ...broken.map((text) => `  ${text}`),
    ]),
    ...requests.map((row) => `asked for: ${row.what}: ${outcomesText(row)}`),
    ...operations.map((row) => `operations: ${row.what}: ${outcomesText(row)}`),
    ...domainRows(report).map((row) => `domains: ${row.what}: ${outcomesText(row)}`),
  ];
}

function faultRows(fault: FaultReport): readonly string[] {
  const did = fault.did.length === 0 ? ['nothing was seen of it'] : fault.did;
  return [`${fault.text}: ${faultTimes(fault)}`, ...did.map((text) => `  ${text}`)];
}

function timelineRows({ timeline, left_out: leftOut }: RunReport, most: number): readonly string[] {
  const shown = timeline.slice(0, most);
  const left = leftOut + timeline.length - shown.length;
  const rows = shown.map(
    ({ at_ms, kind, who, text }) => `${time(at_ms)}  ${kind.padEnd(9)}  ${[who, text].filter(Boolean).join(' ')}`,
  );
  return left === 0 ? rows : [...rows, `and ${left.toLocaleString('en')} more`];
}

function seedRows({ runs }: RunReport): readonly string[] {
  const bad = runs.filter(({ verdict }) => verdict !== 'held');
  if (runs.length === 0) return [];
  return [
    `${runs.length - bad.length} of ${runs.length} held`,
    ...bad.slice(0, 20).map(({ seed, verdict, text }) => `${seed}: ${verdict}: ${text}`),
    ...(bad.length > 20 ? [`and ${bad.length - 20} more`] : []),
  ];
}

function time(ms: number): string {
  return secondsText(ms).padStart(10);
}
