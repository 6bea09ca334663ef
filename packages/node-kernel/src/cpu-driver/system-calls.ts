import { keysOf } from '@mk/monitor-proto/tables';
import { isListOf, isRecord, isWhole } from '@mk/monitor-proto/guards';
import { known } from '@mk/monitor-proto/assert';
import type { ErrorName } from '@mk/monitor-proto/errors';
import type { Nanos } from '@mk/monitor-proto/ids';
import type { Invocation } from '../capability/invocations/decode.ts';
import type { SlotRef } from '../capability/store/cspace.ts';
import type { SystemCall } from '../effects.ts';
import type { Domain } from './domains.ts';
import type { GiveUp } from './give-up.ts';
import { isBytes } from '@mk/libmk/dispatcher/plain-value';
import { checkInvocation, isSlotRef } from './invocation-check.ts';

/** What a system call came to: a value, or a named error. */
export type SystemCallResult =
  | { readonly ok: true; readonly value: unknown }
  /** `text`: for people, where it adds to the error’s own doc: which operation it was, who held it up. */
  | { readonly ok: false; readonly error: ErrorName; readonly text?: string };

/** Called once with the result of a system call. */
export type SystemCallDone = (result: SystemCallResult, now: Nanos) => void;

/** The forms of an argument; `?`: optional. */
interface ArgumentTypes {
  slot: SlotRef;
  whole: number;
  text: string;
  flag: boolean;
  'flag?': boolean | undefined;
  'whole?': number | undefined;
  bytes: Uint8Array;
  wholes: readonly number[];
  'wholes?': readonly number[] | undefined;
  'text?': string | undefined;
  /** Any whole number, negative ones too. */
  int: number;
  number: number;
  'texts?': readonly string[] | undefined;
  /** A record of texts. */
  'names?': Readonly<Record<string, string>> | undefined;
  /** Anything that crosses the border. */
  value: unknown;
  invocation: Invocation;
}
export type Kind = keyof ArgumentTypes;
/** An argument that is an object with these fields and no others. */
export type ObjectForm = Readonly<Record<string, Kind>>;

export interface SystemCallSpec {
  /** The arguments in their order, by the name under which the handler gets them. */
  readonly args: Readonly<Record<string, Kind | ObjectForm>>;
  /** The CPU driver, which answers at once and knows no other core, or the service that answers when it can. */
  readonly servedBy: string;
  /** The service that carries out what the CPU driver cannot finish because other cores are concerned. */
  readonly acrossCores?: string;
  /** Always answered at once, whoever serves it: a dispatcher can make it within its turn. */
  readonly atOnce?: true;
  readonly doc: string;
}

/** Every system call: a dispatcher passes its name and arguments; the handler gets them checked. */
export const SYSTEM_CALLS = {
  nop: { args: {}, servedBy: 'cpuDriver', doc: 'Does nothing: what a system call itself costs.' },
  invoke: {
    args: { invocation: 'invocation' },
    servedBy: 'cpuDriver',
    acrossCores: 'capops',
    doc: 'A capability operation: copy, mint, move, delete, revoke, retype, identify, create_cnode, resize_cnode, create_id.',
  },
  send: {
    args: { sending: { source: 'slot', core: 'whole', domain: 'whole', giveAway: 'flag?' } },
    servedBy: 'capops',
    doc: 'Sends a copy to a domain, on this core or another, or gives the capability away; answers its address there.',
  },
  retrieve: { args: { source: 'slot' }, servedBy: 'capops', doc: 'Makes this core the owner.' },
  subscribe_revoke: {
    args: { source: 'slot' },
    servedBy: 'capops',
    doc: 'From now on the domain is asked before memory of this range is revoked.',
  },
  unsubscribe_revoke: {
    args: { source: 'slot' },
    servedBy: 'capops',
    doc: 'Ends such a subscription; answers whether.',
  },
  revokes_asked: { args: {}, servedBy: 'capops', doc: 'The revokes that wait for the consent of the domain.' },
  yield: {
    args: {},
    servedBy: 'dispatchers',
    doc: 'Gives up what is left of the slice; the dispatcher goes on later.',
  },
  set_timer: {
    args: { timer: 'whole', at: 'number' },
    servedBy: 'dispatchers',
    atOnce: true,
    doc: 'Asks for the upcall timer at this time of the kernel’s clock (ns); replaces the timer of that number.',
  },
  cancel_timer: {
    args: { timer: 'whole' },
    servedBy: 'dispatchers',
    atOnce: true,
    doc: 'Takes a timer back; answers whether it was set.',
  },
  print: {
    args: { text: 'text', stream: 'text?' },
    servedBy: 'dispatchers',
    atOnce: true,
    doc: 'A line of output (stream out or err), which is logged with the domain and the core.',
  },
  run_time: {
    args: {},
    servedBy: 'dispatchers',
    atOnce: true,
    doc: 'The dispatcher’s own run time before this turn in nanoseconds, its turns and its calls.',
  },
  give_up: {
    args: { call: 'whole' },
    servedBy: 'dispatchers',
    doc: 'Nobody waits any more for the answer to the caller’s call of that number: a wait ends, and leaves nothing.',
  },
  exit: { args: { status: 'int' }, servedBy: 'programs', doc: 'Ends the domain on all its cores, with this status.' },
  fail: {
    args: { error: 'text', text: 'text' },
    servedBy: 'programs',
    doc: 'Ends the domain as one that failed: an error that nobody caught.',
  },
  spawn: {
    args: {
      request: {
        program: 'text?',
        core: 'whole?',
        args: 'texts?',
        environment: 'names?',
        capabilities: 'wholes?',
        weight: 'whole?',
        wcet: 'whole?',
        period: 'whole?',
        deadline: 'whole?',
      },
    },
    servedBy: 'programs',
    doc: 'A new domain of a program (the caller’s own unless named), on a core, with arguments, environment and capabilities of the caller; answers domain and core. weight, or wcet, period and deadline in ns.',
  },
  span: {
    args: { core: 'whole' },
    servedBy: 'programs',
    doc: 'Gives the domain a dispatcher on that core, too; answered when it has begun.',
  },
  span_send: {
    args: { core: 'whole', data: 'value' },
    servedBy: 'programs',
    doc: 'Sends a value to the domain’s dispatcher on that core: FIFO, exactly once; BUSY when the channel is full.',
  },
  kill: {
    args: { domain: 'text' },
    servedBy: 'programs',
    doc: 'Stops every dispatcher of a domain; answered when they have been told to.',
  },
  wait: {
    args: { domain: 'text', nohang: 'flag?' },
    servedBy: 'programs',
    doc: 'How a domain ended, once all its dispatchers have stopped; with nohang, its state now.',
  },
  domains: { args: {}, servedBy: 'programs', doc: 'The domains whose home this core is.' },
  consent_revoke: {
    args: { op: 'text', consents: 'flag' },
    servedBy: 'capops',
    doc: 'Answers whether the domain consents to a revoke.',
  },
  allocate: {
    args: { request: { bytes: 'whole', alignment: 'whole?', near: 'whole?', from: 'whole?', to: 'whole?' } },
    servedBy: 'memory',
    doc: 'RAM in a free slot, from this core’s memory server or the nearest peer that has some; answers its address.',
  },
  vspace_root: {
    args: { root: 'slot' },
    servedBy: 'addressSpaces',
    doc: 'The domain’s address space is what hangs below this VNode_L0; once, on the core where the domain began.',
  },
  page_fault: {
    args: { address: 'whole', access: 'text' },
    servedBy: 'addressSpaces',
    doc: 'Makes an access (read, write; snapshot: a private copy) possible: answers the rights and the number of the memory that comes beside the answer.',
  },
  memory_atomic: {
    args: { address: 'whole', request: 'value' },
    servedBy: 'addressSpaces',
    doc: 'operation (add, swap, compare_and_swap, and, or), operand and expected as texts: done on 8 bytes at their home; answers the old value.',
  },
  memory_put: {
    args: { address: 'whole', data: 'bytes' },
    servedBy: 'addressSpaces',
    doc: 'Writes bytes of one page at its home: how a copy that is not kept coherent is published.',
  },
  vspace_lookup: {
    args: { address: 'whole' },
    servedBy: 'addressSpaces',
    doc: 'Where an address leads: physical address, rights, bytes of the page; null where nothing is mapped.',
  },
  channel_look_up: {
    args: { name: 'text', wait: 'flag', timeout: 'whole?' },
    servedBy: 'channels',
    doc: 'Where a name is offered: core and port. Waits until it is, or until the timeout in nanoseconds.',
  },
  dispatcher_self: {
    args: {},
    servedBy: 'endpoints',
    doc: 'The address of the caller’s own Dispatcher capability, which is made when it is first asked for.',
  },
  endpoint_create: {
    args: { number: 'whole' },
    servedBy: 'endpoints',
    doc: 'An endpoint of that number out of the caller’s Dispatcher; answers what upcalls call it, and where its capability lies.',
  },
  endpoint_send: {
    args: { endpoint: 'whole', words: 'wholes', capability: 'whole?' },
    servedBy: 'endpoints',
    doc: 'Sends words, and a copy of a capability, to the endpoint that the capability at this address names. ENDPOINT_OVERFLOW: not taken; the upcall writable tells when to try again.',
  },
  lrpc: {
    args: { endpoint: 'whole', words: 'wholes' },
    servedBy: 'endpoints',
    doc: 'Sends at most four words and hands the core to the receiver when this turn ends.',
  },
  endpoint_taken: {
    args: { endpoint: 'whole', count: 'whole' },
    servedBy: 'endpoints',
    doc: 'The program has taken so many messages more of an endpoint.',
  },
  octopus: {
    args: { request: 'value' },
    servedBy: 'programKnowledge',
    doc: 'One request to Octopus, answered by its reply; triggers tell by the upcall octopus_event.',
  },
  skb_query: {
    args: { query: { goal: 'text', time_limit_ms: 'whole?', max_solutions: 'whole?' } },
    servedBy: 'programKnowledge',
    doc: 'All solutions of a Prolog goal.',
  },
  channel_export: {
    args: { name: 'text', interface: 'text', scope: 'text' },
    servedBy: 'channels',
    doc: 'Offers a name on this core (`core`) or on all (`machine`); answers the port on which connections are told.',
  },
  channel_withdraw: { args: { port: 'whole' }, servedBy: 'channels', doc: 'No longer offers a name.' },
  channel_bind: {
    args: {
      request: {
        name: 'text',
        interface: 'text',
        wait: 'flag',
        transport: 'text?',
        via: 'wholes?',
        window: 'whole?',
        timeout: 'whole?',
      },
    },
    servedBy: 'channels',
    doc: 'A channel to whoever offers the name; answers its number, its way (0 lmp, 1 urpc, 2 multihop), core and window.',
  },
  channel_send: {
    args: { channel: 'whole', data: 'bytes', capabilities: 'wholes', give: 'wholes' },
    servedBy: 'channels',
    doc: 'Hands messages over, at most what the window leaves; with capabilities, and which are given away, answers when they are there.',
  },
  channel_taken: {
    args: { channel: 'whole', bytes: 'whole' },
    servedBy: 'channels',
    doc: 'The program has taken so many bytes more: the sender may send as many.',
  },
  channel_close: {
    args: { channel: 'whole', error: 'text' },
    servedBy: 'channels',
    doc: 'Closes a channel after what was sent; the other end is told the error.',
  },
} as const satisfies Record<string, SystemCallSpec>;

type Specs = typeof SYSTEM_CALLS;
export type SystemCallName = keyof Specs;

type ValueOf<F> = F extends Kind
  ? ArgumentTypes[F]
  : { readonly [N in keyof F]: F[N] extends Kind ? ArgumentTypes[F[N]] : never };
/** The checked arguments of a call. */
export type ArgumentsOf<C extends SystemCallName> = {
  readonly [N in keyof Specs[C]['args']]: ValueOf<Specs[C]['args'][N]>;
};

/** The calls that the CPU driver serves. */
export type LocalCall = { [C in SystemCallName]: Specs[C]['servedBy'] extends 'cpuDriver' ? C : never }[SystemCallName];
/** The calls that some service serves, or finishes. */
export type ServedCall = {
  [C in SystemCallName]: Specs[C] extends { readonly acrossCores: string } ? C : C extends LocalCall ? never : C;
}[SystemCallName];

/**
 * A service's half: `done` once, now or later. An OperationError that it throws is the answer. A call that may wait for
 * long returns what ends the wait.
 */
export type SystemCallHandler<C extends ServedCall> = (
  caller: Domain,
  args: ArgumentsOf<C>,
  now: Nanos,
  done: SystemCallDone,
) => GiveUp | void;

/** A call whose name and arguments have the form of the table. */
export interface CheckedCall {
  readonly name: SystemCallName;
  readonly args: Readonly<Record<string, unknown>>;
}

/** A dispatcher's call, checked against the table; null: no such call, or arguments of another form. */
export function checkSystemCall({ name, args }: SystemCall): CheckedCall | null {
  const form = FORMS.get(name);
  if (form === undefined || args.length > form.checks.length) return null;
  const checked: Record<string, unknown> = {};
  for (let i = 0; i < form.checks.length; i += 1) {
    const [argument, fits] = known(form.checks[i]);
    if (!fits(args[i])) return null;
    checked[argument] = args[i];
  }
  return { name: form.name, args: checked };
}

type Check = (value: unknown) => boolean;

/** Whether a value has the form of an argument. */
export const CHECKS: { readonly [K in Kind]: Check } = {
  slot: isSlotRef,
  whole: (value) => isWhole(value),
  text: (value) => typeof value === 'string',
  flag: (value) => typeof value === 'boolean',
  'flag?': (value) => value === undefined || typeof value === 'boolean',
  'whole?': (value) => value === undefined || isWhole(value),
  bytes: isBytes,
  wholes: isWholes,
  'wholes?': (value) => value === undefined || isWholes(value),
  'text?': (value) => value === undefined || typeof value === 'string',
  int: (value) => Number.isSafeInteger(value),
  number: (value) => typeof value === 'number' && Number.isFinite(value),
  'texts?': (value) => value === undefined || (Array.isArray(value) && value.every((text) => typeof text === 'string')),
  'names?': (value) => value === undefined || isNames(value),
  value: () => true,
  invocation: (value) => checkInvocation(value) !== null,
};

interface CallForm {
  readonly name: SystemCallName;
  readonly checks: readonly (readonly [argument: string, fits: Check])[];
}

const FORMS: ReadonlyMap<string, CallForm> = new Map(
  keysOf(SYSTEM_CALLS).map((name) => {
    const { args }: SystemCallSpec = SYSTEM_CALLS[name];
    return [name, { name, checks: Object.entries(args).map(([argument, form]) => [argument, checkOf(form)] as const) }];
  }),
);

function isNames(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((text) => typeof text === 'string');
}

function checkOf(form: Kind | ObjectForm): Check {
  if (typeof form === 'string') return CHECKS[form];
  const fields = Object.entries(form).map(([name, kind]) => [name, CHECKS[kind]] as const);
  return (value) => {
    if (!isRecord(value)) return false;
    return (
      Object.keys(value).every((name) => Object.hasOwn(form, name)) && fields.every(([name, fits]) => fits(value[name]))
    );
  };
}

function isWholes(value: unknown): value is readonly number[] {
  return isListOf(value, isWhole);
}
