/**
 * The unmap of a page by number of cores, in the form that both worlds report: the whole call as its program saw it
 * (the paper's Fig. 7), the round in it (Fig. 6), and the call as a stack. `mkctl bench unmap` and `mk-launch sim
 * unmap` print the same table.
 */
import { known } from '@mk/monitor-proto/assert';
import type { Nanos } from '@mk/monitor-proto/ids';
import type { ShootdownReport } from '@mk/node-kernel/monitor/memory/shootdown-report';
import { type Curve, plotSvg } from './svg-plot.ts';

/** A row of `unmap-bench` for one number of cores: when each of the last unmaps began and returned. */
export interface UnmapRow {
  readonly cores: number;
  readonly p50_ns: Nanos;
  readonly min_ns: Nanos;
  readonly unmaps: readonly (readonly [begun: Nanos, ended: Nanos])[];
}

/** A round in the answer of `unmap_plan`. */
export type UnmapRound = Omit<ShootdownReport, 'plan'>;

const STAGES = ['call', 'marshalling', 'round', 'quiesce', 'reply'] as const;
type Stage = (typeof STAGES)[number];

/** Where the time of an unmap goes: medians, in nanoseconds. */
type UnmapStack = Readonly<Record<Stage, Nanos>>;

export interface UnmapPoint {
  readonly cores: number;
  readonly p50_ns: Nanos;
  readonly min_ns: Nanos;
  /** From the system call's arrival to the last answer. */
  readonly round_ns: Nanos;
  /** Requests and answers. */
  readonly messages: number;
  readonly stack: UnmapStack;
}

export interface UnmapCurve {
  readonly plan: string;
  readonly points: readonly UnmapPoint[];
}

/** A plan's curve, from the reports of the program and of its core. */
export function unmapCurve(plan: string, rows: readonly UnmapRow[], rounds: readonly UnmapRound[]): UnmapCurve {
  const points = rows.map(({ cores, p50_ns, min_ns, unmaps }) => {
    const told = unmaps.flatMap(([begun, ended]) => {
      // Programs get whole nanoseconds.
      const round = rounds.find(({ takenNs }) => takenNs >= begun && takenNs <= ended + 1);
      return round === undefined ? [] : [{ begun, ended, round }];
    });
    const stack: UnmapStack = {
      call: median(told.map(({ begun, round }) => round.takenNs - begun)),
      marshalling: median(told.map(({ round }) => round.sentNs - round.takenNs)),
      round: median(told.map(({ round }) => Math.max(0, round.endedNs - round.sentNs - round.quiesceNs))),
      quiesce: median(told.map(({ round }) => round.quiesceNs)),
      reply: median(told.map(({ ended, round }) => Math.max(0, ended - round.endedNs))),
    };
    const round_ns = median(told.map(({ round }) => round.elapsedNs));
    return { cores, p50_ns, min_ns, round_ns, messages: told[0]?.round.messages ?? 0, stack };
  });
  return { plan, points };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

/** The number of cores from which the better tree beats unicast by this measure; null: never. */
export function treesWinFrom(curves: readonly UnmapCurve[], of: (point: UnmapPoint) => Nanos): number | null {
  const curve = (plan: string): readonly UnmapPoint[] => curves.find((one) => one.plan === plan)?.points ?? [];
  const trees = [...curve('multicast'), ...curve('numa')];
  const lost = curve('unicast').map((point) => {
    const others = trees.filter(({ cores }) => cores === point.cores).map(of);
    return { cores: point.cores, wins: others.length > 0 && Math.min(...others) < of(point) };
  });
  const last = lost.findLastIndex(({ wins }) => !wins);
  return lost[last + 1]?.cores ?? null;
}

/** The table for people: a row per number of cores, plans side by side, then a breakdown of each one's time. */
export function unmapText(curves: readonly UnmapCurve[], unit: { readonly name: string; readonly ns: Nanos }): string {
  const cell = (ns: Nanos): string => (ns / unit.ns).toFixed(unit.ns === 1000 ? 1 : 0);
  const counts = known(curves[0]).points.map(({ cores }) => cores);
  const lines = [
    `Unmap of one page, ${unit.name}, medians: the whole call (the round in it)`,
    ['cores', ...curves.map(({ plan }) => plan.padStart(22))].join('  '),
    ...counts.map((cores, i) =>
      [
        String(cores).padStart(5),
        ...curves.map(({ points }) => {
          const { p50_ns: whole, round_ns: round } = known(points[i]);
          return `${cell(whole)} (${cell(round)})`.padStart(22);
        }),
      ].join('  '),
    ),
    '',
    `Where it goes over ${known(counts.at(-1))} cores, ${unit.name}`,
    ['         ', ...STAGES.map((stage) => stage.padStart(12))].join(''),
    ...curves.map(({ plan, points }) =>
      [plan.padEnd(9), ...STAGES.map((stage) => cell(known(points.at(-1)).stack[stage]).padStart(12))].join(''),
    ),
  ];
  if (curves.length > 1) {
    const from = (cores: number | null): string => (cores === null ? 'at no number of cores' : `from ${cores} cores`);
    const whole = from(treesWinFrom(curves, ({ p50_ns: ns }) => ns));
    const round = from(treesWinFrom(curves, ({ round_ns: ns }) => ns));
    lines.push('', `The trees beat unicast ${whole} (the round alone: ${round}).`);
  }
  return lines.join('\n');
}

/** The whole call by number of cores, and the round in it as marks, a curve per plan. */
export function unmapPlot(curves: readonly UnmapCurve[], where: string): string {
  const drawn = curves.flatMap(({ plan, points }): Curve[] => [
    { name: plan, points: points.map(({ cores, p50_ns: ns }) => [cores, ns / 1000]) },
    { name: `${plan}, the round`, points: points.map(({ cores, round_ns: ns }) => [cores, ns / 1000]), marks: true },
  ]);
  return plotSvg(drawn, { title: `Unmap of one page${where}`, xLabel: 'cores', yLabel: 'microseconds, median' });
}

/** A plan's call as a stack: each curve is a stage on top of those before it. */
export function stackPlot({ plan, points }: UnmapCurve, where: string): string {
  const curves = STAGES.map((stage, i): Curve => {
    const below = STAGES.slice(0, i + 1);
    const top = ({ stack }: UnmapPoint): Nanos => below.reduce((sum, one) => sum + stack[one], 0) / 1000;
    return { name: `${i === 0 ? '' : '+ '}${stage}`, points: points.map((point) => [point.cores, top(point)]) };
  });
  return plotSvg(curves, { title: `Unmap by ${plan}${where}: where it goes`, xLabel: 'cores', yLabel: 'microseconds' });
}

/** For `unmap.svg` the stacks go to `unmap-numa.svg` and so on. */
export function stackFile(file: string, plan: string): string {
  return file.endsWith('.svg') ? `${file.slice(0, -4)}-${plan}.svg` : `${file}-${plan}`;
}
