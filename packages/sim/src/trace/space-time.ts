/*
 * Space-time diagrams as SVG: a line per node, time downwards, an arrow per message; faults as bands across, silence
 * where nothing arrives. To scale where every arrow stays readable, otherwise a row per moment, and the picture says
 * so.
 */

import { escaped } from '@mk/monitor-proto/escaped';
import { known } from '@mk/monitor-proto/assert';

export interface DiagramArrow {
  readonly from: number;
  readonly to: number;
  readonly sentAt: number;
  /** Null: it never arrives, and `note` says why. */
  readonly dueAt: number | null;
  readonly label: string;
  readonly note: string;
  /** Arrows of one group share a colour. */
  readonly group: string;
}

export interface DiagramMark {
  readonly at: number;
  /** Null: across all nodes. */
  readonly node: number | null;
  readonly text: string;
}

export interface Diagram {
  readonly title: string;
  readonly nodes: readonly { readonly id: number; readonly name: string }[];
  readonly arrows: readonly DiagramArrow[];
  readonly marks: readonly DiagramMark[];
  /** What was left out, and why; empty: nothing. */
  readonly leftOut: string;
}

const COLUMN = 150;
const ROW = 22;
const TOP = 64;
const LEFT = 110;
/** How many times longer a picture to scale may be than one with a row per moment. */
const STRETCH = 3;
/** Places of labels on their arrows: neighbours differ, so that labels of adjacent arrows do not overlap. */
const LABEL_PLACES = [0.5, 0.25, 0.75, 0.38, 0.62];
const COLOURS = ['#1f77b4', '#d62728', '#2ca02c', '#9467bd', '#8c564b', '#e377c2', '#17becf', '#bcbd22'];
const LEGEND_GROUPS = 8;

interface Layout {
  readonly toScale: boolean;
  x(node: number): number;
  y(at: number): number;
  readonly width: number;
  readonly bottom: number;
  readonly ticks: readonly number[];
}

export function spaceTimeDiagram(diagram: Diagram): string {
  const layout = layoutOf(diagram);
  const { x, y, width, bottom, ticks, toScale } = layout;
  const scale = toScale ? 'Time to scale.' : 'Not to scale: a row a moment, in order.';
  const groups = [...new Set(diagram.arrows.map(({ group }) => group))];
  const legend = legendOf(groups, bottom + 24);
  const height = bottom + 40 + legend.height;
  const body = [
    text(6, 18, diagram.title, 'font-size="14" font-weight="bold"'),
    text(6, 34, [scale, diagram.leftOut].filter(Boolean).join(' '), 'fill="#666"'),
    ...diagram.nodes.flatMap(({ id, name }) => [
      text(x(id), TOP - 12, name, 'text-anchor="middle" font-weight="bold"'),
      `<line class="node" x1="${x(id)}" y1="${TOP}" x2="${x(id)}" y2="${bottom}" stroke="#999"/>`,
    ]),
    ...ticks.map((at) => text(6, y(at) + 4, timeText(at), 'fill="#666"')),
    ...diagram.marks.map((mark) => drawMark(mark, layout)),
    ...diagram.arrows.map((arrow, i) => drawArrow(arrow, layout, known(LABEL_PLACES[i % LABEL_PLACES.length]))),
    ...legend.lines,
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>`,
    `<title>${escaped(diagram.title)}</title>`,
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>',
    ...body,
    '</svg>',
    '',
  ].join('\n');
}

function layoutOf({ nodes, arrows, marks }: Diagram): Layout {
  const moments = [
    ...new Set([...arrows.flatMap(({ sentAt, dueAt }) => [sentAt, dueAt ?? sentAt]), ...marks.map(({ at }) => at)]),
  ].sort((a, b) => a - b);
  const column = new Map(nodes.map(({ id }, i) => [id, LEFT + 40 + i * COLUMN]));
  const width = LEFT + 80 + Math.max(0, nodes.length - 1) * COLUMN + 160;
  const x = (node: number): number => column.get(node) ?? LEFT;
  const first = moments[0] ?? 0;
  const span = (moments.at(-1) ?? first) - first;
  // To scale, most neighbours are a line of text apart; where that would be too long, rows take over.
  const rows = moments.length * ROW;
  const gaps = moments.slice(1).map((at, i) => at - known(moments[i]));
  const close = gaps.toSorted((a, b) => a - b)[Math.floor(gaps.length / 4)] ?? 0;
  const scaled = span === 0 || close === 0 ? Infinity : (span / close) * (ROW / 2);
  if (scaled <= STRETCH * Math.max(rows, 200)) {
    const perNs = Math.max(scaled, 100) / span;
    const y = (at: number): number => round(TOP + 20 + (at - first) * perNs);
    return { toScale: true, x, y, width, bottom: y(known(moments.at(-1))) + 24, ticks: spaced(moments, y) };
  }
  const place = new Map(moments.map((at, i) => [at, TOP + 20 + i * ROW]));
  return { toScale: false, x, y: (at) => known(place.get(at)), width, bottom: TOP + 24 + rows, ticks: moments };
}

/** Times far enough apart to be labelled. */
function spaced(moments: readonly number[], y: (at: number) => number): readonly number[] {
  const shown: number[] = [];
  for (const at of moments) if (shown.length === 0 || y(at) - y(known(shown.at(-1))) >= 13) shown.push(at);
  return shown;
}

function drawArrow(arrow: DiagramArrow, { x, y }: Layout, place: number): string {
  const { from, to, sentAt, dueAt, label, note, group } = arrow;
  const colour = colourOf(group);
  const [x1, y1] = [x(from), y(sentAt)];
  const lost = dueAt === null;
  const x2 = round(lost ? x1 + (x(to) - x1) * 0.45 : x(to));
  const y2 = lost ? y1 + 9 : y(dueAt);
  const words = lost ? `${label} ✗ ${note}` : label;
  const at = [round(x1 + (x2 - x1) * place), round(y1 + (y2 - y1) * place - 3)] as const;
  const style = `text-anchor="middle" fill="${colour}" stroke="#fff" stroke-width="3" paint-order="stroke"`;
  const end = lost ? 'class="lost" stroke-dasharray="4 3"' : 'class="message" marker-end="url(#tip)"';
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}" ${end}/>${text(at[0], at[1], words, style)}`;
}

function drawMark({ at, node, text: words }: DiagramMark, { x, y, width }: Layout): string {
  const style = 'fill="#b30000" font-style="italic" stroke="#fff" stroke-width="3" paint-order="stroke"';
  if (node === null) {
    const line = `<line class="fault" x1="${LEFT}" y1="${y(at)}" x2="${width - 8}" y2="${y(at)}" stroke="#b30000" stroke-width="2" stroke-dasharray="8 4" opacity="0.5"/>`;
    return line + text(width - 12, y(at) - 4, words, `text-anchor="end" ${style}`);
  }
  const cross = `<path class="fault" d="M${x(node) - 6} ${y(at) - 6}l12 12m0 -12l-12 12" stroke="#b30000" stroke-width="3"/>`;
  return cross + text(x(node) + 12, y(at) - 4, words, style);
}

function legendOf(
  groups: readonly string[],
  top: number,
): { readonly lines: readonly string[]; readonly height: number } {
  const shown = groups.slice(0, LEGEND_GROUPS);
  const rows = [
    ['<line x1="6" x2="40" y1="Y" y2="Y" stroke="#555" marker-end="url(#tip)"/>', 'a message that arrives'],
    ['<line x1="6" x2="40" y1="Y" y2="Y" stroke="#555" stroke-dasharray="4 3"/>', '✗ a message that is lost, and why'],
    [
      '<line x1="6" x2="40" y1="Y" y2="Y" stroke="#b30000" stroke-width="2" stroke-dasharray="8 4"/>',
      'a fault, or its end',
    ],
    ...shown.map((group) => [
      `<line x1="6" x2="40" y1="Y" y2="Y" stroke="${colourOf(group)}" stroke-width="3"/>`,
      group,
    ]),
    ...(groups.length > shown.length ? [['', `and ${groups.length - shown.length} more; colours repeat`]] : []),
  ] as const;
  const lines = rows.map(([shape, words], i) => {
    const y = top + i * 16;
    return known(shape).replaceAll('Y', String(y)) + text(48, y + 4, known(words), 'class="legend"');
  });
  return { lines, height: rows.length * 16 };
}

function colourOf(group: string): string {
  let sum = 0;
  for (const char of group) sum = (sum * 31 + char.charCodeAt(0)) >>> 0;
  return known(COLOURS[sum % COLOURS.length]);
}

function timeText(ns: number): string {
  return ns >= 1e7 ? `${(ns / 1e6).toFixed(4)} ms` : `${(ns / 1000).toFixed(2)} µs`;
}

function text(x: number, y: number, words: string, attributes: string): string {
  return `<text x="${x}" y="${y}" ${attributes}>${escaped(words)}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
