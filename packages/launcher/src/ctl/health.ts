import { fetchText } from '../client/control-client.ts';
import { mergeMetrics } from '../client/merge-metrics.ts';
import { type CtlCommand, printJson } from './context.ts';

export const METRICS: CtlCommand = {
  command: 'metrics',
  describe: 'the Prometheus metrics of all processes, merged',
  examples: [['$0 metrics | grep mk_', 'what a scrape of every process gives']],
  async run({ cluster, terminal }) {
    const pages = await Promise.all(
      (await cluster.endpoints()).map(({ process, address }) =>
        fetchText(address, '/metrics').then(
          ({ body }) => ({ process, body }),
          (error: Error) => ({ process, error }),
        ),
      ),
    );
    for (const page of pages)
      if ('error' in page) terminal.error(`mkctl: ${page.process} gave no metrics: ${page.error.message}`);
    const found = pages.filter((page) => 'body' in page);
    terminal.out(mergeMetrics(found).trimEnd());
    return found.length === pages.length ? 0 : 1;
  },
};

export const HEALTHZ: CtlCommand = {
  command: 'healthz',
  describe: 'whether every process answers and is ready; exit 1 when not',
  examples: [['$0 healthz', 'one line a process']],
  async run(context) {
    const rows = await Promise.all(
      (await context.cluster.endpoints()).map(async ({ process, address }) => {
        const { status, body } = await fetchText(address, '/healthz').catch((error: Error) => ({
          status: 0,
          body: JSON.stringify({ error: error.message }),
        }));
        return { process, ok: status === 200, status, detail: parse(body) };
      }),
    );
    if (context.json) printJson(context, rows);
    else
      for (const { process, ok, detail } of rows)
        context.terminal.out(`${ok ? 'ok     ' : 'NOT OK '} ${process.padEnd(10)} ${detailText(detail)}`);
    return rows.every(({ ok }) => ok) ? 0 : 1;
  },
};

function parse(body: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(body) as Record<string, unknown>;
  } catch {
    return { body };
  }
}

function detailText(detail: Readonly<Record<string, unknown>>): string {
  return Object.entries(detail)
    .filter(([name]) => name !== 'ok')
    .map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(' ');
}
