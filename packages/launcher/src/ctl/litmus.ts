import { readFile } from 'node:fs/promises';
import { parseFaultPlan } from '@mk/machine/fault-plan';
import { callAfter } from '@mk/monitor-proto/io/long-timer';
import { CommandError } from '../cli/usage-error.ts';
import { wholeNumber } from '../cli/values.ts';
import { coresUp } from '../client/cores.ts';
import { programNamed } from '../programs/bundle.ts';
import { statusOf } from '../programs/program-run.ts';
import { type CtlCommand, type CtlContext, optional, printJson } from './context.ts';
import { printLine, runFollowed } from './run-file.ts';

export const LITMUS: CtlCommand = {
  command: 'litmus [test]',
  describe: 'litmus tests on shared frames: outcomes counted, forbidden ones named',
  examples: [
    ['$0 litmus IRIW --cores 4 --runs 10000', 'independent reads of independent writes, ten thousand times'],
    ['$0 litmus MP --kind private', 'copies that are not kept coherent show their weaker outcomes'],
    ['$0 litmus SB --plan slow-links.yaml', 'while a fault plan is carried out'],
  ],
  options: (cli) =>
    cli
      .positional('test', {
        type: 'string',
        describe: 'SB, MP, LB, IRIW, WRC, ISA2, 2+2W, R, S, CoRR, …; all without it',
      })
      .option('cores', { type: 'string', requiresArg: true, describe: 'on so many cores (default: all that are up)' })
      .option('runs', { type: 'string', requiresArg: true, default: '1000', describe: 'runs of each test' })
      .option('pages', {
        type: 'string',
        requiresArg: true,
        describe: 'one, two (a page each), or homes (of different cores)',
      })
      .option('kind', { type: 'string', requiresArg: true, describe: 'coherent or private' })
      .option('plan', {
        type: 'string',
        requiresArg: true,
        describe: 'rules for links from a fault plan, at their times',
      }),
  async run(context) {
    const { cluster, args } = context;
    const up = await coresUp(cluster);
    const wanted = optional(args, 'cores');
    const count = wanted === undefined ? up.length : wholeNumber('--cores', wanted, 2, 1024);
    if (count > up.length) throw new CommandError(`${count} cores are asked for, and ${up.length} are up`);
    const plan = optional(args, 'plan');
    if (plan !== undefined) await carryOut(context, plan);
    const words = ['runs', 'pages', 'kind'].flatMap((name) => {
      const value = optional(args, name);
      return value === undefined ? [] : [`--${name}`, value];
    });
    const test = optional(args, 'test');
    const cores = up.slice(0, count);
    const request = {
      program: await programNamed('litmus'),
      cores,
      on: cores.slice(0, 1),
      args: [...(test === undefined ? [] : [test]), ...words, ...(context.json ? ['--json'] : [])],
    };
    const results: unknown[] = [];
    const statuses = await runFollowed(context, request, (line) => {
      if (context.json && !line.isError) results.push(JSON.parse(line.text));
      else printLine(context, line, false);
    });
    if (context.json) printJson(context, results);
    return statusOf(statuses);
  },
};

/** The rules of a plan, at their times from now on; what else a plan says needs `mk-launch --plan`. */
async function carryOut({ cluster }: CtlContext, file: string): Promise<void> {
  const parsed = parseFaultPlan(
    await readFile(file, 'utf8')
      .catch(() => null)
      .then((text) => text ?? ''),
  );
  if (!parsed.ok) throw new CommandError(`${file}: ${parsed.error}`);
  for (const { atNs, action } of parsed.value.faults) {
    if (action.type !== 'rule')
      throw new CommandError(`${file}: mkctl litmus carries out rules for links, not ${action.type}`);
    const { rule } = action;
    if (atNs <= 0) await cluster.addFault(rule);
    else callAfter(atNs / 1e6, () => void cluster.addFault(rule).catch(() => undefined));
  }
}
