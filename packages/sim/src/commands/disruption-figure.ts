/** What unmaps cost the programs of the cores that they interrupt, in the form that both worlds report. */
import type { Nanos } from '@mk/monitor-proto/ids';
import type { Disruption } from './bench-lines.ts';

/** How many other cores each of the last `rounds` rounds asked: the core that unmaps is part of a round. */
export function askedBy(last: readonly { readonly cores: number }[], rounds: number): readonly number[] {
  return [...new Set((rounds === 0 ? [] : last.slice(-rounds)).map(({ cores }) => cores - 1))];
}

/** The median loss of the cores that had touched the pages, or of those that had not. */
function medianLoss({ rows }: Disruption, touched: boolean): Nanos {
  const sorted = rows.filter((row) => row.touched === touched).map(({ lost_ns: lost }) => lost);
  sorted.sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

export function disruptionText(
  told: Disruption,
  asked: readonly number[],
  unit: { readonly name: string; readonly ns: Nanos },
): string {
  const { unmaps, rows, noise_ns: noise } = told;
  const text = (ns: Nanos): string => (ns / unit.ns).toFixed(1);
  const line = ({ core, touched, lost_ns: lost }: Disruption['rows'][number]): string =>
    `${String(core).padStart(4)}  ${touched ? 'yes' : 'no '}      ${text(lost).padStart(10)}`;
  return [
    `${unmaps} unmaps, each asked ${asked.join(' or ')} other cores; ${rows.filter(({ touched }) => touched).length} had touched the pages`,
    `core  touched  ${unit.name} of its program an unmap`,
    ...rows.map(line),
    `medians: ${text(medianLoss(told, true))} of a core that had touched the page, ${text(medianLoss(told, false))} of one that had not; quiet times differ by ${text(noise)}`,
  ].join('\n');
}
