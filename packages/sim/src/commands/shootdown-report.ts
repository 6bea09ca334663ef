import { isKeyOf } from '@mk/monitor-proto/tables';
import { known } from '@mk/monitor-proto/assert';
import { PAPER_SHOOTDOWN, paperUnicast } from './paper-data.ts';
import { SHOOTDOWN_PLANS, type ShootdownRow } from './shootdown.ts';
import { type Curve, plotSvg } from './svg-plot.ts';

/** The table for people: cycles and microseconds by plan, with the paper's figures beside them on its machine. */
export function shootdownText(rows: readonly ShootdownRow[], ghz: number, withPaper: boolean): string {
  const head = [
    'cores',
    ...SHOOTDOWN_PLANS.map((plan) => plan.padStart(18)),
    withPaper ? '   paper (cycles)' : '',
  ].join('  ');
  const lines = rows.map(({ cores, ns }) => {
    const cells = SHOOTDOWN_PLANS.map((plan) =>
      `${Math.round(ns[plan] * ghz)} = ${(ns[plan] / 1000).toFixed(2)} µs`.padStart(18),
    );
    return [String(cores).padStart(5), ...cells, withPaper ? paperCell(cores, ns, ghz) : ''].join('  ').trimEnd();
  });
  return [`Shootdown from core 0, cycles at ${ghz} GHz = virtual time:`, head.trimEnd(), ...lines].join('\n');
}

function paperCell(cores: number, ns: ShootdownRow['ns'], ghz: number): string {
  const all = PAPER_SHOOTDOWN[cores];
  const known =
    all === undefined
      ? { unicast: paperUnicast(cores) }
      : Object.fromEntries(SHOOTDOWN_PLANS.map((plan) => [plan, all[plan]]));
  const cells = Object.entries(known).map(([plan, cycles]) => {
    if (cycles === null || !isKeyOf(ns, plan)) return '';
    const off = (ns[plan] * ghz) / cycles - 1;
    return `${plan} ${cycles} (${off >= 0 ? '+' : ''}${(100 * off).toFixed(0)} %)`;
  });
  return `   ${cells.join(', ')}`;
}

/** Where unicast stops beating the better tree; null if it does not in these rows. */
export function crossover(rows: readonly ShootdownRow[]): number | null {
  return rows.find(({ ns }) => Math.min(ns.multicast, ns.numa) < ns.unicast)?.cores ?? null;
}

export function shootdownPlot(rows: readonly ShootdownRow[], ghz: number, machine: string, withPaper: boolean): string {
  const curves: Curve[] = SHOOTDOWN_PLANS.map((plan) => ({
    name: plan,
    points: rows.map(({ cores, ns }) => [cores, ns[plan] * ghz] as const),
  }));
  if (withPaper) {
    const points = rows.flatMap(({ cores }) =>
      paperUnicast(cores) === null ? [] : [[cores, known(paperUnicast(cores))] as const],
    );
    curves.push({ name: 'paper: unicast', points, marks: true });
    const others = Object.entries(PAPER_SHOOTDOWN).flatMap(([cores, row]) =>
      SHOOTDOWN_PLANS.slice(1).map((plan) => [Number(cores), row[plan]] as const),
    );
    curves.push({
      name: 'paper: the others',
      points: others.filter(([cores]) => rows.some((row) => row.cores === cores)),
      marks: true,
    });
  }
  return plotSvg(curves, { title: `One-phase shootdown on ${machine}`, xLabel: 'cores', yLabel: 'cycles' });
}
