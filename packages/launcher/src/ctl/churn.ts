import { wholeNumber } from '../cli/values.ts';
import { audit, describeAudit } from './capabilities.ts';
import { type CtlCommand, printJson, required } from './context.ts';
import { domainEverywhere, flatPeers } from './domains.ts';

/** What the core's verb `churn` answers. */
interface ChurnReport {
  readonly operations: number;
  readonly ok: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly wrong: readonly string[];
  readonly elapsedNs: number;
}

const MEMORY = 4 << 20;

export const CHURN: CtlCommand = {
  command: 'churn',
  describe: 'random capability operations on every core, with an oracle; audits afterwards',
  examples: [
    ['$0 churn --seconds 60', 'a minute of it'],
    ['$0 churn --operations 1000 --seed 7 --workers 4', 'by number; four domains a core'],
  ],
  options: (cli) =>
    cli
      .option('seconds', { type: 'string', requiresArg: true, default: '10', describe: 'how long' })
      .option('operations', { type: 'string', requiresArg: true, default: '1000000000', describe: 'at most so many for each domain' })
      .option('workers', { type: 'string', requiresArg: true, default: '2', describe: 'domains on each core' })
      .option('seed', { type: 'string', requiresArg: true, default: '1', describe: 'which operations' }) as never,
  async run(context) {
    const { args, cluster, terminal } = context;
    const seconds = wholeNumber('--seconds', required(args, 'seconds'), 1, 86_400);
    const request = { seconds, operations: wholeNumber('--operations', required(args, 'operations'), 1, 1e9), seed: wholeNumber('--seed', required(args, 'seed'), 0, 2 ** 32 - 1) };
    const workers = wholeNumber('--workers', required(args, 'workers'), 1, 64);
    const rounds = await Promise.all(Array.from({ length: workers }, () => domainEverywhere(cluster, { cnodes: 1, memory: MEMORY })));
    const domains = rounds.flat();
    const peers = flatPeers(domains);
    const timeoutMs = (seconds + 60) * 1000;
    const reports = await Promise.all(domains.map(async ({ core, domain }) => (await cluster.core(core, 'churn', { domain, peers, ...request }, { timeoutMs })) as ChurnReport));
    const wrong = reports.flatMap((report, i) => report.wrong.map((text) => `core ${domains[i]!.core}: ${text}`));
    const found = await audit(cluster);
    const total = { ...sumOf(reports), wrong, audit: found };
    if (context.json) printJson(context, total);
    else {
      terminal.out(`${total.operations.toLocaleString('en')} operations on ${domains.length} domains in ${total.seconds.toFixed(1)} s: ${Math.round(total.operations / total.seconds).toLocaleString('en')} operations/s, ${total.ok.toLocaleString('en')} succeeded`);
      for (const text of [...wrong, ...describeAudit(found)]) terminal.out(text);
    }
    return wrong.length === 0 && found.quiet && found.violations.length === 0 ? 0 : 1;
  },
};

function sumOf(reports: readonly ChurnReport[]): { readonly operations: number; readonly ok: number; readonly seconds: number; readonly errors: Readonly<Record<string, number>> } {
  const errors: Record<string, number> = {};
  for (const report of reports) for (const [name, count] of Object.entries(report.errors)) errors[name] = (errors[name] ?? 0) + count;
  return {
    operations: reports.reduce((sum, { operations }) => sum + operations, 0),
    ok: reports.reduce((sum, { ok }) => sum + ok, 0),
    seconds: Math.max(...reports.map(({ elapsedNs }) => elapsedNs)) / 1e9,
    errors,
  };
}
