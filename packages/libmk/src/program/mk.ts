import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import { Capabilities } from '../capabilities/capabilities.ts';
import { Channels, type BindOptions, type ExportOptions } from '../channels/channels.ts';
import { type Client, makeClient } from '../channels/client.ts';
import type { Connection } from '../channels/connection.ts';
import { LocalEndpoints } from '../channels/local-endpoints.ts';
import { checkHandlers, type Handlers, type ServeOptions, type Service, ServiceEnd } from '../channels/service.ts';
import type { PlainValue } from '../dispatcher/plain-value.ts';
import type { UpcallOf } from '../dispatcher/protocol.ts';
import { checkInterface, type Interface, type Methods } from '../interface/interface.ts';
import { KnowledgeBase, SharedRecords } from '../knowledge/knowledge.ts';
import { AddressSpace } from '../memory/address-space.ts';
import { NameService } from '../names/names.ts';
import { Processes } from '../processes/processes.ts';
import { Cancellation } from '../runtime/cancellation.ts';
import type { Predicate } from '../runtime/invariants.ts';
import { MkError } from '../runtime/mk-error.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { WaitOptions } from '../runtime/waiting.ts';
import {
  type AnyThread,
  Migration,
  type RemoteThread,
  RemoteThreads,
  type ResultOf,
  type RunEntry,
  type StateOf,
  type ThreadFunction,
  type ThreadHandle,
} from '../threads/remote-threads.ts';
import type { Threads } from '../threads/threads.ts';
import { consoleOf, type MkConsole } from '../runtime/console.ts';

/** The named thread through which other dispatchers of the domain use the address space at home. */
export const MEMORY_ENTRY = 'mk:memory';

/** The identity of a dispatcher. */
export interface Self {
  /** Its domain: `core.incarnation.n`. */
  readonly domain: string;
  readonly core: CoreId;
  readonly dispatcher: number;
  readonly program: string;
  /** `main`: the domain's first dispatcher; `span`: one on another core. */
  readonly part: 'main' | 'span';
}

/** A program's whole view of its machine. The first argument of its main function, and of its named threads. */
export class Mk {
  readonly self: Self;
  /** The cores on which the domain had dispatchers when this one began; the first dispatcher's core comes first. */
  readonly cores: readonly number[];
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Addresses of the capabilities that came with the spawn. */
  readonly given: readonly number[];
  readonly threads: Threads;
  readonly capabilities: Capabilities;
  readonly endpoints: LocalEndpoints;
  readonly memory: AddressSpace;
  readonly names: NameService;
  readonly skb: KnowledgeBase;
  readonly octopus: SharedRecords;
  readonly processes: Processes;
  readonly console: MkConsole;
  private readonly channels: Channels;
  private readonly remote: RemoteThreads;

  constructor(
    private readonly runtime: Runtime,
    run: UpcallOf<'run'>,
    entries: RunEntry,
  ) {
    const { domain, core, dispatcher, program, part } = run;
    this.self = { domain, core, dispatcher, program, part: part === 'span' ? 'span' : 'main' };
    this.cores = run.cores;
    this.args = run.args;
    this.env = run.environment;
    this.given = run.capabilities;
    this.threads = runtime.threads;
    this.capabilities = new Capabilities(runtime);
    this.endpoints = new LocalEndpoints(runtime);
    this.channels = new Channels(runtime);
    this.octopus = new SharedRecords(runtime);
    this.skb = new KnowledgeBase(runtime);
    this.names = new NameService(runtime, this.octopus);
    this.processes = new Processes(runtime);
    this.remote = new RemoteThreads(runtime, entries);
    this.remote.core = core;
    const [home = core] = run.cores;
    const atHome = (request: PlainValue): Promise<PlainValue> => this.remote.spawn(home, MEMORY_ENTRY, request).join();
    this.memory = new AddressSpace(runtime, this.capabilities, part === 'span' ? atHome : null);
    this.console = consoleOf((text, stream) => runtime.calls.tell('print', [text, stream]));
    this.route();
  }

  // Time, randomness, work.

  /** The kernel's clock in nanoseconds; it stands still between two waits, except for `work`. */
  now(): Nanos {
    return this.runtime.now();
  }

  /** A number from 0 up to 1, derived from the kernel's seed: the same seed gives the same numbers. */
  random(): number {
    return this.runtime.prng.nextFloat();
  }

  /** A whole number from 0 up to `below`, derived from the kernel's seed. */
  randomInt(below: number): number {
    return this.runtime.prng.nextInt(below);
  }

  /** Declares that a computation takes that long: the simulated core is occupied meanwhile. */
  work(ns: Nanos): void {
    this.runtime.border.work(ns);
  }

  /** Waits so many nanoseconds. */
  sleep(ns: Nanos, options: WaitOptions = {}): Promise<void> {
    return this.threads.sleep(ns, options);
  }

  /** Lets other threads run, and other dispatchers when no other thread is ready. */
  yield(): Promise<void> {
    return this.threads.yield();
  }

  /** Something that cancels waits. */
  cancellation(): Cancellation {
    return new Cancellation();
  }

  /** An error to throw: a handler that throws it refuses by this name. */
  error(name: string, text = ''): MkError {
    return new MkError(name, text);
  }

  // Assertions and invariants.

  /** Ends the program with ASSERTION_FAILED unless the condition holds, even in a handler or within a `catch`. */
  assert(condition: unknown, text = 'an assertion'): void {
    if (condition !== false && condition !== null && condition !== undefined && condition !== 0 && condition !== '')
      return;
    const error = new MkError('ASSERTION_FAILED', text);
    this.runtime.failed(this.runtime.queue.current, error);
    throw error;
  }

  /**
   * Checks an invariant whenever another thread of this dispatcher can run. If it does not hold, the program ends with
   * INVARIANT_VIOLATED, on a running core as in the simulator. Returns a function that withdraws it.
   *
   * @example
   * mk.always('no overdraft', () => balance >= 0 || `${balance} in the account`);
   */
  always(name: string, holds: Predicate): () => void {
    return this.runtime.invariants.always(name, holds);
  }

  /** Ends the domain on all its cores with this status. Nothing of the program runs after it. */
  exit(status = 0): Promise<never> {
    this.runtime.end(status);
    return new Promise<never>(() => undefined);
  }

  /** A system call that does nothing: measures what one costs. */
  async nop(): Promise<void> {
    await this.runtime.calls.ask('nop', []);
  }

  // Channels.

  /**
   * Offers a service: a handler for each method of the interface. NAME_TAKEN: somebody offers the name.
   *
   * @example
   * const store = new Map<string, number>();
   * await mk.export('kv', Kv, { get: ({ key }) => ({ value: store.get(key) ?? null }), put: … });
   */
  async export<M extends Methods>(
    name: string,
    spoken: Interface<M>,
    handlers: Handlers<M> | ((connection: Connection<M>) => Handlers<M>),
    options: ExportOptions & ServeOptions<M> = {},
  ): Promise<Service<M>> {
    if (typeof handlers === 'function') return this.offer(name, spoken, handlers, options);
    checkInterface(spoken);
    checkHandlers(spoken, handlers);
    return this.offer(name, spoken, () => handlers, options);
  }

  /**
   * As `export`, for a program that takes clients and their requests itself: `accepted` of the service, `requests` of each
   * connection, alone or in a wait set.
   *
   * @example
   * const service = await mk.listen('kv', Kv);
   * const connection = await service.accepted.receive();
   * const request = await connection.requests.receive();
   * await request.reply({ value: 1 });
   */
  listen<M extends Methods>(
    name: string,
    spoken: Interface<M>,
    options: ExportOptions & ServeOptions<M> = {},
  ): Promise<Service<M>> {
    return this.offer(name, spoken, null, options);
  }

  /**
   * A client of the service that offers the name; waits until there is one. Same-core LMP, URPC over the direct link
   * and a core between are tried in that order. INTERFACE_MISMATCH, NO_ROUTE, DEADLINE_EXCEEDED.
   *
   * @example
   * const kv = await mk.bind('kv', Kv, { timeoutNs: 5e9 });
   * const { value } = await kv.get({ key: 'a' }, { timeoutNs: 1e9 });
   */
  async bind<M extends Methods>(name: string, spoken: Interface<M>, options: BindOptions = {}): Promise<Client<M>> {
    checkInterface(spoken);
    return makeClient(this.runtime, await this.channels.bind(name, spoken, options), spoken);
  }

  // Other cores of this domain.

  /** Also gives the domain a dispatcher on that core, whether or not the caller gives up meanwhile. ALREADY_SPANNED. */
  async span(core: CoreId, options: WaitOptions = {}): Promise<void> {
    await this.runtime.calls.ask('span', [core], options);
  }

  /**
   * Begins a named thread of the program (`threads` of `program`) on a core that the domain spans. With the type of the
   * thread's function (`mk.spawnOn<typeof sum>(…)`) its state and its result are typed.
   *
   * @example
   * await mk.span(1);
   * const thread = mk.spawnOn(1, 'sum', { from: 0, to: 1000 });
   * const total = await thread.join();
   */
  spawnOn<F extends ThreadFunction = AnyThread>(
    core: CoreId,
    entry: string,
    ...[state]: undefined extends StateOf<F> ? [state?: StateOf<F>] : [state: StateOf<F>]
  ): RemoteThread<ResultOf<F>> {
    return this.remote.spawn(core, entry, state ?? null);
  }

  /** Joins a thread of this domain by its handle, whichever dispatcher began it. */
  join(handle: ThreadHandle, options: WaitOptions = {}): Promise<PlainValue> {
    return this.remote.join(handle, options);
  }

  /** Returned by a named thread that wants to continue on that core as `entry`, with this state. */
  moveTo(core: CoreId, entry: string, state: PlainValue = null): Migration {
    return new Migration(core, entry, state);
  }

  private async offer<M extends Methods>(
    name: string,
    spoken: Interface<M>,
    handlers: ((connection: Connection<M>) => Handlers<M>) | null,
    options: ExportOptions & ServeOptions<M>,
  ): Promise<Service<M>> {
    checkInterface(spoken);
    const offered = await this.channels.offer(name, spoken as Interface, options);
    const report = (text: string): void => this.console.error(text);
    return new ServiceEnd(this.runtime, { name, spoken, offered, handlers, options, report });
  }

  /** Routes the kernel's upcalls to the parts of the library. */
  private route(): void {
    const { runtime, channels, endpoints } = this;
    runtime.on('message', ({ channel, words, data, capabilities }) => {
      if (!endpoints.message(channel, words, capabilities)) channels.message(channel, words, data, capabilities);
    });
    runtime.on('credit', ({ channel, bytes }) => channels.credited(channel, bytes));
    runtime.on('closed', ({ channel, error }) => channels.closed(channel, error));
    runtime.on('writable', ({ channel }) => endpoints.writable(channel));
  }
}
