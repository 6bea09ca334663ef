import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { plotSvg } from '@mk/sim/commands/svg-plot';
import { startCluster } from './cluster.ts';
import { median, report } from './report.ts';

/** Retypes that need every core's consent, one at a time and pipelined, by number of cores: the paper's Figure 8. */
const SIZES = (process.argv[2] ?? '2,4,8,16,24,32').split(',').map(Number);
const RUNS = Number(process.argv[3] ?? 5);
const RETYPES = 48;

interface Measured {
  readonly serial: { readonly p50: number; readonly average: number };
  readonly pipelined_ns: number;
}

const single: [number, number][] = [];
const pipelined: [number, number][] = [];
const last = { serial: [] as number[], pipelined: [] as number[] };
for (const cores of SIZES) {
  const cluster = await startCluster(cores, { logLevel: 'off' });
  const domains = await Promise.all(
    [0, 1].map(async (core) => (await cluster.ask<{ domain: number }>(core, 'domain_create', { cnodes: 2 })).domain),
  );
  const measure = (): Promise<Measured> =>
    cluster.ask<Measured>(0, 'bench_retype', { domain: domains[0], peers: [1, domains[1]!], count: RETYPES });
  await measure();
  last.serial = [];
  last.pipelined = [];
  for (let run = 0; run < RUNS; run++) {
    const { serial, pipelined_ns: each } = await measure();
    last.serial.push(serial.average / 1e3);
    last.pipelined.push(each / 1e3);
  }
  await cluster.stop();
  single.push([cores, median(last.serial)]);
  pipelined.push([cores, median(last.pipelined)]);
  process.stdout.write(
    `${cores} cores: ${median(last.serial).toFixed(0)} µs one at a time, ${median(last.pipelined).toFixed(0)} µs pipelined\n`,
  );
}
const figures = join(process.cwd(), 'docs', 'figures');
mkdirSync(figures, { recursive: true });
const svg = plotSvg(
  [
    { name: 'one at a time', points: single },
    { name: `${RETYPES} pipelined`, points: pipelined },
  ],
  { title: 'Two-phase commit: cost of one retype', xLabel: 'cores', yLabel: 'µs per operation' },
);
writeFileSync(join(figures, 'retype-cost.svg'), svg);
const at = SIZES.at(-1)!;
report(
  [
    {
      name: `retype over ${at} cores, one at a time against ${RETYPES} pipelined`,
      unit: 'µs per operation',
      ours: last.serial,
      baseline: last.pipelined,
      target: { kind: 'at least', ratio: 2 },
    },
  ],
  `retype-${at}`,
);
