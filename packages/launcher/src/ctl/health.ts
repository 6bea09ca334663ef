import { mergeMetrics, samplesOf } from '../client/merge-metrics.ts';
import { type Attendance, roster } from '../client/roster.ts';
import { type CtlCommand, printJson } from './context.ts';

export const METRICS: CtlCommand = {
  command: 'metrics',
  describe: 'the Prometheus metrics of all processes, merged',
  examples: [['$0 metrics | grep mk_', 'what a scrape of every process gives']],
  async run(context) {
    const { cluster, terminal, json } = context;
    const pages = await Promise.all(
      (await cluster.endpoints()).map(({ process, address }) =>
        cluster.page(process, address, '/metrics').then(
          ({ body }) => ({ process, body }),
          (error: Error) => ({ process, error }),
        ),
      ),
    );
    for (const page of pages)
      if ('error' in page) terminal.error(`mkctl: ${page.process} gave no metrics: ${page.error.message}`);
    const found = pages.filter((page) => 'body' in page);
    if (json) printJson(context, samplesOf(mergeMetrics(found)));
    else terminal.out(mergeMetrics(found).trimEnd());
    return found.length === pages.length ? 0 : 1;
  },
};

export const HEALTHZ: CtlCommand = {
  command: 'healthz',
  describe: 'whether every expected process runs and is well; exit status 1 if not',
  examples: [['$0 healthz', 'one line per process: what is wrong with it, and what to do']],
  async run(context) {
    const rows = await roster(context.cluster);
    const ill = rows.filter(({ reason }) => reason !== null);
    if (context.json)
      printJson(
        context,
        rows.map(({ reason, ...row }) => ({ ...row, ok: reason === null, reason })),
      );
    else {
      for (const row of rows) context.terminal.out(healthLine(row));
      context.terminal.out(ill.length === 0 ? 'healthy' : `not healthy: ${ill.length} of ${rows.length} processes`);
    }
    return ill.length === 0 ? 0 : 1;
  },
};

function healthLine({ process, reason, detail }: Attendance): string {
  const facts = detailText(detail);
  const said = reason === null ? facts : `${reason}${facts === '' ? '' : `  (${facts})`}`;
  return `${reason === null ? 'ok     ' : 'NOT OK '} ${process.padEnd(10)} ${said}`.trimEnd();
}

function detailText(detail: Readonly<Record<string, unknown>>): string {
  return Object.entries(detail)
    .filter(([name]) => name !== 'ok')
    .map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(' ');
}
