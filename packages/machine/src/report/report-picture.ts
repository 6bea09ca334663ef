import { known } from '@mk/monitor-proto/assert';
import { escaped } from '@mk/monitor-proto/escaped';
import type { FaultReport, RunReport } from './run-report.ts';

const WIDTH = 960;
const LEFT = 8;
const RIGHT = 952;
const ROW = 24;
const PLOT = 70;
/** Rows of faults; nobody takes in more. */
const ROWS_MOST = 80;

/**
 * Draws the run to scale. On top: what ended well and in errors in each interval. Below: a bar for each fault while in
 * force. Changes of the view and breaches are lines through all of it.
 */
export function reportPicture(report: RunReport): string {
  const faults = report.faults.filter(({ began_ms }) => began_ms !== null).slice(0, ROWS_MOST);
  const endMs = Math.max(1, report.took_ms, ...faults.map(({ ended_ms }) => ended_ms ?? 0));
  const x = (ms: number): number => round(LEFT + (Math.min(ms, endMs) / endMs) * (RIGHT - LEFT));
  const top = 22;
  const below = top + PLOT + 14;
  const bottom = below + Math.max(1, faults.length) * ROW;
  const lines = report.timeline.filter(({ kind }) => kind === 'view' || kind === 'broken');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 30}" role="img" aria-label="the run, to scale">`,
    `<text class="note" x="${LEFT}" y="14">what ended in ${timeText(report.rate.every_ms)}, up to ${busiest(report)}</text>`,
    ...bars(report, x, top),
    ...lines.map(({ at_ms, kind, text }) => mark(x(at_ms), top, bottom, kind, text)),
    ...faults.map((fault, i) => bar(fault, i, { x, below, endMs })),
    `<line class="axis" x1="${LEFT}" x2="${RIGHT}" y1="${bottom + 4}" y2="${bottom + 4}"/>`,
    ...ticks(endMs).map((ms) => tick(ms, x(ms), bottom)),
    '</svg>',
  ].join('\n');
}

function busiest({ rate }: RunReport): number {
  return Math.max(1, ...rate.ok.map((ok, i) => ok + known(rate.failed[i])));
}

function bars(report: RunReport, x: (ms: number) => number, top: number): readonly string[] {
  const { every_ms: everyMs, ok, failed } = report.rate;
  const most = busiest(report);
  const height = (count: number): number => round((count / most) * PLOT);
  return ok.flatMap((good, i) => {
    const bad = known(failed[i]);
    const [left, width] = [x(i * everyMs), round(Math.max(1, x((i + 1) * everyMs) - x(i * everyMs) - 0.5))];
    const rect = (kind: string, count: number, under: number): readonly string[] =>
      count === 0
        ? []
        : [
            `<rect class="${kind}" x="${left}" width="${width}" y="${round(top + PLOT - height(under + count))}" height="${height(count)}"><title>${count} ${kind} from ${timeText(i * everyMs)} on</title></rect>`,
          ];
    return [...rect('ok', good, 0), ...rect('failed', bad, good)];
  });
}

function bar(
  fault: FaultReport,
  row: number,
  { x, below, endMs }: { readonly x: (ms: number) => number; readonly below: number; readonly endMs: number },
): string {
  const [from, to] = [x(fault.began_ms ?? 0), x(fault.ended_ms ?? endMs)];
  const y = below + row * ROW;
  // A label starts with its bar, or ends at the right edge where there is no room.
  const atEnd = from > WIDTH / 2;
  const words = `<text class="label" x="${atEnd ? Math.min(RIGHT, Math.max(to, from + 3)) : from + 4}" y="${y + 15}"${atEnd ? ' text-anchor="end"' : ''}>${escaped(fault.text)}</text>`;
  const title = `<title>${escaped([fault.text, ...fault.did].join('\n'))}</title>`;
  return `<g>${title}<rect class="fault" x="${from}" width="${round(Math.max(3, to - from))}" y="${y}" height="${ROW - 4}"/>${words}</g>`;
}

function mark(at: number, top: number, bottom: number, kind: string, text: string): string {
  return `<line class="${kind}" x1="${at}" x2="${at}" y1="${top}" y2="${bottom}"><title>${escaped(text)}</title></line>`;
}

function tick(ms: number, at: number, bottom: number): string {
  const anchor = at > RIGHT - 30 ? 'end' : at < LEFT + 30 ? 'start' : 'middle';
  return `<line class="axis" x1="${at}" x2="${at}" y1="${bottom + 4}" y2="${bottom + 9}"/><text class="note" x="${at}" y="${bottom + 23}" text-anchor="${anchor}">${timeText(ms)}</text>`;
}

/** Five to ten round times. */
function ticks(endMs: number): readonly number[] {
  const step =
    [1, 2, 5].map((n) => n * 10 ** Math.floor(Math.log10(endMs / 5))).findLast((each) => endMs / each >= 5) ?? endMs;
  return Array.from({ length: Math.floor(endMs / step) + 1 }, (_, i) => i * step);
}

function timeText(ms: number): string {
  return ms < 1000 && ms > 0 ? `${round(ms)} ms` : `${Number((ms / 1000).toFixed(3))} s`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
