import { callAfter } from '@mk/monitor-proto/io/long-timer';
import { CommandError } from '../cli/usage-error.ts';
import { durationMs } from '../cli/values.ts';
import { COLUMNS } from '../top/columns.ts';
import { FullScreen } from '../top/full-screen.ts';
import { plainText, screenOf, type TopSummary } from '../top/screen.ts';
import { Sampler } from '../top/sampler.ts';
import { FIRST_VIEW, pressed, type TopView } from '../top/view.ts';
import { type CtlCommand, type CtlContext, printJson, required } from './context.ts';

export const TOP: CtlCommand = {
  command: 'top',
  describe: 'what the cores do, live: rates, queues, operations, silent links, run time',
  examples: [
    ['$0 top', 'drawn in place; q quits, h shows the keys'],
    ['$0 top --sort queue --tree', 'the longest queue first, dispatchers below their core'],
    ['$0 top --once', 'one table; also what a pipe gets'],
    ['$0 top --json', 'one sample for machines: rates over one interval'],
  ],
  options: (cli) =>
    cli
      .option('interval', { type: 'string', requiresArg: true, default: '1s', describe: 'interval between samples' })
      .option('sort', {
        type: 'string',
        requiresArg: true,
        default: 'core',
        choices: COLUMNS.map(({ name }) => name),
        describe: 'the column to sort by',
      })
      .option('tree', { type: 'boolean', default: false, describe: 'dispatchers below their core' })
      .option('once', { type: 'boolean', default: false, describe: 'print one table and end' }),
  async run(context) {
    const intervalMs = durationMs('--interval', required(context.args, 'interval'));
    const sort = required(context.args, 'sort');
    const view: TopView = { ...FIRST_VIEW, sort, tree: context.args['tree'] === true };
    const { terminal, json } = context;
    if (json || context.args['once'] === true || !terminal.interactive) return once(context, intervalMs, view);
    return new Top(context, intervalMs, view).run();
  },
};

async function once(context: CtlContext, intervalMs: number, view: TopView): Promise<void> {
  const { cluster, json, terminal } = context;
  const sampler = new Sampler(cluster);
  await sampler.look();
  await new Promise<void>((resolve) => callAfter(intervalMs, resolve));
  const rows = await sampler.look();
  const faults = await sampler.faults();
  if (json) return printJson(context, { cluster: cluster.name, intervalMs, faults, processes: rows });
  terminal.out(plainText({ cluster: cluster.name, intervalMs, faults, rows }, view));
}

/** Samples, draws, and reads keys until the user quits. */
class Top {
  private readonly sampler: Sampler;
  private readonly screen: FullScreen;
  private summary: TopSummary;
  private wake: () => void = () => undefined;

  constructor(
    private readonly context: CtlContext,
    private readonly intervalMs: number,
    private view: TopView,
  ) {
    this.sampler = new Sampler(context.cluster);
    this.summary = { cluster: context.cluster.name, intervalMs, faults: 0, rows: [] };
    this.screen = new FullScreen({
      typed: (text) => this.show(pressed(this.view, text)),
      redraw: () => this.show(this.view),
      end: () => this.show({ ...this.view, done: true }),
    });
  }

  async run(): Promise<void> {
    // Errors of the cluster appear on the user's own screen.
    await this.look();
    this.context.cluster.tellWaits(() => undefined); // a line on stderr would cut through the table
    this.screen.enter();
    try {
      this.show(this.view);
      for (;;) {
        await this.pause();
        if (this.view.done) return;
        if (this.view.paused) continue;
        await this.look();
        this.refuseAnEndedCluster();
        this.show(this.view);
      }
    } finally {
      this.screen.leave();
    }
  }

  private async look(): Promise<void> {
    const [rows, faults] = await Promise.all([this.sampler.look(), this.sampler.faults()]);
    this.summary = { ...this.summary, rows, faults };
  }

  /** There is no point in watching a table of processes that are all gone. */
  private refuseAnEndedCluster(): void {
    const { cluster } = this.context;
    const answers = this.summary.rows.some(({ state }) => state === 'running');
    if (!answers && cluster.ended) throw new CommandError(`cluster ${cluster.name} has ended`);
  }

  private show(view: TopView): void {
    this.view = view;
    if (view.done) return this.wake();
    this.screen.draw(screenOf(this.summary, view, this.screen.size, this.context.terminal.colour));
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = callAfter(this.intervalMs, resolve);
      this.wake = () => {
        timer.cancel();
        resolve();
      };
      if (this.view.done) this.wake();
    });
  }
}
