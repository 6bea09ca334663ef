import { isRecord } from '@mk/monitor-proto/guards';
import type { InputOf, Interface, Methods, NamesOf, OutputOf } from '../interface/interface.ts';
import { EventQueue } from '../runtime/event-queue.ts';
import { isMkError, MkError } from '../runtime/mk-error.ts';
import { describe, type Runtime } from '../runtime/runtime.ts';
import { errorOf } from '../runtime/thrown-value.ts';
import type { Semaphore } from '../threads/semaphore.ts';
import type { ChannelEnd } from './channel-end.ts';
import type { OfferedName } from './channels.ts';
import { type Connection, type Request, ServerEnd } from './connection.ts';

/** A handler's second argument: the circumstances of the request. */
type HandlerCall<M extends Methods> = Pick<Request<M>, 'connection' | 'signal' | 'deadline'>;

/** A function for each request and message of an interface. Throwing refuses: an `MkError` by its name. */
export type Handlers<M extends Methods> = {
  readonly [N in NamesOf<M, 'rpc'>]: (
    input: InputOf<M[N]>,
    call: HandlerCall<M>,
  ) => OutputOf<M[N]> | Promise<OutputOf<M[N]>>;
} & {
  readonly [N in NamesOf<M, 'message'>]: (fields: InputOf<M[N]>, call: HandlerCall<M>) => void | Promise<void>;
};

/** How a service serves. */
export interface ServeOptions<M extends Methods> {
  /** Concurrent handlers per connection; 1: strictly one after the other. Default 64. */
  readonly concurrency?: number;
  /** A new client; throw to refuse it: its channel then closes by the name of the `MkError`, or CONNECTION_REFUSED. */
  readonly onConnect?: (connection: Connection<M>) => void;
  /** A client is gone, and why. */
  readonly onClose?: (connection: Connection<M>, error: MkError) => void;
}

/** A service that is offered. */
export interface Service<M extends Methods = Methods> {
  readonly name: string;
  /** Clients that are connected. */
  readonly connections: ReadonlySet<Connection<M>>;
  /** New clients, if the service was exported without handlers: take their `requests`. */
  readonly accepted: EventQueue<Connection<M>>;
  /** Withdraws the name, and closes all connections. */
  close(): Promise<void>;
}

/** The default number of concurrent handlers per connection. */
const CONCURRENCY = 64;

/** The parts of a service. */
export interface Offering<M extends Methods> {
  readonly name: string;
  readonly spoken: Interface<M>;
  readonly offered: OfferedName;
  /** Makes a connection's handlers; null: the program takes connections and requests itself. */
  readonly handlers: ((connection: Connection<M>) => Handlers<M>) | null;
  readonly options: ServeOptions<M>;
  /** Reports in a line that a handler threw. */
  readonly report: (text: string) => void;
}

/** Serves the connections of an offered name. */
export class ServiceEnd<M extends Methods> implements Service<M> {
  readonly connections = new Set<ServerEnd<M>>();
  readonly accepted: EventQueue<Connection<M>>;

  readonly name: string;

  constructor(
    private readonly runtime: Runtime,
    private readonly offering: Offering<M>,
  ) {
    this.name = offering.name;
    this.accepted = new EventQueue(runtime, `clients of ${this.name}`);
    const doorman = runtime.threads.spawn(`${this.name}: doorman`, () => this.acceptAll());
    doorman.detach();
  }

  async close(): Promise<void> {
    await this.offering.offered.withdraw();
    for (const connection of [...this.connections]) connection.close();
    this.accepted.end(new MkError('CHANNEL_CLOSED', `${this.name} is no longer offered`));
  }

  private async acceptAll(): Promise<void> {
    try {
      for (;;) this.accept(await this.offering.offered.accepted.receive());
    } catch (error) {
      if (!isMkError(error)) throw error; // the name is withdrawn
    }
  }

  private accept(end: ChannelEnd): void {
    const connection = new ServerEnd<M>(
      this.runtime,
      end,
      this.offering.spoken,
      this.offering.report,
      (closed, error) => {
        if (this.connections.delete(closed)) this.offering.options.onClose?.(closed, error);
      },
    );
    try {
      this.offering.options.onConnect?.(connection);
      const handlers = this.offering.handlers?.(connection) ?? null;
      this.connections.add(connection);
      connection.start();
      if (handlers === null) return this.accepted.push(connection);
      this.runtime.threads.spawn(`${this.name}: server`, () => this.serve(connection, handlers)).detach();
    } catch (error) {
      if (!isMkError(error)) this.offering.report(`${this.name}, a new client: ${describe(error)}`);
      connection.turnAway(isMkError(error) ? error.name : 'CONNECTION_REFUSED');
    }
  }

  /** A request at the head of an idle connection starts at once; any other waits for the connection's thread. */
  private async serve(connection: ServerEnd<M>, handlers: Handlers<M>): Promise<void> {
    const { requests } = connection;
    const most = this.offering.options.concurrency ?? CONCURRENCY;
    const free = this.runtime.threads.semaphore(most, `handlers of ${this.name}`);
    let isIdle = false;
    connection.atOnce = (request) => {
      const begins = isIdle && free.tryWait();
      if (begins) this.begin(request, handlers, free);
      else isIdle = false; // the next request is behind this one
      return begins;
    };
    for (;;) {
      let taken = requests.take();
      isIdle = taken === null;
      try {
        taken ??= { ok: true, value: await requests.receive() };
      } catch (error) {
        if (!isMkError(error)) throw error;
        taken = { ok: false, error };
      }
      isIdle = false;
      if (!taken.ok) return; // the connection is closed
      if (!free.tryWait()) await free.wait();
      this.begin(taken.value, handlers, free);
    }
  }

  /**
   * An async handler gets a thread of its own; any other runs at once, without one, so that a stream of small messages
   * costs no switch.
   */
  private begin(request: Request<M>, handlers: Handlers<M>, free: Semaphore): void {
    const { name } = this;
    const handler = handlers[request.method as keyof Handlers<M>] as AnyHandler<M> | undefined;
    if (handler instanceof AsyncFunction || handler === undefined) {
      this.runtime.threads.spawn(`${name}.${request.method}`, () => this.handle(request, handler, free)).detach();
      return;
    }
    const { queue } = this.runtime;
    const { current } = queue;
    queue.current = null;
    try {
      const { input, connection, signal, deadline } = request;
      const output = handler(input, { connection, signal, deadline });
      if (isThenable(output)) void this.finish(request, output, free);
      else {
        free.post();
        if (request.answered) void request.reply(output);
      }
    } catch (error) {
      void this.refuse(request, error).finally(() => free.post());
    } finally {
      queue.current = current;
    }
    this.runtime.checkInvariants();
  }

  private async finish(request: Request<M>, output: PromiseLike<unknown>, free: Semaphore): Promise<void> {
    try {
      await request.reply(await output);
    } catch (error) {
      await this.refuse(request, error);
    } finally {
      free.post();
    }
  }

  private async handle(request: Request<M>, handler: AnyHandler<M> | undefined, free: Semaphore): Promise<void> {
    const { method, input, connection, signal, deadline } = request;
    try {
      if (handler === undefined) throw new MkError('HANDLER_FAILED', `${this.name} has no handler for ${method}`);
      await request.reply(await handler(input, { connection, signal, deadline }));
    } catch (error) {
      await this.refuse(request, error);
    } finally {
      free.post();
    }
  }

  /** The handler's error is the refusal; an unintended one is also reported to the server. */
  private async refuse(request: Request<M>, error: unknown): Promise<void> {
    if (isMkError(error) && request.answered) return request.refuse(error.name, error.text);
    if (this.runtime.ended) return;
    this.offering.report(`${this.name}.${request.method}: ${describe(error)}`);
    await request.refuse('HANDLER_FAILED', errorOf(error).message);
  }
}

type AnyHandler<M extends Methods> = (input: unknown, call: HandlerCall<M>) => unknown;

const AsyncFunction = (async () => undefined).constructor;

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return isRecord(value) && typeof value['then'] === 'function';
}

/** Throws BAD_REQUEST if a request or message of the interface has no function. */
export function checkHandlers(spoken: Pick<Interface, 'name' | 'rows'>, handlers: unknown): void {
  const given: Readonly<Record<string, unknown>> = isRecord(handlers) ? handlers : {};
  const missing = spoken.rows.filter(({ is, name }) => is !== 'event' && typeof given[name] !== 'function');
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name).join(', ');
  throw new MkError('BAD_REQUEST', `${spoken.name} is exported without a function for ${names}; mk.listen needs none`);
}
