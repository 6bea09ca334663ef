import { asError, codeOf } from '@mk/monitor-proto/thrown';
import { known } from '@mk/monitor-proto/assert';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { QueryOptions, Solution } from '@mk/monitor-proto/knowledge/query';
import { UsageError } from '../cli/usage-error.ts';
import { durationMs, wholeNumber } from '../cli/values.ts';
import { type Args, type CtlCommand, type CtlContext, optional, printJson, required } from './context.ts';
import { placeCores, placementKind } from './placement.ts';
import { TREE } from './topology.ts';
import { withSkb } from './with-skb.ts';

export const SKB_QUERY: CtlCommand = {
  command: 'skb [goal]',
  describe: 'asks the system knowledge base: a Prolog goal, a tree, or rules to add',
  examples: [
    ['$0 skb "cpu_thread(C, P, _, _), P < 2."', 'one JSON solution a line, as they are found'],
    ['$0 skb "X in 1..3, label([X])" --limit 2', 'constraints over finite domains'],
    ['$0 skb --tree 0 --form dot', 'the dissemination tree of core 0'],
    ['$0 skb --file rules.pl', 'adds rules; those of a file of that name are replaced'],
  ],
  options: (cli) =>
    cli
      .positional('goal', { type: 'string', describe: 'a Prolog goal; its full stop may be left out' })
      .option('limit', { type: 'string', requiresArg: true, describe: 'at most this many solutions (1000)' })
      .option('timeout', { type: 'string', requiresArg: true, describe: 'give up after this long (2s, at most 30s)' })
      .option('tree', { type: 'string', requiresArg: true, describe: 'the dissemination tree of this core' })
      .option('plan', { type: 'string', requiresArg: true, default: 'multicast', describe: 'with --tree: its plan' })
      .option('form', { type: 'string', requiresArg: true, default: 'text', describe: 'with --tree: text, dot, svg' })
      .option('file', { type: 'string', requiresArg: true, describe: 'add the rules in this file' }),
  rules: {
    needs: { plan: ['tree'], form: ['tree'] },
    excludes: { tree: ['limit', 'timeout', 'file'], file: ['limit', 'timeout'], json: ['form'] },
  },
  async run(context) {
    const goal = optional(context.args, 'goal');
    const tree = optional(context.args, 'tree');
    const file = optional(context.args, 'file');
    if (goal?.trim() === '') throw new UsageError('an empty text is not a goal; see mkctl skb --help');
    if ([goal, tree, file].filter((given) => given !== undefined).length !== 1) {
      throw new UsageError('give one of: a goal, --tree CORE, --file RULES; see mkctl skb --help');
    }
    if (tree !== undefined) return TREE.run({ ...context, args: { ...context.args, root: tree } });
    return goal === undefined ? addRules(context, known(file)) : ask(context, goal);
  },
};

export const PLACE: CtlCommand = {
  command: 'place <count>',
  describe: 'chooses cores for a number of dispatchers, near one another or spread',
  examples: [
    ['$0 place 4 --near', 'where four dispatchers talk fastest'],
    ['$0 place 4 --spread', 'where they share the least'],
  ],
  options: (cli) =>
    cli
      .positional('count', { type: 'string', describe: 'how many cores' })
      .option('near', { type: 'boolean', default: false, describe: 'near one another (the default)' })
      .option('spread', { type: 'boolean', default: false, describe: 'far from one another' })
      .option('timeout', {
        type: 'string',
        requiresArg: true,
        default: '10s',
        describe: 'give up after this long',
      }),
  async run(context) {
    const { args } = context;
    const count = wholeNumber('count', required(args, 'count'), 1, 4096);
    const kind = placementKind(args) ?? 'near';
    const placement = await withSkb(context, (skb) =>
      context.cluster.duringSkb('place', () => placeCores(skb, kind, count, limitsOf(args))),
    );
    if (context.json) printJson(context, placement);
    else context.terminal.out(placement.cores.join(' '));
  },
};

/** One solution per line, as they are found. Exit status 1 when there is none. */
async function ask(context: CtlContext, goal: string): Promise<number> {
  return withSkb(context, async (skb) => {
    const solutions = skb.query(goal, limitsOf(context.args));
    let count = 0;
    for (;;) {
      const { done, value } = await context.cluster.duringSkb('skb', () => solutions.next());
      if (done !== true) {
        count += 1;
        context.terminal.out(lineOf(value, context.json));
        continue;
      }
      if (value.more) context.terminal.error(`mkctl: there are more than ${count} solutions; --limit gives more`);
      else if (count === 0) context.terminal.error('mkctl: no solution');
      return count === 0 ? 1 : 0;
    }
  });
}

/** The bindings; with --json also what remains unsolved. */
function lineOf({ bindings, residual }: Solution, whole: boolean): string {
  if (whole) return JSON.stringify({ bindings, residual: residual ?? [] });
  return JSON.stringify(residual === undefined ? bindings : { ...bindings, residual });
}

async function addRules(context: CtlContext, file: string): Promise<void> {
  let text: string;
  try {
    // Windows editors may begin a file with a byte order mark, which Prolog would read as part of a word.
    text = readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    const code = codeOf(error);
    const { message } = asError(error);
    throw new UsageError(`--file ${file}: ${code === 'ENOENT' ? 'no such file' : message}`);
  }
  const name = basename(file);
  await withSkb(context, (skb) => context.cluster.duringSkb('skb --file', () => skb.setRules(name, text)));
  if (context.json) printJson(context, { rules: name });
  else context.terminal.out(text === '' ? `the rules ${name} are gone` : `the rules ${name} are in force`);
}

function limitsOf(args: Args): QueryOptions {
  const limit = optional(args, 'limit');
  const timeout = optional(args, 'timeout');
  return {
    ...(limit === undefined ? {} : { maxSolutions: wholeNumber('--limit', limit, 1, 100_000) }),
    ...(timeout === undefined ? {} : { timeLimitMs: durationMs('--timeout', timeout) }),
  };
}
