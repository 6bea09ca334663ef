import { handlerFor } from '@mk/monitor-proto/handlers';
import { isKeyOf } from '@mk/monitor-proto/tables';
import { isRecord, isWhole } from '@mk/monitor-proto/guards';
import { type DomainId, type Nanos, SECOND } from '@mk/monitor-proto/ids';
import { AssertionFailure, assertInvariant } from '@mk/monitor-proto/assert';
import { limit } from '@mk/monitor-proto/limits';
import { LOG_THRESHOLDS } from '@mk/monitor-proto/log-events';
import type { MessageTap } from '@mk/monitor-proto/endpoint/message-trace';
import { endpointMetrics } from '@mk/monitor-proto/endpoint/endpoint-metrics';
import { type MetricFamily, metricsText } from '@mk/monitor-proto/metrics';
import type { Timer } from '@mk/monitor-proto/timer-queue';
import { Outbox } from '@mk/monitor-proto/outbox';
import type { ControlReply, StateMachine } from '@mk/monitor-proto/step';
import { ChangeSink } from './capability/model/changes.ts';
import type { KernelConfig } from './config.ts';
import { Arguments } from './control/arguments.ts';
import type { Verb } from './control/verb.ts';
import { ACROSS_CORES, CpuDriver } from './cpu-driver/cpu-driver.ts';
import type { GiveUp } from './cpu-driver/give-up.ts';
import { checkSystemCall } from './cpu-driver/system-call-check.ts';
import {
  type CheckedCall,
  SYSTEM_CALLS,
  type SystemCallDone,
  type SystemCallResult,
  type SystemCallSpec,
} from './cpu-driver/system-calls.ts';
import type { KernelEffect, KernelEvent, ServiceEvent, SystemCall } from './effects.ts';
import type { Receivers } from './monitor/channels/ends.ts';
import { Monitor } from './monitor/monitor.ts';
import { OperationError, type Operation } from './monitor/operations.ts';
import { fencedReply, Gate } from './monitor/views/gate.ts';
import { ServiceTable } from './monitor/service-table.ts';
import { createServices, type Services } from './services.ts';

/** Rounds of consequences within one step; the rest follow in the next step, which is due at once. */
const TELLING_ROUNDS = 4;

type OwnEvent = Exclude<KernelEvent, ServiceEvent>;
type Handlers = { readonly [T in OwnEvent['type']]: (event: Extract<OwnEvent, { type: T }>, now: Nanos) => void };

/**
 * The kernel of one core: CPU driver, monitor and the services of services.ts. A synchronous state machine:
 * `step(event, now)` returns effects, and it knows nothing of the world but its events (docs/ARCHITECTURE.md).
 */
export class Kernel implements StateMachine<KernelEvent, KernelEffect> {
  readonly outbox: Outbox<KernelEffect>;
  private readonly changes = new ChangeSink();
  readonly cpuDriver = new CpuDriver(this.changes);
  readonly monitor: Monitor;
  readonly services: Services;
  /** The contributions of the services, by key. */
  readonly table: ServiceTable;
  /** Delivers upcalls to this core's dispatchers. */
  receivers: Receivers = {
    upcall: (dispatcher, upcall, now) => this.services.dispatchers.tell(dispatcher, upcall, now),
  };
  private timerAt: Nanos = Infinity;
  private changesTold = 0;
  private stopped = false;
  private viewTold = 0;
  private readonly gate = new Gate();
  private membersTold = 0;

  constructor(private readonly config: KernelConfig) {
    this.outbox = new Outbox<KernelEffect>(config.logLevel);
    this.monitor = new Monitor(config, this.outbox, () => this.table);
    if (config.stopwatch !== undefined) this.monitor.context.stopwatch = config.stopwatch;
    this.services = createServices({
      config,
      context: this.monitor.context,
      cpuDriver: this.cpuDriver,
      joinHost: {
        registered: (now) => this.registered(now),
        // A core that asked to leave learns here that it is out of the view.
        fail: (error, text) => (this.leaves && error === 'PEER_GONE' ? this.end() : this.monitor.fail(error, text)),
      },
      receivers: { upcall: (dispatcher, upcall, now) => this.receivers.upcall(dispatcher, upcall, now) },
      switchTo: (dispatcher) => this.services.dispatchers.dispatchers.switchTo(dispatcher),
      actOf: (ordinal) => this.table.acts[ordinal],
      systemCall: (domain, call, now, done) => this.systemCall(domain, call, now, done),
      systemCallNow: (domain, call, now) => this.systemCallNow(domain, call, now),
      deliver: (peer, message, now) => this.monitor.deliver(peer, message, now),
      takeFreed: () => this.changes.takeCandidates(),
      dispatcherGone: (domain, now) => {
        for (const service of this.table.told.dispatcherGone) service.dispatcherGone(domain, now);
      },
      fenced: (fenced, now) => {
        for (const service of this.table.told.fenced) service.fenced(fenced, now);
        if (!fenced) this.gate.open();
      },
      cutOff: () => this.gate.giveUp(),
    });
    this.table = new ServiceTable(this.services, { status: this.statusVerb, log_level: this.logLevelVerb });
  }

  step(event: KernelEvent, now: Nanos): readonly KernelEffect[] {
    if (this.stopped) return [];
    this.monitor.context.now = now;
    this.services.views.beforeStep(now);
    if (this.isOwn(event)) handlerFor(this.handlers, event.type)(event, now);
    else this.table.events.get(event.type)?.(event, now);
    if (!this.stopped) this.flush(now);
    return this.outbox.take();
  }

  private isOwn(event: KernelEvent): event is OwnEvent {
    return isKeyOf(this.handlers, event.type);
  }

  status(): unknown {
    const { context, endpoint } = this.monitor;
    return {
      ...Object.assign({}, ...this.table.list.map((service) => service.status?.())),
      operations: context.operations.size,
      timers: endpoint.timers.size,
      counters: endpoint.counters,
    };
  }

  /**
   * Everything that this core would leave behind if it ended now, one row each. Links and channels have no owner here
   * and are left out.
   */
  leftovers(): readonly string[] {
    const { size } = this.monitor.context.operations;
    const operations = size > 0 ? [`${size} operations`] : [];
    return [...operations, ...this.table.list.flatMap((service) => service.leftovers?.() ?? [])];
  }

  /** State for debugging: each service's status and its leftovers. */
  dump(): unknown {
    return { status: this.status(), leftovers: this.leftovers(), links: this.monitor.endpoint.peers.size };
  }

  /** Asserts the invariants of every channel and service; the simulator calls it after each step. */
  invariants(): void {
    for (const { channel } of this.monitor.endpoint.peers.values()) channel.invariants();
    for (const service of this.table.list) service.invariants?.();
  }

  /** The most timers that its services keep even at rest. */
  get standingTimers(): number {
    return this.table.list.reduce((sum, { standingTimers = 0 }) => sum + standingTimers, 0);
  }

  /** Whether this core takes part in the cluster, and how far along it is. */
  health(): { readonly ok: boolean; readonly [key: string]: unknown } {
    const { context } = this.monitor;
    const { skbSilentNs } = this.services.membership;
    return {
      ok: context.registered && context.view > 0,
      core: context.core,
      incarnation: context.incarnation,
      members: context.members.length + 1,
      ...(skbSilentNs === 0 ? {} : { skb: `silent for ${Math.round(skbSilentNs / SECOND)} s` }),
    };
  }

  /** Reports each message to the tap from now on; null: no longer. */
  tap(tap: MessageTap | null): void {
    this.monitor.endpoint.trace.tap = tap;
  }

  /** Prometheus text. */
  metrics(now: Nanos): string {
    const { context, endpoint } = this.monitor;
    const families: MetricFamily[] = [
      ...endpointMetrics(endpoint, now),
      {
        name: 'mk_operations_running',
        type: 'gauge',
        help: 'Operations under way.',
        samples: [{ value: context.operations.size }],
      },
      ...this.table.list.flatMap((service) => service.metrics?.(now) ?? []),
    ];
    return metricsText(families, { core: context.core });
  }

  /**
   * Makes a system call of one of this core's domains. The CPU driver serves it, or a service if others are concerned;
   * calls `done` once. Returns what ends a call that waits.
   */
  systemCall(domain: DomainId, call: SystemCall, now: Nanos, done: SystemCallDone): GiveUp | void {
    const checked = checkSystemCall(call);
    if (typeof checked === 'string') return done({ ok: false, error: 'BAD_SYSTEM_CALL', text: checked }, now);
    return this.serve(domain, checked, now, done);
  }

  private serve(domain: DomainId, checked: CheckedCall, now: Nanos, done: SystemCallDone): GiveUp | void {
    const caller = this.cpuDriver.domains.get(domain);
    if (SYSTEM_CALLS[checked.name].servedBy === 'cpuDriver') {
      const result = this.cpuDriver.serve(caller, checked);
      if (result !== ACROSS_CORES) return this.settled(result, now, done);
    }
    const serve = this.table.systemCalls.get(checked.name);
    if (caller === undefined || serve === undefined) return done({ ok: false, error: 'NO_CSPACE' }, now);
    const answered: SystemCallDone = checked.name === 'invoke' ? (result, at) => this.settled(result, at, done) : done;
    try {
      return serve(caller, checked.args, now, answered);
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      done({ ok: false, error: error.error, text: error.message }, now);
    }
  }

  /** Answers once nothing that the call revoked can still be used (V2). */
  private settled(result: SystemCallResult, now: Nanos, done: SystemCallDone): void {
    if (!result.ok || !this.cpuDriver.booted) return done(result, now);
    const { timers } = this.monitor.context;
    let timer: Timer | null = null;
    let open = true;
    const answer = (what: SystemCallResult, at: Nanos): void => {
      if (!open) return;
      open = false;
      timers.cancel(timer);
      done(what, at);
    };
    this.services.addressSpaces.whenSettled((at) => answer(result, at));
    if (!open) return;
    const text = 'it was done, but some core has not yet confirmed that it dropped the old translations';
    const late = { ok: false, error: 'OPERATION_TIMEOUT', text } as const;
    timer = timers.set(now + limit('operationDeadlineNs'), (at) => answer(late, at));
  }

  /** Makes a system call that is answered within the caller's turn; NOT_AT_ONCE for those that may take longer. */
  systemCallNow(domain: DomainId, call: SystemCall, now: Nanos): SystemCallResult {
    const checked = checkSystemCall(call);
    if (typeof checked === 'string') return { ok: false, error: 'BAD_SYSTEM_CALL', text: checked };
    const { servedBy, atOnce }: SystemCallSpec = SYSTEM_CALLS[checked.name];
    if (checked.name === 'invoke' && this.services.addressSpaces.mayTake(checked.args))
      return { ok: false, error: 'NOT_AT_ONCE' };
    if (servedBy === 'cpuDriver') {
      const result = this.cpuDriver.serve(this.cpuDriver.domains.get(domain), checked);
      return result === ACROSS_CORES ? { ok: false, error: 'RETRY_THROUGH_MONITOR' } : result;
    }
    let answer: SystemCallResult = { ok: false, error: 'NOT_AT_ONCE' };
    if (atOnce === true) this.serve(domain, checked, now, (result) => (answer = result));
    return answer;
  }

  private readonly handlers: Handlers = {
    start: (_event, now) => {
      for (const service of this.table.told.start) service.start(now);
    },
    link_up: ({ link, first, names }, now) => this.monitor.endpoint.linkUp(link, first, now, names),
    link_down: ({ link, reason }, now) => this.monitor.endpoint.linkDown(link, reason, now),
    frame_received: ({ link, frame }, now) => this.monitor.endpoint.frameReceived(link, frame, now),
    timer_fired: () => {
      this.timerAt = Infinity;
    },
    control_request: ({ id, request }, now) => this.control(id, request.verb, request.args, now),
    syscall: ({ domain, id, call }, now) =>
      this.systemCall(domain, call, now, (value) => this.outbox.push({ type: 'upcall', domain, id, value })),
    stop: ({ leaves }, now) => {
      this.outbox.log('process_stopping', { reason: 'asked to' });
      this.leaves = leaves === true;
      if (this.leaves) this.services.views.leave(now, () => this.end());
      else this.end();
    },
  };

  private leaves = false;

  private end(): void {
    this.monitor.endpoint.closeAll('SHUTTING_DOWN');
    this.outbox.push({ type: 'halt', error: null });
    this.stopped = true;
  }

  private readonly statusVerb: Verb = {
    args: [],
    withoutLease: true,
    doc: 'Who this core is and whom it is bound to.',
    run: () => this.status(),
  };

  private readonly logLevelVerb: Verb = {
    args: ['level'],
    doc: 'Writes log lines of this level (debug, info, warn, error, off) and above from now on.',
    run: (args) => {
      const level = args.oneOf('level', LOG_THRESHOLDS);
      this.outbox.logFrom(level);
      return level;
    },
  };

  /** Gives a core that has its number its memory. */
  private registered(now: Nanos): void {
    const { core, settings } = this.monitor.context;
    this.cpuDriver.boot(core, ramBytesOf(settings));
    for (const service of this.table.told.registered) service.registered(now);
  }

  /** Ends a step: the services hear of all changes, timers fire, and queued messages become frames. */
  private flush(now: Nanos): void {
    this.tellView(now);
    let next = Infinity;
    for (let round = 0; round < TELLING_ROUNDS; round += 1) {
      this.tellChanges(now);
      next = this.monitor.endpoint.flush(now);
      if (!this.changes.pending) break;
    }
    if (this.changes.pending) next = now;
    // A later time as well: waking for a cancelled timer is waste.
    if (next !== this.timerAt) {
      this.timerAt = next;
      this.outbox.push({ type: 'set_timer', at: next });
    }
    this.assertTold(now);
  }

  /** CS1: every noted change was delivered, or is pending with the next step already due. Throws AssertionFailure. */
  private assertTold(now: Nanos): void {
    const { noted, untold } = this.changes;
    const lost = noted - untold - this.changesTold;
    assertInvariant('CS1', lost === 0, () => `${lost} changes of capabilities were told to nobody`);
    const due = untold === 0 || this.timerAt <= now;
    assertInvariant('CS1', due, () => `changes of capabilities wait, and the next step is due at ${this.timerAt}`);
  }

  private tellView(now: Nanos): void {
    const { view, memberChanges } = this.monitor.context;
    if (view === this.viewTold && memberChanges === this.membersTold) return;
    this.viewTold = view;
    this.membersTold = memberChanges;
    for (const service of this.table.told.viewChanged) service.viewChanged(now);
  }

  private tellChanges(now: Nanos): void {
    if (!this.changes.pending) return;
    const changes = this.changes.takeChanges();
    this.changesTold += changes.length;
    for (const service of this.table.told.capabilityChanged) service.capabilityChanged(changes, now);
  }

  private control(id: number, verb: string, args: Readonly<Record<string, unknown>>, now: Nanos): void {
    const tell = (answer: ControlReply): void => {
      if (this.outbox.debug) this.outbox.log('control_handled', { verb, ok: answer.ok });
      this.outbox.push({ type: 'control_reply', id, reply: answer });
    };
    const row = this.table.verbs.get(verb);
    if (row === undefined) {
      const text = `unknown verb ${verb.slice(0, 40)}; a core knows ${[...this.table.verbs.keys()].join(', ')}`;
      return tell({ ok: false, error: 'BAD_REQUEST', text });
    }
    const { context } = this.monitor;
    const isOpen = row.withoutLease === true;
    const { views } = this.services;
    const refuse = (): void => tell(fencedReply(context.core, context.view));
    if (!isOpen && views.isCutOff(now)) return refuse();
    if (!isOpen && views.awaitsView)
      return this.gate.pass(true, () => this.control(id, verb, args, context.now), refuse);
    const reply = (answer: ControlReply): void => {
      // An error reveals nothing that was computed, so it may pass without a lease.
      this.gate.pass(context.fenced && answer.ok && !isOpen, () => tell(answer), refuse);
    };
    try {
      const value = row.run(new Arguments(verb, args, row.args), now);
      if (!isOperation(value)) return reply({ ok: true, value });
      const { operations } = this.monitor.context;
      const operation = this.config.guarded === true ? this.guarded(verb, value) : value;
      operations.start(operations.nextId(), operation, now, (outcome) => reply(outcome));
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      reply({ ok: false, error: error.error, text: error.message });
    }
  }

  /**
   * The operation behind a control request. The caller gets an answer however it ends, even if our own code fails after
   * a wait.
   */
  private *guarded(verb: string, operation: Operation<unknown>): Operation<unknown> {
    try {
      return yield* operation;
    } catch (error) {
      if (error instanceof OperationError || error instanceof AssertionFailure) throw error;
      const { name, message, stack = message } = error instanceof Error ? error : new Error(String(error));
      this.outbox.log('request_failed', { request: verb, error: name, text: stack });
      throw new OperationError('INTERNAL', `${verb}: ${message}`);
    }
  }
}

function isOperation(value: unknown): value is Operation<unknown> {
  return isRecord(value) && typeof value['throw'] === 'function';
}

/** The memory that a core contributes, by the cluster's settings. */
function ramBytesOf(settings: string): number {
  const given: unknown = JSON.parse(settings);
  return isRecord(given) && isWhole(given['ramBytes'], 1) ? given['ramBytes'] : limit('ramBytesPerCore');
}
