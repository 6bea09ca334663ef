import type { Terminal } from '../cli/terminal.ts';
import type { RttRow } from '@mk/skb/facts/cluster-facts';

/** Round trips as comma-separated values with a header, one directed pair a line, in whole nanoseconds. */
export function csvOf(rows: readonly RttRow[]): string {
  const lines = rows.map(({ from, to, min, average, max, variance }) =>
    [from, to, ...[min, average, max, variance].map(Math.round)].join(','),
  );
  return ['from,to,min_ns,average_ns,max_ns,variance_ns2', ...lines].join('\n');
}

const SHADES = ['·', '░', '▒', '▓', '█'] as const;
/** From fast to slow, in the 256 colours of a terminal. */
const HEAT = [22, 28, 34, 106, 142, 178, 208, 202, 196, 160] as const;

/**
 * Draws the matrix in shades, two columns per cell: rows ping, columns answer. Steps are equal factors between the
 * fastest and the slowest.
 */
export function heatText(
  rows: readonly RttRow[],
  { interactive, colour }: Pick<Terminal, 'interactive' | 'colour'>,
): string {
  const cores = [...new Set(rows.flatMap(({ from, to }) => [from, to]))].sort((a, b) => a - b);
  const cells = new Map(rows.map(({ from, to, min }) => [`${from} ${to}`, min]));
  const [least, most] = [Math.min(...cells.values()), Math.max(...cells.values())];
  const coloured = interactive && colour.isColorSupported;
  const steps = coloured ? HEAT.length : SHADES.length;
  const stepOf = (ns: number): number =>
    most === least ? 0 : Math.min(steps - 1, Math.floor((steps * Math.log(ns / least)) / Math.log(most / least)));
  const cell = (from: number, to: number): string => {
    const ns = cells.get(`${from} ${to}`);
    if (ns === undefined) return from === to ? '  ' : '? ';
    return paint(stepOf(ns), coloured);
  };
  const width = Math.max(...cores.map((core) => String(core).length));
  const scale = Array.from({ length: steps }, (_, step) => {
    const from = least * (most / least) ** (step / steps);
    return `${paint(step, coloured)} from ${text(from)}`;
  });
  return [
    `rows ping, columns answer; cores ${cores[0]} to ${cores.at(-1)} from left to right`,
    ...cores.map((from) => `${String(from).padStart(width)} ${cores.map((to) => cell(from, to)).join('')}`.trimEnd()),
    '',
    ...(most === least ? [`all ${text(least)}`] : scale),
  ].join('\n');
}

function paint(step: number, coloured: boolean): string {
  return coloured ? `\x1b[48;5;${HEAT[step]}m  \x1b[0m` : `${SHADES[step]}${SHADES[step]}`;
}

function text(ns: number): string {
  return ns >= 1e6 ? `${(ns / 1e6).toFixed(2)} ms` : `${Math.round(ns / 1e3)} µs`;
}
