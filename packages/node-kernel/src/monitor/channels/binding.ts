import { known } from '@mk/monitor-proto/assert';
import type { ErrorName } from '@mk/monitor-proto/errors';
import type { CoreId, DomainId, Nanos } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { MonitorContext } from '../context.ts';
import { answerIn, type Operation, OperationError, type Resume, sleepUntil, wait, type Wait } from '../operations.ts';
import type { Circuits } from './circuits.ts';
import { type End, type Way, WAYS } from './end.ts';
import type { Ends } from './ends.ts';
import type { Names, Offered } from './names.ts';
import type { Port, Ports } from './ports.ts';

/** A dispatcher's request to bind. */
export interface BindRequest {
  readonly name: string;
  readonly interface: string;
  /** Wait until the name is offered. */
  readonly wait: boolean;
  readonly window: number;
  /** The only transport allowed; null: any. */
  readonly way: Way | null;
  /** The intermediate cores, in order; null: found automatically. */
  readonly via: readonly CoreId[] | null;
  /** When the dispatcher gives up. */
  readonly deadline: Nanos;
}

/** A bind under way. */
interface Bind extends BindRequest {
  readonly domain: DomainId;
  /** Set when the dispatcher is gone, or its deadline has passed. */
  over: ErrorName | null;
  stop: Resume<never> | null;
}

/** Errors of one try after which the name is looked up again: it has moved, or its core is gone. */
const STALE: ReadonlySet<ErrorName> = new Set<ErrorName>(['NO_SUCH_SERVICE', 'PEER_GONE', 'PEER_UNKNOWN']);
/** Errors of one route after which the next is tried. */
const NO_WAY: ReadonlySet<ErrorName> = new Set<ErrorName>(['NO_ROUTE', 'PEER_GONE', 'OPERATION_TIMEOUT']);
/** Intermediate cores tried, nearest by number first. */
const RELAYS_TRIED = 3;

/*
 * Binding: same-core LMP, URPC over the direct link, one core between, in that order.
 *
 *   K7  every bind ends: in a channel, in a named error, at its deadline, or with its dispatcher
 */
export class Binding {
  private readonly binds = new Set<Bind>();
  /** Ends whose circuit has not been answered yet. */
  private readonly answers = new Map<End, Resume<End>>();

  constructor(
    private readonly context: MonitorContext,
    private readonly ports: Ports,
    private readonly names: Names,
    private readonly ends: Ends,
    private readonly circuits: Circuits,
  ) {}

  /** The number of binds under way. */
  get size(): number {
    return this.binds.size;
  }

  *run(domain: DomainId, request: BindRequest): Operation<End> {
    return yield* this.within(domain, request, (bind) => this.bind(bind));
  }

  /** Where a name is offered; null: nowhere. */
  *lookUp(domain: DomainId, name: string, wait: boolean, deadline: Nanos): Operation<Offered | null> {
    const request = { name, wait, deadline, interface: '', window: 0, way: null, via: null };
    return yield* this.within(domain, request, (bind) => this.find(bind));
  }

  private *within<T>(domain: DomainId, request: BindRequest, work: (bind: Bind) => Operation<T>): Operation<T> {
    const bind: Bind = { ...request, domain, over: null, stop: null };
    this.binds.add(bind);
    const timer =
      bind.deadline === Infinity
        ? null
        : this.context.timers.set(bind.deadline, (now) => this.end(bind, 'DEADLINE_EXCEEDED', now));
    try {
      return yield* work(bind);
    } finally {
      this.binds.delete(bind);
      this.context.timers.cancel(timer);
    }
  }

  dispatcherGone(domain: DomainId, now: Nanos): void {
    for (const bind of [...this.binds]) if (bind.domain === domain) this.end(bind, 'DISPATCHER_GONE', now);
  }

  /** The channel that an end asked for exists, or was refused. */
  answered(end: End, error: ErrorName | null, now: Nanos): void {
    const resume = this.answers.get(end);
    if (error === null) resume?.(end, now);
    else resume?.(new OperationError(error, 'the way to the service'), now);
  }

  private end(bind: Bind, error: ErrorName, now: Nanos): void {
    bind.over ??= error;
    bind.stop?.(new OperationError(bind.over, `binding to ${bind.name}`), now);
  }

  private *bind(bind: Bind): Operation<End> {
    for (let attempt = 0; ; attempt += 1) {
      const found = yield* this.find(bind);
      try {
        return yield* found === null ? this.missing(bind) : this.connect(bind, found);
      } catch (error) {
        if (!(error instanceof OperationError) || bind.over !== null || !STALE.has(error.error) || !bind.wait)
          throw error;
      }
      const pause = limit('capabilityRetryNs') * 2 ** Math.min(attempt, 5);
      yield* this.stoppable<void>(bind, (resume, now) => sleepUntil(this.context.timers, now + pause).arm(resume, now));
    }
  }

  private *missing({ name }: Bind): Operation<never> {
    throw new OperationError('NO_SUCH_SERVICE', `no service offers ${name}`);
  }

  /** Where the name is offered: here if possible, else where the knowledge base says. Waits if the bind does. */
  private *find(bind: Bind): Operation<Offered | null> {
    const { name, wait } = bind;
    for (;;) {
      this.failIfOver(bind);
      const local = this.ports.named(name);
      if (local !== undefined) return { core: this.context.core, port: local.id };
      const found = yield* wait ? this.findOrWait(bind) : this.lookOnce(bind);
      if (found !== null || !wait) return found;
    }
  }

  /** Asks the knowledge base; meanwhile the name may come to be offered on this core. */
  private *lookOnce(bind: Bind): Operation<Offered | null> {
    return yield* this.beside(bind, this.names.lookUp(bind.name));
  }

  private *findOrWait(bind: Bind): Operation<Offered | null> {
    const looking = this.names.lookUpOrWait(bind.name, (stop) => this.stopWith(bind, stop));
    return yield* this.beside(bind, looking);
  }

  /** Runs a look-up in the knowledge base, cut short by a local offer, the deadline or the dispatcher's end. */
  private *beside(bind: Bind, looking: Operation<Offered | null>): Operation<Offered | null> {
    let result: unknown;
    try {
      for (;;) {
        const step = looking.next(result);
        if (step.done) return step.value;
        const awaited = step.value;
        result = yield* this.stoppable<unknown>(bind, (resume, now) => {
          const disarm = awaited.arm(resume, now);
          const forget = this.ports.whenOffered(bind.name, () => resume(OFFERED_HERE, this.context.now));
          return () => {
            disarm();
            forget();
          };
        });
        if (result === OFFERED_HERE) return null;
      }
    } finally {
      looking.return(null);
    }
  }

  private stopWith(bind: Bind, stop: Resume<never>): () => void {
    bind.stop = stop;
    return () => {
      bind.stop = null;
    };
  }

  private *stoppable<T>(bind: Bind, arm: Wait<T>['arm']): Operation<T> {
    this.failIfOver(bind);
    return yield* wait<T>({
      arm: (resume, now) => {
        bind.stop = resume;
        const disarm = arm(resume, now);
        return () => {
          bind.stop = null;
          disarm();
        };
      },
    });
  }

  private failIfOver({ over, name }: Bind): void {
    if (over !== null) throw new OperationError(over, `binding to ${name}`);
  }

  private *connect(bind: Bind, { core, port }: Offered): Operation<End> {
    if (core === this.context.core) return this.connectHere(bind, this.ports.get(port));
    if (!this.context.monitors.has(core)) throw new OperationError('PEER_UNKNOWN', `core ${core} is not a member`);
    const routes = this.routesTo(bind, core);
    let last = new OperationError('NO_ROUTE', `no allowed route leads to core ${core}`);
    for (const route of routes) {
      try {
        return yield* this.connectBy(bind, route, port);
      } catch (error) {
        if (!(error instanceof OperationError) || !NO_WAY.has(error.error) || bind.over !== null) throw error;
        last = error;
      }
    }
    throw last;
  }

  private connectHere(bind: Bind, port: Port | undefined): End {
    if (port === undefined) throw new OperationError('NO_SUCH_SERVICE', `no service offers ${bind.name} any more`);
    if (port.interface !== bind.interface)
      throw new OperationError('INTERFACE_MISMATCH', `${bind.name} speaks ${port.interface}, not ${bind.interface}`);
    if (bind.via !== null || (bind.way !== null && bind.way !== 'lmp'))
      throw new OperationError('NO_ROUTE', `${bind.name} is offered on this core: only lmp reaches it`);
    if (this.ends.countOf(port.domain) >= limit('channelsPerDispatcher'))
      throw new OperationError('TOO_MANY_CHANNELS', `${bind.name} has reached its limit of channels`);
    const { core, now } = this.context;
    const end = this.ends.make(bind.domain, 'lmp', core, bind.window, now);
    this.ends.join(end, port, core, now);
    return end;
  }

  /**
   * The routes to try, in order: the direct link, then one core between whose two links are up, as far as this core
   * knows.
   */
  private routesTo({ way, via }: Bind, core: CoreId): readonly (readonly CoreId[])[] {
    if (via !== null) return [[...via, core]];
    const direct = way === null || way === 'urpc' ? [core].filter((other) => this.isUp(other)) : [];
    if (way !== null && way !== 'multihop') return direct.map((other) => [other]);
    const between = this.context.members
      .filter((other) => other !== core && this.isUp(other))
      .sort((a, b) => Math.abs(a - core) - Math.abs(b - core) || a - b)
      .slice(0, RELAYS_TRIED);
    return [...direct.map((other) => [other]), ...between.map((relay) => [relay, core])];
  }

  private isUp(core: CoreId): boolean {
    const monitor = this.context.monitors.get(core);
    const peer = this.context.endpoint.peers.get(core);
    if (monitor === undefined || peer === undefined || monitor.suspected) return false;
    return peer.link !== 0 || peer.dialAttempts === 0; // an unused link opens on demand
  }

  private *connectBy(bind: Bind, route: readonly CoreId[], port: number): Operation<End> {
    const { context, ends, circuits } = this;
    const [first] = route;
    if (route.includes(context.core) || new Set(route).size < route.length || route.length > limit('circuitHops') + 1)
      throw new OperationError('BAD_REQUEST', `a route over ${route.join(', ')} has a loop or is too long`);
    if (!context.monitors.has(known(first))) throw new OperationError('NO_ROUTE', `core ${first} is not a member`);
    const end = ends.make(
      bind.domain,
      route.length === 1 ? 'urpc' : 'multihop',
      known(route.at(-1)),
      bind.window,
      context.now,
    );
    const { peer, circuit } = circuits.open(end.id, route, port, bind.interface, bind.window);
    ends.connect(end, { kind: 'circuit', peer, circuit }, 0);
    try {
      yield* this.stoppable(bind, (resume, now) =>
        answerIn(context.timers, now + limit('circuitOpenNs'), `core ${end.otherCore} did not answer`, (slot) => {
          this.answers.set(end, slot);
          return () => this.answers.delete(end);
        }).arm(resume, now),
      );
      return end;
    } catch (error) {
      if (!end.gone) {
        ends.remove(end);
        circuits.close(peer, circuit, 'CHANNEL_CLOSED');
      }
      throw error;
    }
  }
}

/** The name is now offered on this core. */
const OFFERED_HERE = Symbol('offered here');

/** The transport of that name; null: none was named. */
export function wayNamed(name: string | undefined): Way | null {
  if (name === undefined) return null;
  const way = WAYS.find((one) => one === name);
  if (way === undefined)
    throw new OperationError('BAD_REQUEST', `no transport is called ${name}; choose one of ${WAYS.join(', ')}`);
  return way;
}
