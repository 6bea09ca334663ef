import { peerName, type Nanos } from '@mk/monitor-proto/ids';
import { endpointMetrics } from '@mk/monitor-proto/endpoint/endpoint-metrics';
import { type MetricFamily, metricsText } from '@mk/monitor-proto/metrics';
import { Outbox } from '@mk/monitor-proto/outbox';
import type { ControlReply, StateMachine } from '@mk/monitor-proto/step';
import type { KernelConfig } from './config.ts';
import { Arguments } from './control/arguments.ts';
import { VERBS } from './control/verbs.ts';
import { CpuDriver, type SystemCallResult } from './cpu-driver/cpu-driver.ts';
import type { KernelEffect, KernelEvent, SystemCall } from './effects.ts';
import { throughMonitor } from './monitor/capops/requests.ts';
import { Monitor } from './monitor/monitor.ts';
import { OperationError, type Operation } from './monitor/operations.ts';

type Handlers = { readonly [T in KernelEvent['type']]: (event: Extract<KernelEvent, { type: T }>, now: Nanos) => void };

/**
 * The kernel of one core: CPU driver and monitor. A synchronous state machine: `step(event, now)` returns effects, and
 * everything it knows of the world it was told (architecture.md).
 */
export class Kernel implements StateMachine<KernelEvent, KernelEffect> {
  readonly outbox: Outbox<KernelEffect>;
  readonly cpuDriver = new CpuDriver();
  readonly monitor: Monitor;
  private timerAt: Nanos = Infinity;
  private stopped = false;

  constructor(private readonly config: KernelConfig) {
    this.outbox = new Outbox<KernelEffect>(config.logLevel);
    this.monitor = new Monitor(config, this.outbox, this.cpuDriver);
    this.cpuDriver.onOutcome = (outcome) => this.monitor.capops.absorb(outcome);
  }

  step(event: KernelEvent, now: Nanos): readonly KernelEffect[] {
    if (this.stopped) return [];
    this.monitor.context.now = now;
    (this.handlers[event.type] as (event: KernelEvent, now: Nanos) => void)(event, now);
    if (!this.stopped) this.flush(now);
    return this.outbox.take();
  }

  status(): unknown {
    const { context, endpoint, rounds, plans } = this.monitor;
    const bound = [...context.monitors.values()].filter((m) => m.bound);
    return {
      core: context.core,
      incarnation: context.incarnation,
      view: context.view,
      bound: bound.length,
      members: context.members.length + (context.registered ? 1 : 0),
      suspected: bound.filter((m) => m.suspected).map((m) => m.core),
      operations: context.operations.size,
      rounds: rounds.size,
      timers: endpoint.timers.size,
      plan: plans.version,
      counters: endpoint.counters,
    };
  }

  links(now: Nanos): unknown {
    const rows = [...this.monitor.endpoint.peers.values()].map((peer) => {
      const ping = this.monitor.ping.byCore.get(peer.id);
      return {
        peer: peerName(peer.id),
        up: peer.link !== 0,
        bound: this.monitor.context.monitors.get(peer.id)?.bound ?? false,
        suspected: this.monitor.context.monitors.get(peer.id)?.suspected ?? false,
        silent_ms: Math.round((now - peer.lastHeardAt) / 1e6),
        unacknowledged: peer.channel.unacknowledged,
        ...peer.channel.counters,
        rtt: ping
          ? { count: ping.count, average: ping.average, min: ping.min, max: ping.max, variance: ping.variance }
          : null,
      };
    });
    return rows.sort((a, b) =>
      typeof a.peer === 'number' && typeof b.peer === 'number' ? a.peer - b.peer : typeof a.peer === 'number' ? -1 : 1,
    );
  }

  /** Whether this core takes part in the cluster, and how far it is. */
  health(): { readonly ok: boolean; readonly [key: string]: unknown } {
    const { context } = this.monitor;
    const bound = [...context.monitors.values()].every((m) => m.bound);
    return {
      ok: context.registered && bound,
      core: context.core,
      incarnation: context.incarnation,
      members: context.members.length + 1,
    };
  }

  /** Prometheus text. */
  metrics(): string {
    const { context, endpoint, operationTimes } = this.monitor;
    const families: MetricFamily[] = [
      ...endpointMetrics(endpoint),
      { name: 'mk_view', type: 'gauge', help: 'Number of the agreed view.', samples: [{ value: context.view }] },
      {
        name: 'mk_operations_running',
        type: 'gauge',
        help: 'Operations under way.',
        samples: [{ value: context.operations.size }],
      },
      {
        name: 'mk_operation_seconds',
        type: 'histogram',
        help: 'Duration of global operations.',
        samples: operationTimes.samples(),
      },
    ];
    return metricsText(families, { core: context.core });
  }

  private readonly handlers: Handlers = {
    start: (_event, now) => this.monitor.start(now),
    link_up: ({ link, first }, now) => this.monitor.endpoint.linkUp(link, first, now),
    link_down: ({ link, reason }, now) => this.monitor.endpoint.linkDown(link, reason, now),
    frame_received: ({ link, frame }, now) => this.monitor.endpoint.frameReceived(link, frame, now),
    timer_fired: () => {
      this.timerAt = Infinity;
    },
    control_request: ({ id, request }, now) => this.control(id, request.verb, request.args, now),
    syscall: ({ domain, id, call }, now) =>
      this.systemCall(domain, call, now, (value) => this.outbox.push({ type: 'upcall', domain, id, value })),
    stop: () => {
      this.outbox.log('process_stopping', { reason: 'asked to' });
      this.monitor.endpoint.closeAll('SHUTTING_DOWN');
      this.outbox.push({ type: 'halt', error: null });
      this.stopped = true;
    },
  };

  /** A system call of a domain of this core: the CPU driver's, or the monitor's where others are concerned; `done` once. */
  systemCall(domain: number, call: SystemCall, now: Nanos, done: (result: SystemCallResult, now: Nanos) => void): void {
    const result = this.cpuDriver.systemCall(domain, call);
    if (result.ok || result.error !== 'RETRY_THROUGH_MONITOR') return done(result, now);
    throughMonitor(this.monitor.capops, domain, call, now, done);
  }

  private flush(now: Nanos): void {
    const next = this.monitor.endpoint.flush(now);
    if (next >= this.timerAt) return;
    this.timerAt = next;
    this.outbox.push({ type: 'set_timer', at: next });
  }

  private control(id: number, verb: string, args: Readonly<Record<string, unknown>>, now: Nanos): void {
    const reply = (answer: ControlReply): void => {
      if (this.outbox.debug) this.outbox.log('control_handled', { verb, ok: answer.ok });
      this.outbox.push({ type: 'control_reply', id, reply: answer });
    };
    const row = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
    if (row === undefined)
      return reply({
        ok: false,
        error: 'BAD_REQUEST',
        text: `no verb ${verb.slice(0, 40)}; a core knows ${Object.keys(VERBS).join(', ')}`,
      });
    try {
      const value = row.run(this, new Arguments(verb, args, row.args), now);
      if (!isOperation(value)) return reply({ ok: true, value });
      const { operations } = this.monitor.context;
      const operation = this.config.guarded === true ? this.guarded(verb, value) : value;
      operations.start(operations.nextId(), operation, now, (outcome) => reply(outcome));
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      reply({ ok: false, error: error.error, text: error.message });
    }
  }

  /** An operation of a control request whose every end is an answer, also a fault of ours after it has waited. */
  private *guarded(verb: string, operation: Operation<unknown>): Operation<unknown> {
    try {
      return yield* operation;
    } catch (error) {
      if (error instanceof OperationError) throw error;
      const { name, message, stack = message } = error instanceof Error ? error : new Error(String(error));
      this.outbox.log('request_failed', { request: verb, error: name, text: stack });
      throw new OperationError('INTERNAL', `${verb}: ${message}`);
    }
  }
}

function isOperation(value: unknown): value is Operation<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as Operation<unknown>).throw === 'function';
}
