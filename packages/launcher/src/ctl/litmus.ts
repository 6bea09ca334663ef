import { LITMUS_KINDS, LITMUS_NAMES, LITMUS_PAGES } from '@mk/programs/common/litmus-tests';
import { CommandError } from '../cli/usage-error.ts';
import { wholeNumber } from '../cli/values.ts';
import { coresUp } from '../client/cores.ts';
import { programNamed } from '../programs/bundle.ts';
import { statusOf } from '../programs/program-run.ts';
import { type CtlCommand, type CtlContext, optional, printJson } from './context.ts';
import { PlannedFaults, planOf } from './planned-faults.ts';
import { printLine, runFollowed } from './run-file.ts';

export const LITMUS: CtlCommand = {
  command: 'litmus [test]',
  describe: 'litmus tests on shared frames: outcomes counted, forbidden ones named, the first one drawn',
  examples: [
    ['$0 litmus IRIW --cores 4 --runs 10000', 'independent reads of independent writes, ten thousand times'],
    ['$0 litmus MP --kind private', 'copies that are not kept coherent show their weaker outcomes'],
    ['$0 litmus SB --pages homes --plan faults.yaml', 'while the faults of a plan happen, at their times from now on'],
  ],
  options: (cli) =>
    cli
      .positional('test', {
        type: 'string',
        choices: LITMUS_NAMES,
        describe: 'which; all without it',
      })
      .option('cores', { type: 'string', requiresArg: true, describe: 'number of cores (default: all that are up)' })
      .option('runs', { type: 'string', requiresArg: true, default: '1000', describe: 'runs of each test' })
      .option('pages', {
        type: 'string',
        requiresArg: true,
        choices: LITMUS_PAGES,
        describe: 'where the words lie: on a page each, on one, on pages of different homes',
      })
      .option('kind', { type: 'string', requiresArg: true, choices: LITMUS_KINDS, describe: 'of frame' })
      .option('plan', {
        type: 'string',
        requiresArg: true,
        describe: 'a fault plan: its faults happen meanwhile; its rules end with the command',
      }),
  async run(context) {
    const { cluster, args } = context;
    const up = await coresUp(cluster);
    const wanted = optional(args, 'cores');
    const count = wanted === undefined ? up.length : wholeNumber('--cores', wanted, 2, 1024);
    if (count > up.length) throw new CommandError(`${count} cores were asked for, but ${up.length} are up`);
    const plan = optional(args, 'plan');
    const faults = plan === undefined ? null : await planned(context, plan);
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
      args: [...(test === undefined ? [] : [test]), '--progress', ...words, ...(context.json ? ['--json'] : [])],
    };
    const results: unknown[] = [];
    await faults?.begin();
    try {
      const statuses = await runFollowed(context, request, (line) => {
        if (context.json && !line.isError) results.push(JSON.parse(line.text));
        else printLine(context, line, false);
      });
      if (context.json) printJson(context, results);
      return Math.max(statusOf(statuses), faults === null ? 0 : await ended(context, faults));
    } finally {
      await faults?.end();
    }
  },
};

async function planned({ cluster, terminal }: CtlContext, file: string): Promise<PlannedFaults> {
  const plan = await planOf(
    file,
    (await cluster.cores()).map(({ core }) => core),
  );
  if (plan.workload !== null)
    terminal.error(`mkctl: only the faults of ${file} are injected; the workload is the litmus tests`);
  return new PlannedFaults(cluster, plan, (text) => terminal.error(`mkctl: ${text}`));
}

/** 2 when a fault could not be applied: the tests ran under another plan. */
async function ended({ terminal }: CtlContext, faults: PlannedFaults): Promise<number> {
  const left = await faults.end();
  if (left > 0) terminal.error(`mkctl: the tests ended before ${left} of the plan’s faults; give more --runs`);
  for (const text of faults.failed) terminal.error(`mkctl: ${text}`);
  return faults.failed.length > 0 ? 2 : 0;
}
