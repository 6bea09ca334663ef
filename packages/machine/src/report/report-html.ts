import { secondsText } from './consequences.ts';
import { escaped } from '@mk/monitor-proto/escaped';
import { reportPicture } from './report-picture.ts';
import { REPORT_STYLE } from './report-style.ts';
import { domainRows, faultTimes, headline, outcomesText } from './report-text.ts';
import type { EndedRow, FaultReport, RunReport } from './run-report.ts';

/** A picture besides the report's own: the text of an SVG. */
export interface ReportPicture {
  readonly title: string;
  readonly svg: string;
}

/** A report as one self-contained page: no script, no other file, no network. Pictures are embedded as they are. */
export function reportHtml(report: RunReport, pictures: readonly ReportPicture[] = []): string {
  const { verdict, why, asked, started_at: startedAt } = report;
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">`,
    '<link rel="icon" href="data:,">',
    `<title>${escaped(headline(report))}</title>`,
    `<style>${REPORT_STYLE}</style>`,
    '</head>',
    '<body>',
    `<header class="${verdict}"><h1><strong>${verdict}</strong> ${escaped(asked.what)}</h1>`,
    `<p>${escaped(`${asked.cores} cores (${asked.machine}), ${report.world}, seed ${asked.seed}, ${secondsText(report.took_ms)}; began ${startedAt}`)}</p>`,
    why === null ? '' : `<p>Nothing can be said: ${escaped(why)}</p>`,
    `<p>Repeat it: <code>${escaped(asked.repeat)}</code></p></header>`,
    '<main>',
    ...askedPart(report),
    ...endedPart(report),
    part('The run', [`<div class="wide">${reportPicture(report)}</div>`, LEGEND]),
    part('What each fault did', faultsPart(report.faults)),
    part('Timeline', timelinePart(report)),
    ...pictures.map(({ title, svg }) => part(title, [`<div class="wide white">${svg}</div>`])),
    part(
      'Notes',
      report.notes.map((note) => `<p>${escaped(note)}</p>`),
    ),
    ...seedsPart(report),
    '</main>',
    '</body>',
    '</html>',
    '',
  ]
    .filter(Boolean)
    .join('\n');
}

const LEGEND =
  '<p class="legend"><span class="ok"></span> ended well <span class="failed"></span> ended in an error <span class="fault"></span> a fault in force <span class="view"></span> a new view <span class="broken"></span> something broke</p>';

function part(title: string, rows: readonly string[]): string {
  return rows.length === 0 ? '' : ['<section>', `<h2>${escaped(title)}</h2>`, ...rows, '</section>'].join('\n');
}

function askedPart({ asked }: RunReport): readonly string[] {
  const faults = asked.faults.map(({ at_ms, text }) => [secondsText(at_ms), text]);
  return [
    part('What was asked', [
      table(['at', 'fault'], faults),
      asked.workload === null ? '' : `<p>Workload: <code>${escaped(asked.workload)}</code></p>`,
      `<p>Expected: ${escaped(asked.expect.join(', ') || 'nothing')}</p>`,
    ]),
  ];
}

function endedPart(report: RunReport): readonly string[] {
  const rows = (what: string, ended: readonly EndedRow[]): readonly (readonly string[])[] =>
    ended.map((row) => [what, row.what, outcomesText(row)]);
  const expected = report.expected.map(({ name, held, broken }) => {
    const state = held ? 'held' : broken.length > 0 ? 'broke' : 'unknown';
    const texts = broken.map((text) => `<li>${escaped(text)}</li>`).join('');
    return `<p class="${state}"><strong>${state}</strong> ${escaped(name)}</p>${texts === '' ? '' : `<ul>${texts}</ul>`}`;
  });
  return [
    part('What ended how', [
      ...expected,
      table(
        ['', 'what', 'how it ended'],
        [
          ...rows('asked for', report.requests),
          ...rows('operations', report.operations),
          ...rows('domains', domainRows(report)),
        ],
      ),
    ]),
  ];
}

function faultsPart(faults: readonly FaultReport[]): readonly string[] {
  return faults.map((fault) => {
    const did = fault.did.length === 0 ? ['nothing was seen of it'] : fault.did;
    return `<h3>${escaped(fault.text)} <small>${escaped(faultTimes(fault))}</small></h3><ul>${did.map((text) => `<li>${escaped(text)}</li>`).join('')}</ul>`;
  });
}

function timelinePart({ timeline, left_out: leftOut }: RunReport): readonly string[] {
  const rows = timeline.map(({ at_ms, kind, who, text }) => [secondsText(at_ms), kind, who, text]);
  return [table(['at', '', 'who', 'what'], rows), leftOut === 0 ? '' : `<p>${leftOut} more are left out.</p>`];
}

function seedsPart({ runs }: RunReport): readonly string[] {
  if (runs.length === 0) return [];
  const held = runs.filter(({ verdict }) => verdict === 'held').length;
  const rows = runs.filter(({ verdict }) => verdict !== 'held').map(({ seed, verdict, text }) => [seed, verdict, text]);
  return [part('Seeds', [`<p>${held} of ${runs.length} held.</p>`, table(['seed', '', 'what broke first'], rows)])];
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const head = heads.map((text) => `<th scope="col">${escaped(text)}</th>`).join('');
  const body = rows.map((row) => `<tr>${row.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`);
  return `<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>\n${body.join('\n')}\n</tbody></table></div>`;
}
