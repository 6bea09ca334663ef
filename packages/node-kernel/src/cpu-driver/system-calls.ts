import type { ErrorName } from '@mk/monitor-proto/errors';
import type { Nanos } from '@mk/monitor-proto/ids';
import type { Invocation } from '../capability/invocations/decode.ts';
import type { ArgumentTypes, Kind, ObjectForm } from './argument-kinds.ts';
import type { Domain } from './domains.ts';
import type { GiveUp } from './give-up.ts';

/** The result of a system call: a value, or a named error. */
export type SystemCallResult =
  | { readonly ok: true; readonly value: unknown }
  /** `text`: an explanation for people beyond the error’s own doc, such as the operation or the culprit. */
  | { readonly ok: false; readonly error: ErrorName; readonly text?: string };

/** Called once with the result of a system call. */
export type SystemCallDone = (result: SystemCallResult, now: Nanos) => void;

/** What an argument may be: of a kind, an object of such fields, or a capability operation. */
export type ArgumentForm = Kind | ObjectForm | 'invocation';

export interface SystemCallSpec {
  /** The arguments in order, by the names that the handler sees. */
  readonly args: Readonly<Record<string, ArgumentForm>>;
  /** The CPU driver, which answers at once and knows no other core, or the service that answers when it can. */
  readonly servedBy: string;
  /** The service that finishes calls that the CPU driver cannot, because other cores are concerned. */
  readonly acrossCores?: string;
  /** Always answered at once, whoever serves it: a dispatcher can make the call within its turn. */
  readonly atOnce?: true;
  readonly doc: string;
}

/** Every system call: a dispatcher passes its name and arguments; the handler gets them checked. */
export const SYSTEM_CALLS = {
  nop: { args: {}, servedBy: 'cpuDriver', doc: 'Does nothing: measures the cost of a system call.' },
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
    doc: 'Ends such a subscription; answers whether there was one.',
  },
  revokes_asked: { args: {}, servedBy: 'capops', doc: 'The revokes that wait for the domain’s consent.' },
  yield: {
    args: {},
    servedBy: 'dispatchers',
    doc: 'Gives up the rest of the slice; the dispatcher is resumed later.',
  },
  set_timer: {
    args: { timer: 'whole', at: 'number' },
    servedBy: 'dispatchers',
    atOnce: true,
    doc: 'Requests the upcall timer at this time of the kernel’s clock (ns); replaces the timer of that number.',
  },
  cancel_timer: {
    args: { timer: 'whole' },
    servedBy: 'dispatchers',
    atOnce: true,
    doc: 'Cancels a timer; answers whether it was set.',
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
    doc: 'Ends the domain as failed, with an uncaught error.',
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
    doc: 'Creates a domain of a program (the caller’s own unless named), on a core, with arguments, environment and capabilities of the caller; answers domain and core. weight, or wcet, period and deadline in ns.',
  },
  span: {
    args: { core: 'whole' },
    servedBy: 'programs',
    doc: 'Adds a dispatcher of the domain on that core; answered once it has started.',
  },
  span_send: {
    args: { core: 'whole', data: 'value' },
    servedBy: 'programs',
    doc: 'Sends a value to the domain’s dispatcher on that core: FIFO, exactly once; BUSY when the channel is full.',
  },
  kill: {
    args: { domain: 'text' },
    servedBy: 'programs',
    doc: 'Stops every dispatcher of a domain; answered once they have been told to stop.',
  },
  wait: {
    args: { domain: 'text', nohang: 'flag?' },
    servedBy: 'programs',
    doc: 'How a domain ended, once all its dispatchers have stopped; with nohang, its present state.',
  },
  domains: { args: {}, servedBy: 'programs', doc: 'The domains whose home this core is.' },
  consent_revoke: {
    args: { op: 'text', consents: 'flag' },
    servedBy: 'capops',
    doc: 'Answers a revoke’s question whether the domain consents.',
  },
  allocate: {
    args: { request: { bytes: 'whole', alignment: 'whole?', near: 'whole?', from: 'whole?', to: 'whole?' } },
    servedBy: 'memory',
    doc: 'RAM in a free slot, from this core’s memory server or the nearest peer with free memory; answers its address.',
  },
  vspace_root: {
    args: { root: 'slot' },
    servedBy: 'addressSpaces',
    doc: 'Makes this VNode_L0 the root of the domain’s address space; once, on the core where the domain began.',
  },
  page_fault: {
    args: { address: 'whole', access: 'text' },
    servedBy: 'addressSpaces',
    doc: 'Makes an access (read, write; snapshot: a private copy) possible: answers the rights and the number of the memory that comes with the answer.',
  },
  memory_atomic: {
    args: { address: 'whole', request: 'value' },
    servedBy: 'addressSpaces',
    doc: 'Performs an atomic operation (add, swap, compare_and_swap, and, or) on 8 bytes at their home; operand and expected are texts; answers the old value.',
  },
  memory_put: {
    args: { address: 'whole', data: 'bytes' },
    servedBy: 'addressSpaces',
    doc: 'Writes bytes of one page at its home: publishes a copy that is not kept coherent.',
  },
  vspace_lookup: {
    args: { address: 'whole' },
    servedBy: 'addressSpaces',
    doc: 'Translates an address: physical address, rights, bytes of the page; null where nothing is mapped.',
  },
  channel_look_up: {
    args: { name: 'text', wait: 'flag', timeout: 'whole?' },
    servedBy: 'channels',
    doc: 'Where a name is offered: core and port. Waits for the offer, or until the timeout in nanoseconds.',
  },
  dispatcher_self: {
    args: {},
    servedBy: 'endpoints',
    doc: 'The address of the caller’s own Dispatcher capability, which is created on first request.',
  },
  endpoint_create: {
    args: { number: 'whole' },
    servedBy: 'endpoints',
    doc: 'Creates an endpoint of that number from the caller’s Dispatcher; answers its name in upcalls and the address of its capability.',
  },
  endpoint_send: {
    args: { endpoint: 'whole', words: 'wholes', capability: 'whole?' },
    servedBy: 'endpoints',
    doc: 'Sends words, and a copy of a capability, to the endpoint that the capability at this address names. ENDPOINT_OVERFLOW: not delivered; the upcall writable says when to try again.',
  },
  lrpc: {
    args: { endpoint: 'whole', words: 'wholes' },
    servedBy: 'endpoints',
    doc: 'Sends at most four words and gives the receiver the core when this turn ends.',
  },
  endpoint_taken: {
    args: { endpoint: 'whole', count: 'whole' },
    servedBy: 'endpoints',
    doc: 'The program has taken so many more messages from an endpoint.',
  },
  octopus: {
    args: { request: 'value' },
    servedBy: 'programKnowledge',
    doc: 'One request to Octopus, answered by its reply; triggers notify by the upcall octopus_event.',
  },
  skb_query: {
    args: { query: { goal: 'text', time_limit_ms: 'whole?', max_solutions: 'whole?' } },
    servedBy: 'programKnowledge',
    doc: 'All solutions of a Prolog goal.',
  },
  channel_export: {
    args: { name: 'text', interface: 'text', scope: 'text' },
    servedBy: 'channels',
    doc: 'Offers a name on this core (`core`) or on all (`machine`); answers the port on which connections are announced.',
  },
  channel_withdraw: { args: { port: 'whole' }, servedBy: 'channels', doc: 'Withdraws the offer of a name.' },
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
    doc: 'Opens a channel to the program that offers the name; answers its number, its transport (0 lmp, 1 urpc, 2 multihop), core and window.',
  },
  channel_send: {
    args: { channel: 'whole', data: 'bytes', capabilities: 'wholes', give: 'wholes' },
    servedBy: 'channels',
    doc: 'Sends messages, at most as many bytes as the window leaves; with capabilities, and which of them are given away, answers once they have arrived.',
  },
  channel_taken: {
    args: { channel: 'whole', bytes: 'whole' },
    servedBy: 'channels',
    doc: 'The program has taken so many more bytes: the sender may send as many.',
  },
  channel_close: {
    args: { channel: 'whole', error: 'text' },
    servedBy: 'channels',
    doc: 'Closes a channel after everything sent; the other end receives the error.',
  },
} as const satisfies Record<string, SystemCallSpec>;

type Specs = typeof SYSTEM_CALLS;
export type SystemCallName = keyof Specs;

type ValueOf<F> = F extends 'invocation'
  ? Invocation
  : F extends Kind
    ? ArgumentTypes[F]
    : { readonly [N in keyof F]: F[N] extends Kind ? ArgumentTypes[F[N]] : never };
/** The checked arguments of a call. */
export type ArgumentsOf<C extends SystemCallName> = {
  readonly [N in keyof Specs[C]['args']]: ValueOf<Specs[C]['args'][N]>;
};

/** The calls that the CPU driver serves. */
export type LocalCall = { [C in SystemCallName]: Specs[C]['servedBy'] extends 'cpuDriver' ? C : never }[SystemCallName];
/** The calls that a service serves or finishes. */
export type ServedCall = {
  [C in SystemCallName]: Specs[C] extends { readonly acrossCores: string } ? C : C extends LocalCall ? never : C;
}[SystemCallName];

/**
 * A service's handler: calls `done` once, now or later. An OperationError that it throws becomes the answer. A call that
 * may wait for long returns what ends the wait.
 */
export type SystemCallHandler<C extends ServedCall> = (
  caller: Domain,
  args: ArgumentsOf<C>,
  now: Nanos,
  done: SystemCallDone,
) => GiveUp | void;

/** A call whose name and arguments fit the table. */
export interface CheckedCall {
  readonly name: SystemCallName;
  readonly args: Readonly<Record<string, unknown>>;
}
