import type { Octopus, OctopusRecord } from '@mk/libmk/octopus/octopus';
import { postSemaphore } from '@mk/libmk/octopus/semaphore';
import type { Cli } from '../cli/run-cli.ts';
import { CommandError, UsageError } from '../cli/usage-error.ts';
import { durationMs, wholeNumber } from '../cli/values.ts';
import { type CtlCommand, type CtlContext, optional, required } from './context.ts';
import { endingBySignal, interruptibly, untilAborted } from './interruption.ts';
import { atSkb, leaseOne, leaveBarrier, meetAtBarrier, takeLock, takeOne, waitForRecord } from './octopus-waits.ts';
import { withSkb } from './with-skb.ts';

type Work = (context: CtlContext, octopus: Octopus) => Promise<number | void>;
/** Waits, or holds something, until the signal aborts. */
type Waiting = (context: CtlContext, octopus: Octopus, signal: AbortSignal) => Promise<void>;

const RECORD = 'a record: name { attribute: value, … }';
const QUERY = "a query: name { attribute: > 5, other: r'regex' }, or _ { … } for any name";

/** Records, waiting and coordination through Octopus. A command's transient records end with it. */
export const OCTOPUS: readonly CtlCommand[] = [
  command(
    'get <text>',
    'the first matching record',
    QUERY,
    [['$0 oct get "_ { weight: > 5 }"', 'by constraint']],
    async (context, octopus) => {
      const record = await atSkb(context, 'oct get', octopus.get(text(context)));
      if (record === undefined) throw new CommandError('NO_RECORD: no record matches the query');
      print(context, record);
    },
  ),
  command(
    'names <text>',
    'the names of all matching records',
    QUERY,
    [['$0 oct names "r\'^lock_\'"', 'by regular expression']],
    async (context, octopus) => {
      const names = await atSkb(context, 'oct names', octopus.getNames(text(context)));
      if (context.json) context.terminal.out(JSON.stringify(names));
      else for (const name of names) context.terminal.out(name);
    },
  ),
  {
    ...command(
      'set <text>',
      'sets a record; constraints in it must hold of the stored one (compare-and-set)',
      RECORD,
      [
        ['$0 oct set "counter { value: 6, value: == 5 }"', 'only if it is 5'],
        ['$0 oct set job --sequential', 'job_1, job_2, …'],
      ],
      async (context, octopus) => {
        const { sequential, exclusive } = context.args;
        print(
          context,
          await atSkb(
            context,
            'oct set',
            octopus.set(text(context), { sequential: sequential === true, exclusive: exclusive === true }),
          ),
        );
      },
    ),
    options: (cli) =>
      textOption(cli, RECORD)
        .option('sequential', { type: 'boolean', default: false, describe: 'append the next number to the name' })
        .option('exclusive', { type: 'boolean', default: false, describe: 'refuse if it is there already' }),
  },
  command(
    'del <text>',
    'deletes a record',
    QUERY,
    [['$0 oct del counter', 'it must be there']],
    async (context, octopus) => {
      if (!(await atSkb(context, 'oct del', octopus.delete(text(context)))))
        throw new CommandError('NO_RECORD: no record matches the query');
      done(context, 'deleted');
    },
  ),
  command(
    'wait <text>',
    'waits until a record matches',
    QUERY,
    [['$0 oct wait ready', 'until somebody sets it']],
    waiting(async (context, octopus, signal) => {
      print(context, await waitForRecord(context, octopus, text(context), signal));
    }),
  ),
  forTime(
    command(
      'watch <text>',
      'every change of matching records, until Ctrl-C',
      QUERY,
      [['$0 oct watch "r\'^job\'" --for 10s', 'for a while']],
      waiting(async (context, octopus, signal) => {
        const { lost } = await context.cluster.duringSkb('oct watch', () =>
          octopus.watch(text(context), ({ kind, record }) => tell(context, kind, record)),
        );
        await Promise.race([untilAborted(signal, endAfterMs(context)), lost]);
      }),
    ),
  ),
  forTime(
    command(
      'subscribe <text>',
      'every published record that matches, until Ctrl-C',
      QUERY,
      [['$0 oct subscribe _', 'everything']],
      waiting(async (context, octopus, signal) => {
        const { lost } = await context.cluster.duringSkb('oct subscribe', () =>
          octopus.subscribe(text(context), ({ kind, record }) => tell(context, kind, record)),
        );
        await Promise.race([untilAborted(signal, endAfterMs(context)), lost]);
      }),
    ),
  ),
  command(
    'publish <text>',
    'publishes a record to its subscribers and stores nothing',
    RECORD,
    [['$0 oct publish "news { a: 1 }"', 'to whoever listens']],
    async (context, octopus) => {
      await atSkb(context, 'oct publish', octopus.publish(text(context)));
      done(context, 'published');
    },
  ),
  forTime(
    command(
      'lock <text>',
      'takes a lock in turn and holds it until Ctrl-C; losing it ends the command with status 1',
      'the lock’s name',
      [['$0 oct lock disk --for 5s', 'holds it for five seconds']],
      waiting(async (context, octopus, signal) => {
        const lock = await takeLock(context, octopus, text(context), signal);
        const { token, ticket } = lock;
        context.terminal.out(
          context.json ? JSON.stringify({ token, ticket }) : `held; ticket ${ticket}, which is its fencing token`,
        );
        await Promise.race([untilAborted(signal, endAfterMs(context)), lock.lost]);
        await lock.release();
      }),
    ),
  ),
  {
    ...command(
      'barrier <text>',
      'waits at a barrier until the given number have come',
      'the barrier’s name',
      [['$0 oct barrier start --count 3', 'three such commands pass together']],
      waiting(async (context, octopus, signal) => {
        const count = wholeNumber('--count', required(context.args, 'count'), 1, 4096);
        const barrier = await meetAtBarrier(context, octopus, text(context), count, signal);
        context.terminal.out(context.json ? JSON.stringify({ all_here: true }) : 'all are here');
        await leaveBarrier(context, barrier, signal);
      }),
    ),
    options: (cli) =>
      textOption(cli, 'the barrier’s name').option('count', {
        type: 'string',
        requiresArg: true,
        demandOption: true,
        describe: 'how many',
      }),
  },
  command(
    'post <text>',
    'adds one to a semaphore',
    'the semaphore’s name',
    [['$0 oct post slots', 'one more may pass']],
    async (context, octopus) => {
      await atSkb(context, 'oct post', postSemaphore(octopus, text(context)));
      done(context, 'posted');
    },
  ),
  command(
    'take <text>',
    'waits for one of a semaphore, takes it and keeps it',
    'the semaphore’s name',
    [['$0 oct take slots', 'passes when it can']],
    waiting(async (context, octopus, signal) => {
      await takeOne(context, octopus, text(context), signal);
      done(context, 'taken');
    }),
  ),
  forTime(
    command(
      'permit <text>',
      'takes one from a semaphore on lease: it goes back at Ctrl-C, or when this command dies',
      'the semaphore’s name',
      [['$0 oct permit slots --for 5s', 'holds one of its permits for five seconds']],
      waiting(async (context, octopus, signal) => {
        const permit = await leaseOne(context, octopus, text(context), signal);
        context.terminal.out(context.json ? JSON.stringify({ held: true }) : 'held');
        await Promise.race([untilAborted(signal, endAfterMs(context)), permit.lost]);
        await permit.release();
      }),
    ),
  ),
];

function command(
  usage: string,
  describe: string,
  what: string,
  examples: CtlCommand['examples'],
  work: Work,
): CtlCommand {
  return {
    command: `oct ${usage}`,
    describe,
    examples,
    options: (cli) => textOption(cli, what),
    run: (context) => endingBySignal(() => withSkb(context, (skb) => work(context, skb.octopus))),
  };
}

function waiting(work: Waiting): Work {
  return (context, octopus) => interruptibly((signal) => work(context, octopus, signal));
}

function textOption(cli: Cli, describe: string): Cli {
  cli.positional('text', { type: 'string', describe });
  return cli;
}

function forTime(command: CtlCommand): CtlCommand {
  const options = (cli: Cli): unknown => {
    command.options?.(cli);
    return cli.option('for', { type: 'string', requiresArg: true, describe: 'end after this long (5s)' });
  };
  const run: CtlCommand['run'] = (context) => {
    endAfterMs(context); // a mistake in it is reported before anything is taken
    return command.run(context);
  };
  return { ...command, options, run };
}

function text({ args }: CtlContext): string {
  const given = required(args, 'text');
  if (given.trim() === '') throw new UsageError('an empty text names nothing; see mkctl oct --help');
  return given;
}

/** A command without a result only reports to machines. */
function done({ json, terminal }: CtlContext, what: string): void {
  if (json) terminal.out(JSON.stringify({ [what]: true }));
}

function print(context: CtlContext, record: OctopusRecord): void {
  const { name, attributes } = record;
  context.terminal.out(context.json ? JSON.stringify({ name, attributes }) : record.text);
}

function tell(context: CtlContext, kind: string, record: OctopusRecord | undefined): void {
  if (kind === 'resumed')
    context.terminal.error(
      'mkctl: the SKB lost this watch: the current records follow; deletions meanwhile are not reported',
    );
  if (record === undefined) return;
  const { name, attributes } = record;
  context.terminal.out(context.json ? JSON.stringify({ kind, name, attributes }) : `${kind} ${record.text}`);
}

function endAfterMs({ args }: CtlContext): number | null {
  const text = optional(args, 'for');
  return text === undefined ? null : durationMs('--for', text);
}
