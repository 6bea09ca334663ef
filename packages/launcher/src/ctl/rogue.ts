import { isRogueBehaviour, type RogueBehaviour } from '@mk/monitor-proto/rogue-behaviours';
import { UsageError } from '../cli/usage-error.ts';
import { coreList, durationMs } from '../cli/values.ts';
import { coresUp } from '../client/cores.ts';
import { plainTable } from '../display/ready-table.ts';
import { type Args, type CtlCommand, type CtlContext, optional, printJson, required } from './context.ts';
import { fromEach } from './from-each.ts';

const PLAIN = ['forge', 'lie', 'flood', 'garbage'] as const;
const SPAM = ['remap', 'retype', 'revoke'] as const;

/** Makes a core's monitor misbehave, as a fault. */
export const ROGUE: CtlCommand = {
  command: 'rogue <cores>',
  describe: 'makes the monitors of cores misbehave, to see how the others cope',
  examples: [
    ['$0 rogue 3 --spam revoke --for 10s', 'asks everybody to take part in revokes, without a pause'],
    ['$0 rogue 3 --forge --lie', 'claims what it was never given, and answers wrongly'],
    ['$0 rogue 3 --garbage', 'sends bytes that are not messages, until mkctl heal'],
    ['$0 rogue 3 --off', 'behaves again'],
  ],
  options: (cli) =>
    cli
      .positional('cores', { type: 'string', describe: 'cores (3, 0,4-7)' })
      .option('spam', { type: 'string', choices: SPAM, describe: 'expensive requests, all of them allowed' })
      .option('forge', { type: 'boolean', default: false, describe: 'capabilities and names that are not its own' })
      .option('lie', { type: 'boolean', default: false, describe: 'wrong answers' })
      .option('flood', { type: 'boolean', default: false, describe: 'well-formed messages that nobody asked for' })
      .option('garbage', { type: 'boolean', default: false, describe: 'frames and messages that are none' })
      .option('off', { type: 'boolean', default: false, describe: 'behave again' })
      .option('for', { type: 'string', requiresArg: true, describe: 'how long (10s); otherwise until mkctl heal' }),
  rules: { excludes: { off: ['for', 'spam', ...PLAIN] } },
  async run(context) {
    const cores = coreList('core', required(context.args, 'cores'));
    const wanted = behavioursOf(context.args);
    for (const core of cores) await tell(context, core, wanted);
    if (context.json) return printJson(context, { cores, behaviours: wanted });
    const forText = optional(context.args, 'for');
    const end = forText === undefined ? 'mkctl heal ends it' : `for ${forText}`;
    const what = wanted.length === 0 ? 'behaves' : `misbehaves: ${wanted.join(', ')}; ${end}`;
    for (const core of cores) context.terminal.out(`core ${core} ${what}`);
  },
};

/** Which core was caught at which offence, and by which other core. */
export const OFFENCES_COMMAND: CtlCommand = {
  command: 'offences',
  describe: 'which cores were caught misbehaving, by whom and for what',
  examples: [
    ['$0 offences', 'one line for each peer, offence and witness'],
    ['$0 offences --json', 'with the last words of each'],
  ],
  async run(context) {
    const shown = await fromEach(context, await coresUp(context.cluster), 'offences');
    const rows = shown.values.flatMap(({ core, value }) => value.offences.map((row) => ({ seen_by: core, ...row })));
    const waiting = shown.values.reduce((sum, { value }) => sum + value.held, 0);
    const dropped = shown.values.reduce((sum, { value }) => sum + value.dropped, 0);
    if (context.json) {
      printJson(context, { offences: rows, held: waiting, dropped });
      return shown.status;
    }
    if (rows.length === 0) context.terminal.out('no offence was seen');
    else {
      const table = plainTable(['core', 'offence', 'times', 'proof', 'seen by', 'the last']);
      for (const { peer, offence, count, proof, seen_by: by, text } of rows.sort(
        (a, b) => a.peer - b.peer || b.count - a.count,
      ))
        table.push([String(peer), offence, String(count), proof ? 'yes' : 'no', `core ${by}`, text]);
      context.terminal.out(table.toString());
    }
    if (waiting + dropped > 0)
      context.terminal.out(`${waiting} requests wait for their senders' turn, ${dropped} were dropped`);
    return shown.status;
  },
};

function behavioursOf(args: Args): readonly RogueBehaviour[] {
  const spam = optional(args, 'spam');
  const names = [...(spam === undefined ? [] : [`spam_${spam}`]), ...PLAIN.filter((name) => args[name] === true)];
  const wanted = names.filter(isRogueBehaviour);
  if (args['off'] === true) return [];
  if (wanted.length === 0)
    throw new UsageError(`say how: --spam ${SPAM.join('|')}, ${PLAIN.map((name) => `--${name}`).join(', ')}, or --off`);
  return wanted;
}

async function tell({ cluster, args }: CtlContext, core: number, wanted: readonly RogueBehaviour[]): Promise<void> {
  const forText = optional(args, 'for');
  const forMs = forText === undefined ? null : durationMs('--for', forText);
  if (wanted.length === 0) {
    if (cluster.supervised) await cluster.supervisor('fault_heal', { target: { id: `rogue:${core}` } });
    await cluster.core(core, 'rogue', { behaviour: 'none' });
  }
  if (forMs !== null && !cluster.supervised)
    throw new UsageError('--for needs a supervisor, and containers have none; end it with --off');
  for (const behaviour of wanted)
    if (cluster.supervised) await cluster.supervisor('rogue', { target: core, behaviour, for_ms: forMs });
    else await cluster.core(core, 'rogue', { behaviour });
}
