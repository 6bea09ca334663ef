import { coreNumber, oneOf } from '../cli/values.ts';
import type { CoreRow } from '@mk/monitor-proto/knowledge/core-row';
import { matrixText, packageMatrixText } from '../client/latency-matrix.ts';
import { csvOf, heatText } from '../client/latency-heat.ts';
import { PLAN_KINDS } from '@mk/node-kernel/monitor/agreement/plan';
import type { RttRow } from '@mk/skb/facts/cluster-facts';
import { describeSummary, summariseByRelation } from '../client/latency-summary.ts';
import { printOpenLinks } from './open-links.ts';
import { type CtlCommand, type CtlContext, printJson, required } from './context.ts';
import { namedCores } from '@mk/machine/counted';

/** Measuring 64 cores takes about a minute on a small host. */
const MEASURE_MS = 10 * 60_000;

export const LINKS: CtlCommand = {
  command: 'links',
  describe: 'the matrix of measured round trips',
  examples: [
    ['$0 links', 'rows ping, columns answer'],
    ['$0 links --matrix', 'the whole matrix, however wide'],
    ['$0 links --heat', 'the matrix in shades: the slowest darkest'],
    ['$0 links --csv > links.csv', 'a line a pair, for a spreadsheet'],
    ['$0 links --open', 'which links are open'],
    ['$0 links --json', 'nanoseconds for machines'],
  ],
  options: (cli) =>
    cli
      .option('matrix', {
        type: 'boolean',
        default: false,
        describe: 'print the matrix even when it is wider than the terminal',
      })
      .option('csv', { type: 'boolean', default: false, describe: 'from,to,min_ns,average_ns,max_ns,variance_ns2' })
      .option('open', {
        type: 'boolean',
        default: false,
        describe: 'which links are open: one opens when something is first sent on it',
      })
      .option('heat', { type: 'boolean', default: false, describe: 'the matrix in shades, a cell a pair' }),
  rules: {
    excludes: {
      open: ['csv', 'heat', 'matrix'],
      csv: ['heat', 'matrix', 'json'],
      heat: ['matrix', 'json'],
      json: ['matrix'],
    },
  },
  async run(context) {
    const { args, terminal } = context;
    if (args['open'] === true) return printOpenLinks(context);
    const [csv, heat] = [args['csv'] === true, args['heat'] === true];
    const rows = await context.cluster.skb('rtt');
    if (csv) terminal.out(csvOf(rows));
    else if (heat && rows.length > 0) terminal.out(heatText(rows, terminal));
    else await printTrips(context, rows);
    return 0;
  },
};

export const MEASURE: CtlCommand = {
  command: 'measure',
  describe: 'measures all round trips again and replans the trees',
  examples: [['$0 measure', 'then prints what mkctl links prints']],
  options: (cli) =>
    cli.option('matrix', {
      type: 'boolean',
      default: false,
      describe: 'print the matrix even when it is wider than the terminal',
    }),
  rules: { excludes: { json: ['matrix'] } },
  async run(context) {
    const { trips, silent } = await context.cluster.skb('measure', {}, { timeoutMs: MEASURE_MS });
    await printTrips(context, trips);
    if (silent.length === 0) return 0;
    const cores = namedCores(silent);
    context.terminal.error(
      `mkctl: ${cores} did not report: round trips from and to there are not measured; see mkctl ps`,
    );
    return 1;
  },
};

const FORMS = ['text', 'dot', 'svg'];

export const TREE: CtlCommand = {
  command: 'tree <root>',
  describe: 'the dissemination tree of a core',
  examples: [
    ['$0 tree 0', 'as text'],
    ['$0 tree 0 --plan numa --form dot | dot -Tpng -o tree.png', 'for Graphviz'],
    ['$0 tree 0 --form svg > tree.svg', 'a drawing'],
  ],
  options: (cli) =>
    cli
      .positional('root', { type: 'string', describe: 'the core that begins' })
      .option('plan', {
        type: 'string',
        requiresArg: true,
        default: 'multicast',
        choices: PLAN_KINDS,
        describe: 'its plan',
      })
      .option('form', {
        type: 'string',
        requiresArg: true,
        default: 'text',
        choices: FORMS,
        describe: 'how it is shown',
      }),
  rules: { excludes: { json: ['form'] } },
  async run(context) {
    const root = coreNumber('root', required(context.args, 'root'));
    const kind = oneOf('--plan', required(context.args, 'plan'), PLAN_KINDS);
    const form = context.json ? 'json' : oneOf('--form', required(context.args, 'form'), FORMS);
    const tree = await context.cluster.skb('tree', { root, kind, form });
    if (typeof tree === 'string') context.terminal.out(tree.trimEnd());
    else printJson(context, tree);
  },
};

async function printTrips(context: CtlContext, rows: readonly RttRow[]): Promise<void> {
  if (context.json) return printJson(context, rows);
  const cores = await context.cluster.cores();
  if (rows.length === 0)
    return context.terminal.out(
      cores.length < 2 ? 'one core has no links' : 'nothing is measured yet; mkctl measure does it now',
    );
  const packages = new Map(cores.map((core: CoreRow) => [core.core, core.package]));
  const matrix = matrixText(rows);
  const width = Math.max(...matrix.split('\n').map((line) => line.length));
  if (width <= context.terminal.columns || context.args['matrix'] === true) {
    context.terminal.out('shortest measured round trip; rows ping, columns answer');
    context.terminal.out(matrix);
  } else {
    context.terminal.out('median of the shortest round trips between packages; mkctl links --matrix prints every core');
    context.terminal.out(packageMatrixText(rows, (core) => packages.get(core) ?? -1));
  }
  const relation = (a: number, b: number): string =>
    packages.get(a) === packages.get(b) ? 'same package' : 'other package';
  for (const summary of summariseByRelation(rows, relation)) context.terminal.out(describeSummary(summary));
}
