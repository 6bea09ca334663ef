import { formatDuration } from '@mk/machine/duration';
import { parseLinkSettings } from '@mk/machine/fault-plan-rules';
import {
  checkFaultRule,
  type FaultRule,
  type PartitionGroup,
  type PeerSelector,
} from '@mk/monitor-proto/link/fault-rule';
import type { HealTarget } from '@mk/monitor-proto/link/rule-state';
import { type PeerId, SKB_PEER } from '@mk/monitor-proto/ids';
import type { Argv } from 'yargs';
import { CommandError, UsageError } from '../cli/usage-error.ts';
import type { FaultTarget } from '../client/fault-targets.ts';
import { title } from '../boot/boot-machine.ts';
import { describeFault } from '@mk/machine/describe-fault';
import { askCores, coresUp } from '../client/cores.ts';
import { type Attendance, roster } from '../client/roster.ts';
import { coreNumber, duration, peerList, wholeNumber } from '../cli/values.ts';
import { plainTable } from '../display/ready-table.ts';
import { type Args, type CtlCommand, type CtlContext, optional, printJson, required } from './context.ts';

/** Options of `link` that become the settings of the same name in a fault plan. */
const SETTINGS: Readonly<Record<string, string>> = {
  delay: 'one-way delay, instead of the link’s own (20ms, 0.5ms, 0)',
  jitter: 'spread of the delay',
  distribution: 'uniform, normal, pareto or constant',
  correlation: 'how much of one frame’s jitter the next repeats (25%)',
  loss: 'frames lost (1%)',
  duplicate: 'frames sent twice',
  reorder: 'frames that overtake those before them',
  rate: 'bytes a second (1MB/s); 0: any',
  limit: 'frames under way at once; one more is lost; 0: any',
  reset: 'reset a link at this age (5s) or after this many frames (1000); 0: never',
  'reset-opening': 'links reset while they open (10%)',
};

const LINK: CtlCommand = {
  command: 'link <from> <to>',
  describe: 'changes a link, of the SKB too: delay, jitter, loss, duplicates, order, rate, resets',
  examples: [
    ['$0 link 3 7 --delay 20ms', 'both directions'],
    ['$0 link 3 7 --delay 5ms --jitter 1ms --distribution normal --one-way', 'only from 3 to 7'],
    ['$0 link all all --loss 1% --for 10s', 'every link, for ten seconds'],
    ['$0 link 0-3 4-7 --delay 0', 'many at once; 0 takes the delay away'],
    ['$0 link 3 skb --loss 20%', 'what core 3 and the SKB send each other'],
  ],
  options: (cli) => {
    cli
      .positional('from', { type: 'string', describe: 'cores (3, 0,4-7), skb, or all cores' })
      .positional('to', { type: 'string', describe: 'cores (3, 0,4-7), skb, or all cores' })
      .option('one-way', {
        type: 'boolean',
        default: false,
        describe: 'only frames from the first to the second',
      });
    for (const [name, describe] of Object.entries(SETTINGS))
      cli.option(name, { type: 'string', requiresArg: true, describe });
    forOption(cli);
  },
  run: (context) => addFault(context, linkRule(context.args)),
};

const PARTITION: CtlCommand = {
  command: 'partition <groups...>',
  describe: 'cuts groups of cores off from one another',
  examples: [
    ['$0 partition 0-15 16-31 --for 10s', 'two halves'],
    ['$0 partition 0,1 rest', 'two cores against all others'],
    ['$0 partition 0-3 4-7 --one-way', 'what the first group sends to the others is lost'],
  ],
  options: (cli) => {
    cli
      .positional('groups', { type: 'string', array: true, describe: 'cores of each group (0-15), skb, or rest' })
      .option('one-way', { type: 'boolean', default: false, describe: 'cut only what the first group sends' });
    forOption(cli);
  },
  run: (context) => addFault(context, partitionRule(context.args)),
};

const ISOLATE: CtlCommand = {
  command: 'isolate <cores>',
  describe: 'cuts cores off from every other core, or the SKB from all',
  examples: [['$0 isolate 5 --for 3s', 'core 5 is alone']],
  options: (cli) => forOption(cli.positional('cores', { type: 'string', describe: 'cores (5, 0,3-7), or skb' })),
  run(context) {
    const text = required(context.args, 'cores');
    const cores = peerList('cores', text);
    return addFault(context, { kind: 'isolate', id: `isolate:${text}`, for_ns: forNs(context.args), cores });
  },
};

const HEAL: CtlCommand = {
  command: 'heal [from] [to]',
  describe: 'ends faults: all of them, one link’s, or one rule’s; wakes hung cores',
  examples: [
    ['$0 heal', 'everything but crashed cores (mkctl restart)'],
    ['$0 heal 3 7', 'the link between 3 and 7'],
    ['$0 heal --rule isolate:5', 'one rule of mkctl faults'],
  ],
  options: (cli) =>
    cli
      .positional('from', { type: 'string', describe: 'one end of a link' })
      .positional('to', { type: 'string', describe: 'the other end' })
      .option('rule', { type: 'string', requiresArg: true, describe: 'a rule’s name, from mkctl faults' }),
  async run(context) {
    const target = healTarget(context.args);
    const result = await context.cluster.heal(target);
    if (target !== 'all' && 'id' in target && result.healed.length === 0)
      throw new CommandError(`no rule named ${target.id} is in force; mkctl faults lists them`);
    if (context.json) return printJson(context, result);
    const parts = [
      result.healed.length > 0 ? `healed ${result.healed.join(', ')}` : '',
      result.woken.length > 0 ? `woke ${result.woken.join(', ')}` : '',
    ].filter(Boolean);
    context.terminal.out(parts.join('; ') || 'nothing to heal');
    sayMissing(context, result.missing);
  },
};

const FAULTS: CtlCommand = {
  command: 'faults',
  describe: 'the faults in force, and what they did',
  examples: [['$0 faults', 'rules, and the frames that felt them']],
  async run(context) {
    const [links, ...others] = await Promise.all([
      context.cluster.faults(),
      faultsOfProcesses(context.cluster),
      rogues(context.cluster),
    ]);
    const absent = others.flat();
    if (context.json) return printJson(context, [...links, ...absent]);
    const rules = links;
    if (rules.length + absent.length === 0) return context.terminal.out('no faults in force');
    const table = plainTable(['rule', 'what', 'frames', 'dropped', 'delayed', 'doubled', 'resets']);
    for (const { rule, counters } of rules) {
      table.push(
        [
          rule.id,
          describeFault(rule),
          counters.frames,
          counters.dropped,
          counters.delayed,
          counters.duplicated,
          counters.reset,
        ].map(String),
      );
    }
    for (const { rule } of absent) table.push([rule.id, rule.text, '', '', '', '', '']);
    context.terminal.out(table.toString());
  },
};

/** A core that has not reported by then hangs, and is listed as a fault. */
const STATUS_MS = 3000;

/** A process that hangs, is silent or has ended, as a row among the rules of links. */
interface ProcessFault {
  readonly rule: { readonly id: string; readonly kind: 'process'; readonly text: string };
  readonly process: string;
  readonly state: Attendance['state'];
}

const KINDS: Readonly<Partial<Record<Attendance['state'], string>>> = {
  hung: 'hang',
  silent: 'silent',
  ended: 'crash',
};

async function faultsOfProcesses(cluster: CtlContext['cluster']): Promise<readonly ProcessFault[]> {
  return (await roster(cluster)).flatMap(({ process, state, reason }) => {
    const kind = KINDS[state];
    if (kind === undefined) return [];
    const id = `${kind}:${process.replace('core-', '')}`;
    return [{ rule: { id, kind: 'process' as const, text: `${title(process)} ${reason}` }, process, state }];
  });
}

/** Cores that misbehave on command, by their own report. */
async function rogues(cluster: CtlContext['cluster']): Promise<readonly ProcessFault[]> {
  const up = await coresUp(cluster).catch(() => []);
  const { answers } = await askCores(up, (core) => cluster.core(core, 'rogue', {}, { timeoutMs: STATUS_MS }));
  return answers.flatMap(({ core, value: { rogue } }) => {
    if (rogue.length === 0) return [];
    const rule = {
      id: `rogue:${core}`,
      kind: 'process' as const,
      text: `core ${core} misbehaves: ${rogue.join(', ')}`,
    };
    return [{ rule, process: `core-${core}`, state: 'running' as const }];
  });
}

export const FAULT_COMMANDS: readonly CtlCommand[] = [LINK, PARTITION, ISOLATE, HEAL, FAULTS];

/** The rule of `link A B …`. Its id consists of the ends and the settings, so that repeating them replaces it. */
export function linkRule(args: Args): FaultRule {
  const [from, to] = [selector('from', required(args, 'from')), selector('to', required(args, 'to'))];
  const given = Object.keys(SETTINGS).filter((name) => optional(args, name) !== undefined);
  if (given.length === 0) throw new UsageError(`say what to change: --${Object.keys(SETTINGS).join(', --')}`);
  const settings = Object.fromEntries(
    given.map((name) => [
      name === 'reset' ? 'reset_after' : name.replace('-', '_'),
      name === 'limit'
        ? wholeNumber('--limit', required(args, name), 0, Number.MAX_SAFE_INTEGER)
        : optional(args, name),
    ]),
  );
  const parsed = parseLinkSettings(settings);
  if (!parsed.ok) throw new UsageError(`link: ${parsed.error}`);
  const both = args['one-way'] !== true;
  const id = `link:${required(args, 'from')}${both ? '-' : '-to-'}${required(args, 'to')}:${given.sort().join('+')}`;
  return checked({ kind: 'link', id, for_ns: forNs(args), from, to, both, settings: parsed.value });
}

/** The rule of `partition A B …`. */
export function partitionRule(args: Args): FaultRule {
  const given = args['groups'];
  const words = Array.isArray(given) ? given.map(String) : [];
  if (words.length < 2)
    throw new UsageError('a partition has two groups or more, like partition 0-3 4-7, or partition 5 rest');
  const groups = words.map((word): PartitionGroup => (word === 'rest' ? 'rest' : peerList('group', word)));
  const oneWay = args['one-way'] === true;
  return checked({
    kind: 'partition',
    id: `partition:${words.join(oneWay ? '_to_' : '_')}`,
    for_ns: forNs(args),
    groups,
    one_way: oneWay,
  });
}

function healTarget(args: Args): HealTarget {
  const [from, to, rule] = ['from', 'to', 'rule'].map((name) => optional(args, name));
  if (rule !== undefined && from !== undefined) throw new UsageError('heal a link or a rule, not both at once');
  if (rule !== undefined) return { id: rule };
  if (from === undefined) return 'all';
  if (from === 'all' && to === undefined) return 'all';
  if (to === undefined)
    throw new UsageError(
      `heal needs both ends of a link, like heal ${from} 7; a hung or crashed core is woken by heal alone, or by restart ${from}`,
    );
  return { from: onePeer('from', from), to: onePeer('to', to) };
}

async function addFault(context: CtlContext, rule: FaultRule): Promise<void> {
  const missing = await context.cluster.addFault(checked(rule));
  if (context.json) return printJson(context, { rule, missing });
  const time = rule.for_ns === null ? '; mkctl heal ends it' : ` for ${formatDuration(rule.for_ns)}`;
  context.terminal.out(`${describeFault(rule)}${time}`);
  sayMissing(context, missing);
}

function sayMissing({ cluster, terminal }: CtlContext, missing: readonly FaultTarget[]): void {
  if (missing.length === 0) return;
  const who = missing.map((peer) => (peer === 'skb' ? 'the SKB' : `core ${peer}`)).join(', ');
  terminal.out(`${who} did not answer and ${cluster.supervised ? 'will be told later' : 'was not told: try again'}`);
}

function checked(rule: FaultRule): FaultRule {
  const result = checkFaultRule(rule);
  if (typeof result === 'string') throw new UsageError(result);
  return result;
}

function forOption<T>(cli: Argv<T>): void {
  cli.option('for', { type: 'string', requiresArg: true, describe: 'how long (10s); otherwise until mkctl heal' });
}

function forNs(args: Args): number | null {
  const text = optional(args, 'for');
  if (text === undefined) return null;
  const ns = duration('--for', text);
  if (ns <= 0) throw new UsageError('--for must be longer than 0, like 10s');
  return ns;
}

function selector(name: string, text: string): PeerSelector {
  return text === 'all' ? 'all' : peerList(name, text);
}

function onePeer(name: string, text: string): PeerId {
  return text === 'skb' ? SKB_PEER : coreNumber(name, text);
}
