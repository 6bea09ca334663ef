import { visible } from '@mk/machine/one-line';
import { known } from '@mk/monitor-proto/assert';
import { UsageError } from '../cli/usage-error.ts';
import { coresUp } from '../client/cores.ts';
import type { DomainStatus } from '@mk/libmk/dispatcher/domain-status';
import { type DomainRow, homeOf, killDomain, waitForDomain } from '@mk/libmk/io/domains';
import { exitStatusOf } from '../programs/program-run.ts';
import { plainTable } from '../display/ready-table.ts';
import { type CtlCommand, type CtlContext, printJson, required } from './context.ts';
import { fromEach } from './from-each.ts';

type ShownDomain = DomainRow & { readonly run_ms: number };

/** `mkctl ps --domains`: what runs on the cores. */
export async function printDomains(context: CtlContext): Promise<number> {
  const up = await coresUp(context.cluster);
  const domains = await fromEach(context, up, 'domains');
  const answering = domains.values.map(({ core }) => core);
  const dispatchers = await fromEach(context, answering, 'dispatchers');
  const status = Math.max(domains.status, dispatchers.status);
  const running = dispatchers.values.flatMap(({ core, value }) => value.map((row) => ({ ...row, core })));
  const rows = domains.values
    .flatMap(({ value }) => value)
    .map((domain) => {
      const own = running.filter((row) => row.domain === domain.domain);
      return { ...domain, run_ms: Math.round(own.reduce((sum, row) => sum + row.run_ns, 0) / 1e6), dispatchers: own };
    });
  if (context.json) printJson(context, rows);
  else printTable(context, rows);
  return status;
}

function printTable({ terminal }: CtlContext, rows: readonly ShownDomain[]): void {
  if (rows.length === 0) return terminal.out('no domain runs or has run');
  const table = plainTable(['domain', 'program', 'state', 'cores', 'run time', 'age', 'arguments']);
  for (const row of rows)
    table.push([
      row.domain,
      visible(row.program),
      stateOf(row),
      Object.keys(row.parts).join(','),
      row.finished ? '' : `${row.run_ms} ms`,
      `${(row.ran_ms / 1000).toFixed(1)} s`,
      visible(row.args.join(' ').slice(0, 40)),
    ]);
  terminal.out(table.toString());
}

export const KILL: CtlCommand = {
  command: 'kill <domain>',
  describe: 'stops a domain on all its cores',
  examples: [['$0 kill 3.1.7', 'the domain that ps --domains calls so']],
  options: (cli) => cli.positional('domain', { type: 'string', describe: 'as ps --domains names it' }),
  async run(context) {
    const domain = named(context);
    await killDomain(context.cluster, domain);
    const status = await waitForDomain(context.cluster, domain);
    if (context.json) return printJson(context, status);
    context.terminal.out(`${domain} is ${stateOf(status)}`);
  },
};

export const WAIT: CtlCommand = {
  command: 'wait <domain>',
  describe: 'waits until every dispatcher of a domain has stopped, and ends with the domain’s status',
  examples: [
    ['$0 wait 3.1.7', 'exit status: the domain’s own'],
    ['$0 wait 3.1.7 --nohang', 'its state now'],
  ],
  options: (cli) =>
    cli
      .positional('domain', { type: 'string', describe: 'as ps --domains names it' })
      .option('nohang', { type: 'boolean', default: false, describe: 'do not wait: print its state' }),
  async run(context) {
    const domain = named(context);
    const status = await waitForDomain(context.cluster, domain, { nohang: context.args['nohang'] === true });
    if (context.json) printJson(context, status);
    else context.terminal.out(`${domain} ${status.finished ? 'has ended: ' : 'is '}${stateOf(status)}`);
    return status.finished ? exitStatusOf(status.status) : 0;
  },
};

/** The domain that the command names; a UsageError for an invalid name. */
function named(context: CtlContext): string {
  const domain = required(context.args, 'domain');
  try {
    homeOf(domain);
  } catch {
    throw new UsageError(`${JSON.stringify(domain)} names no domain; mkctl ps --domains shows them, like 3.1.7`);
  }
  return domain;
}

function stateOf({ finished, cause, status, text }: DomainStatus): string {
  if (!finished) return 'running';
  if (cause === 'exited') return `exited ${status}`;
  return text === '' ? cause : `${cause}: ${known(text.split('\n', 1)[0]).slice(0, 100)}`;
}
