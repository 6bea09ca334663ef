import { escaped } from '@mk/monitor-proto/escaped';
import { known } from '@mk/monitor-proto/assert';

/** One curve of a plot; `marks`: points without a line, for measured values. */
export interface Curve {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly marks?: boolean;
}

export interface PlotOptions {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Powers of two along x instead of equal steps. */
  readonly logX?: boolean;
  readonly logY?: boolean;
}

const WIDTH = 760;
const HEIGHT = 460;
const BOX = { left: 80, right: 590, top: 44, bottom: 400 } as const;
const COLOURS = ['#1f77b4', '#d62728', '#2ca02c', '#9467bd', '#8c564b', '#e377c2', '#7f7f7f', '#17becf'];

/** A line plot as a stand-alone SVG document. */
export function plotSvg(curves: readonly Curve[], options: PlotOptions): string {
  const all = curves.flatMap((curve) => curve.points);
  const x = axis(
    all.map(([value]) => value),
    options.logX ?? false,
    BOX.left,
    BOX.right,
    'low',
  );
  const y = axis(
    all.map(([, value]) => value),
    options.logY ?? false,
    BOX.bottom,
    BOX.top,
    'zero',
  );
  const body = [
    `<text x="${WIDTH / 2 - 40}" y="24" text-anchor="middle" font-size="15">${escaped(options.title)}</text>`,
    ...x.ticks.map(
      (t) =>
        `<line x1="${x.at(t)}" y1="${BOX.top}" x2="${x.at(t)}" y2="${BOX.bottom}" stroke="#eee"/><text x="${x.at(t)}" y="${BOX.bottom + 18}" text-anchor="middle">${tick(t)}</text>`,
    ),
    ...y.ticks.map(
      (t) =>
        `<line x1="${BOX.left}" y1="${y.at(t)}" x2="${BOX.right}" y2="${y.at(t)}" stroke="#eee"/><text x="${BOX.left - 8}" y="${y.at(t) + 4}" text-anchor="end">${tick(t)}</text>`,
    ),
    `<path d="M${BOX.left} ${BOX.top}V${BOX.bottom}H${BOX.right}" fill="none" stroke="#333"/>`,
    `<text x="${(BOX.left + BOX.right) / 2}" y="${BOX.bottom + 42}" text-anchor="middle">${escaped(options.xLabel)}</text>`,
    `<text transform="translate(20 ${(BOX.top + BOX.bottom) / 2}) rotate(-90)" text-anchor="middle">${escaped(options.yLabel)}</text>`,
    ...curves.map((curve, i) => drawCurve(curve, known(COLOURS[i % COLOURS.length]), x.at, y.at, i)),
  ];
  const open = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>`;
  return [open, ...body, '</svg>', ''].join('\n');
}

interface Axis {
  readonly ticks: readonly number[];
  at(value: number): number;
}

function axis(values: readonly number[], log: boolean, from: number, to: number, begin: 'low' | 'zero'): Axis {
  const most = Math.max(...values);
  const least = log || begin === 'low' ? Math.min(...values) : 0;
  const scale = (value: number): number => (log ? Math.log2(value) : value);
  const [low, high] = [scale(least), scale(most) === scale(least) ? scale(least) + 1 : scale(most)];
  const at = (value: number): number =>
    Math.round((from + ((scale(value) - low) / (high - low)) * (to - from)) * 10) / 10;
  return { ticks: log ? powers(least, most) : steps(least, most), at };
}

function powers(least: number, most: number): readonly number[] {
  const ticks: number[] = [];
  for (let power = Math.ceil(Math.log2(least)); power <= Math.log2(most); power++) ticks.push(2 ** power);
  return ticks;
}

function steps(least: number, most: number): readonly number[] {
  const rough = (most - least) / 6 || 1;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = known([1, 2, 5, 10].map((m) => m * size).find((s) => s >= rough));
  const ticks: number[] = [];
  for (let tick = Math.ceil(least / step) * step; tick <= most; tick += step) ticks.push(Math.round(tick * 1e6) / 1e6);
  return ticks;
}

function drawCurve(
  { name, points, marks }: Curve,
  colour: string,
  x: Axis['at'],
  y: Axis['at'],
  index: number,
): string {
  const legendY = BOX.top + 14 + index * 20;
  const dots = points.map(([px, py]) => `<circle cx="${x(px)}" cy="${y(py)}" r="3" fill="${colour}"/>`);
  const line = `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${points.map(([px, py]) => `${x(px)},${y(py)}`).join(' ')}"/>`;
  const key = marks
    ? `<circle cx="616" cy="${legendY - 4}" r="3" fill="${colour}"/>`
    : `<line x1="606" y1="${legendY - 4}" x2="626" y2="${legendY - 4}" stroke="${colour}" stroke-width="2"/>`;
  return `${marks ? dots.join('') : line}${key}<text x="632" y="${legendY}">${escaped(name)}</text>`;
}

function tick(value: number): string {
  return value >= 10_000 ? `${Math.round(value / 100) / 10}k` : String(value);
}
