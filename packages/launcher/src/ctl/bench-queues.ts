import type { QueueRow } from '@mk/programs/queue-bench';
import { type Curve, plotSvg, type PlotOptions } from '@mk/sim/commands/svg-plot';
import { checkOutput, writeOutput } from '../cli/output-file.ts';
import { CommandError, UsageError } from '../cli/usage-error.ts';
import { coreList, durationMs, wholeNumber } from '../cli/values.ts';
import { coresUp } from '../client/cores.ts';
import { samplesOf } from '../client/merge-metrics.ts';
import { programNamed } from '../programs/bundle.ts';
import { statusOf } from '../programs/program-run.ts';
import { type CtlCommand, type CtlContext, optional, printJson, required } from './context.ts';
import { printLine, runFollowed } from './run-file.ts';

/** A point of the curve, and the memory of both processes while it was measured. */
type MeasuredRow = QueueRow & {
  readonly client_bytes: number | null;
  readonly server_bytes: number | null;
};

const LOOK_MS = 200;
const ONE_PLOT = 460;

export const BENCH_QUEUES: CtlCommand = {
  command: 'bench queues',
  describe:
    'drives one core past saturation: latency, queue and memory against offered load, with and without back-pressure',
  examples: [
    ['$0 bench queues', 'a closed loop of 1 to 32 clients, then open loops from a quarter to twice the capacity'],
    ['$0 bench queues --for 5s --out queues.svg', 'longer points; drawn'],
    ['$0 bench queues --on 2,5 --work 2ms', 'core 2 asks core 5, which takes 2 ms for a request'],
  ],
  options: (cli) =>
    cli
      .option('on', {
        type: 'string',
        requiresArg: true,
        describe: 'client and server core (0,1); by default the two lowest',
      })
      .option('work', { type: 'string', requiresArg: true, default: '500us', describe: 'processing time of a request' })
      .option('bytes', { type: 'string', requiresArg: true, default: '1024', describe: 'payload of a request' })
      .option('for', { type: 'string', requiresArg: true, default: '1s', describe: 'how long to measure each point' })
      .option('out', { type: 'string', requiresArg: true, describe: 'draw the three plots into this SVG file' }),
  async run(context) {
    const [client, server] = await pairOf(context);
    const { args, terminal, json } = context;
    const words = [
      ...['--work', String(Math.round(1000 * durationMs('--work', required(args, 'work'))))],
      ...['--bytes', String(wholeNumber('--bytes', required(args, 'bytes'), 1, 16 << 10))],
      ...['--milliseconds', String(Math.round(durationMs('--for', required(args, 'for'))))],
    ];
    const out = optional(args, 'out');
    if (out !== undefined) checkOutput('--out', out);
    const memory = new MemoryWatch(context, [client, server]);
    const rows: MeasuredRow[] = [];
    if (!json) terminal.out(`core ${client} asks core ${server}`);
    const request = {
      program: await programNamed('queue-bench'),
      cores: [client, server],
      on: [client],
      args: [...words, '--rows'],
    };
    const statuses = await runFollowed(context, request, (line) => {
      if (line.isError) return printLine(context, line, false);
      const [clientBytes = null, serverBytes = null] = memory.take();
      const row = { ...(JSON.parse(line.text) as QueueRow), client_bytes: clientBytes, server_bytes: serverBytes };
      rows.push(row);
      if (!json) terminal.out(describe(row));
    }).finally(() => memory.stop());
    if (out !== undefined) draw(out, rows);
    if (json) printJson(context, { client, server, rows });
    return statusOf(statuses);
  },
};

async function pairOf({ cluster, args }: CtlContext): Promise<readonly [number, number]> {
  const up = await coresUp(cluster);
  const on = optional(args, 'on');
  const [client, server, more] = on === undefined ? up : coreList('--on', on);
  if (on !== undefined && (server === undefined || more !== undefined))
    throw new UsageError('--on names two cores: who asks and who serves, like 0,1');
  if (client === undefined || server === undefined) throw new CommandError('bench queues needs two cores');
  for (const core of [client, server])
    if (!up.includes(core)) throw new CommandError(`core ${core} is not up; mkctl cores lists those that are`);
  return [client, server];
}

/** The most memory that the processes used since the last call. */
class MemoryWatch {
  private most: (number | null)[];
  private stopped = false;

  constructor(
    private readonly context: CtlContext,
    private readonly cores: readonly number[],
  ) {
    this.most = cores.map(() => null);
    this.look().catch(() => undefined); // then memory is not shown
  }

  take(): readonly (number | null)[] {
    const { most } = this;
    this.most = this.cores.map(() => null);
    return most;
  }

  stop(): void {
    this.stopped = true;
  }

  private async look(): Promise<void> {
    const { cluster } = this.context;
    const places = new Map((await cluster.endpoints()).map(({ process, address }) => [process, address]));
    while (!this.stopped) {
      await Promise.all(
        this.cores.map(async (core, place) => {
          const process = `core-${core}`;
          const page = await cluster.page(process, places.get(process) ?? '', '/metrics').catch(() => null);
          const bytes =
            samplesOf(page?.body ?? '').find(({ name }) => name === 'mk_resident_memory_bytes')?.value ?? null;
          if (bytes !== null) this.most[place] = Math.max(this.most[place] ?? 0, bytes);
        }),
      );
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}

function describe(row: MeasuredRow): string {
  const { loop, clients, backpressure, refused } = row;
  const way = loop === 'closed' ? `closed, ${clients} clients` : `open, ${backpressure ? 'refuses' : 'waits'}`;
  const ms = (ns: number): string => `${(ns / 1e6).toFixed(ns < 1e8 ? 2 : 0)} ms`;
  const mib = (bytes: number | null): string => (bytes === null ? '?' : `${Math.round(bytes / 2 ** 20)} MiB`);
  return [
    way.padEnd(18),
    `${row.offered_per_second}/s offered`.padStart(16),
    `${row.done_per_second}/s done`.padStart(13),
    `${refused} refused`.padStart(13),
    `median ${ms(row.p50_ns)}, 99 % ${ms(row.p99_ns)}`.padStart(34),
    `queue ${row.queue_mean}, most ${row.queue_most}`.padStart(24),
    `memory ${mib(row.client_bytes)} and ${mib(row.server_bytes)}`,
  ].join('  ');
}

/** Latency, queue length and memory, one below the other. */
function draw(file: string, rows: readonly MeasuredRow[]): void {
  const ways: readonly (readonly [string, (row: MeasuredRow) => boolean])[] = [
    ['open, refuses', (row) => row.loop === 'open' && row.backpressure],
    ['open, waits', (row) => row.loop === 'open' && !row.backpressure],
    ['closed', (row) => row.loop === 'closed'],
  ];
  const curves = (value: (row: MeasuredRow) => number | null): readonly Curve[] =>
    ways.map(([name, isOf]) => ({
      name,
      points: rows.filter(isOf).flatMap((row) => {
        const y = value(row);
        return y === null ? [] : [[row.offered_per_second, y] as const];
      }),
    }));
  const plots: readonly (readonly [readonly Curve[], Omit<PlotOptions, 'xLabel'>])[] = [
    [curves((row) => row.p50_ns / 1e6), { title: 'Latency of a request', yLabel: 'milliseconds, median', logY: true }],
    [curves((row) => row.queue_mean), { title: 'Requests that wait', yLabel: 'mean', logY: true }],
    [
      curves((row) => (row.client_bytes === null ? null : row.client_bytes / 2 ** 20)),
      { title: 'Memory of the core that asks', yLabel: 'MiB resident' },
    ],
  ];
  const drawn = plots
    .filter(([each]) => each.some(({ points }) => points.length > 0))
    .map(([each, options], place) =>
      plotSvg(
        each.filter(({ points }) => points.length > 0),
        { ...options, xLabel: 'requests offered a second' },
      ).replace('<svg ', `<svg y="${place * ONE_PLOT}" `),
    );
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="760" height="${drawn.length * ONE_PLOT}">\n${drawn.join('')}</svg>\n`;
  writeOutput(file, svg);
}
