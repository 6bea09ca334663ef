import type { Answers } from '../client/answers.ts';
import type { AnswerOf } from '@mk/node-kernel/control/verb-answers';
import { isRecord, isWhole } from '@mk/monitor-proto/guards';
import { known } from '@mk/monitor-proto/assert';
import type { CoreId, DomainId } from '@mk/monitor-proto/ids';
import { parseBytes } from '@mk/machine/duration';
import type { Cli } from '../cli/run-cli.ts';
import { UsageError } from '../cli/usage-error.ts';
import { coreNumber, valueOf, wholeNumber } from '../cli/values.ts';
import { type Args, type CtlCommand, type CtlContext, optional, printJson, required } from './context.ts';

/** A domain, as `core/number`. */
interface Who {
  readonly core: CoreId;
  readonly domain: DomainId;
}

const WHO = 'a domain: core/number, as `cap domain` prints it';
const ADDRESS = 'address in its cspace, as `cap ls` lists it';
const MAX_ADDRESS = 2 ** 32 - 1;
/** A call may wait for two deadlines: the monitor's and the library's. */
const PATIENCE = { timeoutMs: 40_000 };

/** Acts for a domain through its own system calls, so it can do exactly what a program on that core could. */
export const CAP: readonly CtlCommand[] = [
  {
    command: 'cap domain <core>',
    describe: 'makes a domain with a cspace; its memory is at address 1',
    examples: [['$0 cap domain 0 --memory 1MiB', 'prints 0/1: domain 1 of core 0']],
    options: (cli) =>
      cli
        .positional('core', { type: 'string', describe: 'where' })
        .option('memory', { type: 'string', requiresArg: true, default: '0', describe: 'RAM to begin with' })
        .option('cnodes', {
          type: 'string',
          requiresArg: true,
          default: '1',
          describe: 'CNodes of 256 slots',
        }),
    async run(context) {
      const core = coreNumber('<core>', required(context.args, 'core'));
      const given = {
        memory: bytes(context.args, 'memory'),
        cnodes: wholeNumber('--cnodes', required(context.args, 'cnodes'), 1, 64),
      };
      const { domain } = await context.cluster.core(core, 'domain_create', given);
      print(context, { core, domain }, `${core}/${domain}`);
    },
  },
  forDomain('ls', [], 'what a domain holds', async (context, who) => {
    const rows = await ask(context, who, 'cspace');
    print(
      context,
      rows,
      ...rows.map(({ address, capability, owner }) => `${String(address).padStart(6)}  ${capability}  owner ${owner}`),
    );
  }),
  forDomain(
    'alloc',
    ['size'],
    'RAM of its core, or of the nearest that has some; prints the address',
    async (context, who) => {
      const call = { name: 'allocate', args: [{ bytes: bytes(context.args, 'size') }] };
      const address = await ask(context, who, 'cap_call', { call });
      print(context, { address }, String(address));
    },
  ),
  {
    ...forDomain(
      'retype',
      ['address', 'kind'],
      'makes objects of a capability; prints the address of the first',
      async (context, who) => {
        const { args } = context;
        const to = optional(args, 'to');
        const { address } = await ask(context, who, 'cap_retype', {
          source: addressOf(args, 'address'),
          kind: required(args, 'kind'),
          offset: bytes(args, 'offset'),
          size: bytes(args, 'size'),
          count: wholeNumber('--count', required(args, 'count'), 1, 256),
          ...(to !== undefined && { destination: addressOf(args, 'to') }),
        });
        print(context, { address }, String(address));
      },
    ),
    options: (cli) =>
      positionals(cli, ['address', 'kind'])
        .option('offset', { type: 'string', requiresArg: true, default: '0', describe: 'from the start of the source' })
        .option('size', {
          type: 'string',
          requiresArg: true,
          default: '0',
          describe: 'of each object; not for types that have one size',
        })
        .option('count', { type: 'string', requiresArg: true, default: '1', describe: 'objects' })
        .option('to', {
          type: 'string',
          requiresArg: true,
          describe: 'address of the first; without it a free one',
        }),
  },
  {
    ...forDomain(
      'send',
      ['address', 'to'],
      'a copy to a domain on any core; prints its address there',
      async (context, who) => {
        const { core, domain } = whoOf('<to>', required(context.args, 'to'));
        const given = {
          source: addressOf(context.args, 'address'),
          core,
          to: domain,
          give_away: context.args['giveAway'] === true ? 1 : 0,
        };
        const address = await ask(context, who, 'cap_send', given);
        print(context, { address }, String(address));
      },
    ),
    options: (cli) =>
      positionals(cli, ['address', 'to']).option('give-away', {
        type: 'boolean',
        default: false,
        describe: 'keep none',
      }),
  },
  onAddress('delete', 'deletes', 'cap_delete'),
  onAddress('revoke', 'takes back every copy and everything made of it, on every core', 'cap_revoke'),
  onAddress('retrieve', 'makes its core the owner', 'cap_retrieve'),
  onAddress('subscribe', 'asks the domain for consent before this memory is revoked', 'subscribe_revoke'),
  onAddress('unsubscribe', 'ends such a subscription', 'unsubscribe_revoke'),
  forDomain('asked', [], 'the revokes that wait for its consent', async (context, who) => {
    const rows = await call(context, who, 'revokes_asked', []);
    const ops = Array.isArray(rows) ? rows.filter(isRecord).map(({ op }) => String(op)) : [];
    print(context, rows, ...ops);
  }),
  {
    ...forDomain('consent', ['op'], 'answers one of them', async (context, who) => {
      const consent = [required(context.args, 'op'), context.args['refuse'] !== true];
      const heard = (await call(context, who, 'consent_revoke', consent)) === true;
      print(context, { heard }, heard ? 'answered' : 'too late, or never asked');
      return heard ? 0 : 1;
    }),
    options: (cli) =>
      positionals(cli, ['op']).option('refuse', { type: 'boolean', default: false, describe: 'object' }),
  },
  forDomain('call', ['call'], 'any system call, as JSON: {"name": …, "args": […]}', async (context, who) => {
    printJson(context, await ask(context, who, 'cap_call', { call: json(required(context.args, 'call')) }));
  }),
];

const POSITIONALS: Readonly<Record<string, string>> = {
  address: ADDRESS,
  to: WHO,
  size: 'bytes (64KiB)',
  kind: 'type of the objects (RAM, Frame, …)',
  op: 'as `cap asked` prints it',
  call: 'JSON',
};

function forDomain(
  name: string,
  names: readonly string[],
  describe: string,
  run: (context: CtlContext, who: Who) => Promise<number | void>,
): CtlCommand {
  return {
    command: `cap ${name} <who>${names.map((each) => ` <${each}>`).join('')}`,
    describe,
    examples: [],
    options: (cli) => positionals(cli, names),
    run: (context) => run(context, whoOf('<who>', required(context.args, 'who'))),
  };
}

/** A command with one address: its own system call, or a verb of the core. */
function onAddress(name: string, describe: string, verb: string): CtlCommand {
  return forDomain(name, ['address'], describe, async (context, who) => {
    const address = addressOf(context.args, 'address');
    const value = verb.startsWith('cap_')
      ? await ask(context, who, verb, { target: address })
      : await call(context, who, verb, [{ address }]);
    const asked = isRecord(value) && isWhole(value['cores']);
    print(context, value, asked ? `done: ${value['cores']} cores, ${value['messages']} messages` : 'done');
  });
}

function positionals(cli: Cli, names: readonly string[]): Cli {
  cli.positional('who', { type: 'string', describe: WHO });
  for (const name of names) cli.positional(name, { type: 'string', describe: known(POSITIONALS[name]) });
  return cli;
}

function ask<V extends string>(
  { cluster }: CtlContext,
  { core, domain }: Who,
  verb: V,
  args: object = {},
): Promise<AnswerOf<Answers['core'], V>> {
  return cluster.core(core, verb, { domain, ...args }, PATIENCE);
}

function call(context: CtlContext, who: Who, name: string, args: readonly unknown[]): Promise<unknown> {
  return ask(context, who, 'cap_call', { call: { name, args } });
}

function print(context: CtlContext, value: unknown, ...lines: readonly string[]): void {
  if (context.json) printJson(context, value);
  else for (const line of lines) context.terminal.out(line);
}

function whoOf(option: string, text: string): Who {
  const [core = '', domain = '', ...rest] = text.split('/');
  if (domain === '' || rest.length > 0)
    throw new UsageError(`${option} must be core/number, like 0/1, not ${JSON.stringify(text)}`);
  return { core: coreNumber(option, core), domain: wholeNumber(option, domain, 1, 2 ** 31) };
}

function addressOf(args: Args, name: string): number {
  return wholeNumber(name, required(args, name), 0, MAX_ADDRESS);
}

function bytes(args: Args, name: string): number {
  return valueOf(name, parseBytes(required(args, name)));
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`<call> is not JSON: ${text}`);
  }
}
