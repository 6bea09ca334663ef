import { known } from '@mk/monitor-proto/assert';
import type { PeerId } from '@mk/monitor-proto/ids';
import { type Arrow, nodeName, type TraceRecorder } from './recorder.ts';

const COLUMN = 150;
const ROW = 22;
const TOP = 46;
const LEFT = 90;
/** Where on its arrow a label stands: neighbours differ, so that labels of arrows side by side do not cover one another. */
const LABEL_PLACES = [0.5, 0.25, 0.75, 0.38, 0.62];
const COLOURS = ['#1f77b4', '#d62728', '#2ca02c', '#9467bd', '#8c564b', '#e377c2', '#17becf', '#bcbd22'];

/** A space-time diagram, as SVG, of the last frames that say something: a line a node, time downwards, an arrow a frame. */
export function spaceTimeDiagram({ arrows }: TraceRecorder, last = 60): string {
  const shown = arrows.filter((arrow) => arrow.telling).slice(-last);
  const nodes = [...new Set(shown.flatMap(({ from, to }) => [from, to]))].sort((a, b) => a - b);
  const times = [...new Set(shown.flatMap(({ sentAt, dueAt }) => (dueAt === null ? [sentAt] : [sentAt, dueAt])))].sort(
    (a, b) => a - b,
  );
  // Moments are rows: equal distances, whatever the time between them, so that every arrow can be read.
  const y = new Map(times.map((time, i) => [time, TOP + 20 + i * ROW]));
  const x = (id: PeerId): number => LEFT + 40 + nodes.indexOf(id) * COLUMN;
  const height = TOP + 40 + times.length * ROW;
  const width = LEFT + 80 + Math.max(0, nodes.length - 1) * COLUMN + 120;
  const body = [
    ...nodes.map(
      (id) =>
        `<text x="${x(id)}" y="${TOP - 14}" text-anchor="middle" font-weight="bold">${nodeName(id)}</text><line x1="${x(id)}" y1="${TOP}" x2="${x(id)}" y2="${height - 16}" stroke="#999"/>`,
    ),
    ...times.map(
      (time) => `<text x="6" y="${known(y.get(time)) + 4}" fill="#666">${(time / 1000).toFixed(2)} µs</text>`,
    ),
    ...shown.map((arrow, i) => drawArrow(arrow, x, y, known(LABEL_PLACES[i % LABEL_PLACES.length]))),
  ];
  const marker =
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>';
  const open = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>`;
  return [
    open,
    `<title>The last ${shown.length} frames: who said what to whom</title>`,
    marker,
    ...body,
    '</svg>',
    '',
  ].join('\n');
}

function drawArrow(arrow: Arrow, x: (id: PeerId) => number, y: ReadonlyMap<number, number>, place: number): string {
  const { from, to, sentAt, dueAt, label, note } = arrow;
  const colour = known(COLOURS[hue(label)]);
  const [x1, y1] = [x(from), known(y.get(sentAt))];
  const lost = dueAt === null;
  const x2 = lost ? x1 + (x(to) - x1) * 0.45 : x(to);
  const y2 = lost ? y1 + ROW * 0.4 : known(y.get(dueAt));
  const text = `<text x="${x1 + (x2 - x1) * place}" y="${y1 + (y2 - y1) * place - 3}" text-anchor="middle" fill="${colour}" stroke="#fff" stroke-width="3" paint-order="stroke">${escapeXml(lost ? `${label} ✗ ${note}` : label)}</text>`;
  const end = lost ? 'stroke-dasharray="4 3"' : 'marker-end="url(#tip)"';
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}" ${end}/>${text}`;
}

/** Arrows of one operation have one colour. */
function hue(label: string): number {
  const op = /\d+\.\d+\.\d+/.exec(label)?.[0] ?? label;
  let sum = 0;
  for (const char of op) sum = (sum * 31 + char.charCodeAt(0)) >>> 0;
  return sum % COLOURS.length;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
