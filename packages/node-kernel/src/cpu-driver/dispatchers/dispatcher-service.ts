import type { DispatcherRow } from '../../control/verb-answers.ts';
import { visibleLines } from '@mk/machine/one-line';
import type { ErrorName } from '@mk/monitor-proto/errors';
import { ERRORS, isErrorName } from '@mk/monitor-proto/errors';
import type { DomainId, Nanos } from '@mk/monitor-proto/ids';
import type { MetricFamily } from '@mk/monitor-proto/metrics';
import { cutLine } from '@mk/libmk/dispatcher/output-lines';
import type { Call, CallResult, Turn, Upcall } from '@mk/libmk/dispatcher/protocol';
import type { PlainValue } from '@mk/libmk/dispatcher/plain-value';
import type { SystemCall } from '../../effects.ts';
import type { MonitorContext } from '../../monitor/context.ts';
import { OperationError } from '../../monitor/operations.ts';
import type { EventHandlers, Service, SystemCallHandlers, Verbs } from '../../monitor/service.ts';
import type { Domain } from '../domains.ts';
import type { GiveUp } from '../give-up.ts';
import type { SystemCallDone, SystemCallResult } from '../system-calls.ts';
import type { Dispatcher, Ending } from './dispatcher.ts';
import { Dispatchers } from './dispatchers.ts';
import { dispatcherLimit } from './limits.ts';

export interface DispatcherServicePort {
  readonly context: MonitorContext;
  readonly systemCall: (domain: DomainId, call: SystemCall, now: Nanos, done: SystemCallDone) => GiveUp | void;
  /** Serves calls that can be answered within the turn; NOT_AT_ONCE for all others. */
  readonly systemCallNow: (domain: DomainId, call: SystemCall, now: Nanos) => SystemCallResult;
  /** A turn is over: everything lent for it has been returned. */
  readonly turnOver: (dispatcher: DomainId, turn: number) => void;
  /** A dispatcher has ended. */
  readonly ended: (dispatcher: Dispatcher, ending: Ending, now: Nanos) => void;
}

/** The dispatchers of a core, between their host and the servers of their system calls. */
export class DispatcherService implements Service {
  readonly dispatchers: Dispatchers;

  readonly events = {
    dispatcher_started: ({ dispatcher }, now) => this.dispatchers.started(dispatcher, now),
    dispatcher_turn: ({ dispatcher, turn, fault, ranNs }, now) =>
      this.unfenced(now, (at) => this.turn(dispatcher, turn, fault, ranNs, at)),
    dispatcher_call: ({ dispatcher, name, args }, now) =>
      this.unfenced(now, (at) => this.callNow(dispatcher, name, args, at)),
    dispatcher_used: ({ dispatcher, cpuNs }, now) => this.dispatchers.used(dispatcher, cpuNs, now),
    dispatcher_ended: ({ dispatcher, cause, text }, now) =>
      this.dispatchers.ended(dispatcher, cause, visibleLines(text), now),
  } satisfies EventHandlers;

  readonly systemCalls = {
    yield: (caller, _args, now, done) => {
      this.dispatchers.yield(this.of(caller), now);
      done({ ok: true, value: null }, now);
    },
    set_timer: (caller, { timer, at }, now, done) => {
      const dispatcher = this.of(caller);
      this.cancelTimer(dispatcher, timer);
      if (dispatcher.timers.size >= dispatcherLimit('timers'))
        throw new OperationError('TOO_MANY_CALLS', 'the dispatcher has reached its limit of timers');
      const due = (time: Nanos): void => {
        dispatcher.timers.delete(timer);
        this.dispatchers.upcall(dispatcher, { type: 'timer', timer }, time);
      };
      dispatcher.timers.set(timer, this.port.context.timers.set(Math.max(now, at), due));
      done({ ok: true, value: null }, now);
    },
    cancel_timer: (caller, { timer }, now, done) =>
      done({ ok: true, value: this.cancelTimer(this.of(caller), timer) }, now),
    print: (caller, { text, stream }, now, done) => {
      const { id, domain, program } = this.of(caller);
      this.port.context.outbox.log('program_output', {
        domain,
        dispatcher: id,
        program: program.name,
        stream: stream === 'err' ? 'err' : 'out',
        text: cutLine(text),
      });
      done({ ok: true, value: null }, now);
    },
    give_up: (caller, { call }, now, done) => {
      this.of(caller).waits.get(call)?.(now);
      done({ ok: true, value: null }, now);
    },
    run_time: (caller, _args, now, done) => {
      const { runNs, turns, calls } = this.of(caller);
      done({ ok: true, value: { run_ns: runNs, turns, calls } }, now);
    },
  } satisfies SystemCallHandlers;

  readonly verbs: Verbs = {
    dispatchers: {
      withoutLease: true,
      args: [],
      doc: 'The dispatchers of this core with their run time in nanoseconds, as `top` shows them.',
      run: (_args, now) => this.dispatchers.all().map((dispatcher) => rowOf(dispatcher, now)),
    },
  };

  constructor(private readonly port: DispatcherServicePort) {
    const { context } = port;
    this.dispatchers = new Dispatchers({
      sink: context.outbox,
      timers: context.timers,
      ended: (dispatcher, ending, now) => {
        const { id, domain, program, runNs } = dispatcher;
        context.outbox.log('dispatcher_ended', {
          domain,
          dispatcher: id,
          program: program.name,
          cause: ending.cause,
          text: ending.text,
          run_ms: Math.round(runNs / 1e6),
        });
        for (const giveUp of [...dispatcher.waits.values()]) giveUp(now);
        this.port.ended(dispatcher, ending, now);
      },
    });
  }

  /** Queues an upcall for a dispatcher by its number; dropped when the dispatcher is gone. */
  tell(id: DomainId, upcall: Upcall, now: Nanos): void {
    const dispatcher = this.dispatchers.get(id);
    if (dispatcher !== undefined) this.dispatchers.upcall(dispatcher, upcall, now);
  }

  /** Without a lease no dispatcher gets the core, and the effects of its last turn are held back (V2). */
  fenced(fenced: boolean, now: Nanos): void {
    this.dispatchers.hold(fenced);
    if (fenced) return;
    const { held } = this;
    this.held = [];
    for (const go of held) go(now);
  }

  private held: ((now: Nanos) => void)[] = [];

  private unfenced(now: Nanos, go: (now: Nanos) => void): void {
    if (this.port.context.fenced) this.held.push(go);
    else go(now);
  }

  metrics(): readonly MetricFamily[] {
    const rows = this.dispatchers.all();
    const labelled = (valueOf: (dispatcher: Dispatcher) => number): MetricFamily['samples'] =>
      rows.map((dispatcher) => ({
        labels: { domain: dispatcher.domain, dispatcher: dispatcher.id, program: dispatcher.program.name },
        value: valueOf(dispatcher),
      }));
    return [
      { name: 'mk_dispatchers', type: 'gauge', help: 'Dispatchers of this core.', samples: [{ value: rows.length }] },
      {
        name: 'mk_dispatcher_run_seconds_total',
        type: 'counter',
        help: 'Time for which a dispatcher had the core.',
        samples: labelled(({ runNs }) => runNs / 1e9),
      },
      {
        name: 'mk_dispatcher_turns_total',
        type: 'counter',
        help: 'Turns of a dispatcher.',
        samples: labelled(({ turns }) => turns),
      },
      {
        name: 'mk_dispatcher_calls_total',
        type: 'counter',
        help: 'System calls of a dispatcher.',
        samples: labelled(({ calls }) => calls),
      },
      {
        name: 'mk_dispatcher_overruns_total',
        type: 'counter',
        help: 'Dispatchers that kept the core through the grace period and were killed.',
        samples: [{ value: this.dispatchers.overruns }],
      },
      {
        name: 'mk_deadlines_missed_total',
        type: 'counter',
        help: 'Deadlines missed by hard real-time dispatchers.',
        samples: [{ value: this.dispatchers.scheduler.missed }],
      },
    ];
  }

  leftovers(): readonly string[] {
    return this.dispatchers.size > 0 ? [`${this.dispatchers.size} dispatchers`] : [];
  }

  private turn(id: DomainId, turn: Turn | null, fault: string, ranNs: Nanos, now: Nanos): void {
    const dispatcher = this.dispatchers.turnOver(id, ranNs, turn?.more ?? false, now);
    if (dispatcher !== null) this.port.turnOver(id, dispatcher.turns);
    if (turn === null || dispatcher === null) {
      const late = this.dispatchers.get(id);
      if (late === undefined || late.state === 'stopping') return;
      const text = turn === null ? fault : 'a turn came from a dispatcher that did not have the core';
      return this.dispatchers.kill(late, { cause: 'BAD_TURN', status: 1, text }, now);
    }
    for (const call of turn.calls) {
      if (dispatcher.ending !== null) return;
      this.serve(dispatcher, call, now);
    }
    if (dispatcher.ending === null) this.dispatchers.settle(dispatcher, now);
  }

  private serve(dispatcher: Dispatcher, [call, name, args]: Call, now: Nanos): void {
    dispatcher.calls += 1;
    if (call === 0) return void this.port.systemCall(dispatcher.id, { name, args }, now, () => undefined);
    const reply = (result: SystemCallResult, at: Nanos): void => {
      const { error, text, value } = plain(result);
      if (dispatcher.ending === null)
        this.dispatchers.upcall(dispatcher, { type: 'reply', call, error, text, value }, at);
    };
    if (dispatcher.inFlight >= dispatcherLimit('callsInFlight'))
      return reply({ ok: false, error: 'TOO_MANY_CALLS' }, now);
    dispatcher.inFlight += 1;
    let isOpen = true;
    const giveUp = this.port.systemCall(dispatcher.id, { name, args }, now, (result, at) => {
      isOpen = false;
      dispatcher.inFlight -= 1;
      dispatcher.waits.delete(call);
      reply(result, at);
    });
    if (isOpen && giveUp !== undefined) dispatcher.waits.set(call, giveUp);
  }

  private callNow(id: DomainId, name: string, args: readonly unknown[], now: Nanos): void {
    const dispatcher = this.dispatchers.get(id);
    if (dispatcher === undefined || !dispatcher.disabled) return;
    dispatcher.calls += 1;
    const { error, text, value } = plain(this.port.systemCallNow(id, { name, args }, now));
    const result: CallResult = error === '' ? { ok: true, value } : { ok: false, error, text };
    this.dispatchers.answer(dispatcher, result, now);
  }

  private of(caller: Domain): Dispatcher {
    const dispatcher = this.dispatchers.get(caller.id);
    if (dispatcher === undefined) throw new OperationError('NO_SUCH_DOMAIN', 'the caller has no dispatcher');
    return dispatcher;
  }

  private cancelTimer(dispatcher: Dispatcher, timer: number): boolean {
    const set = dispatcher.timers.get(timer);
    if (set === undefined) return false;
    this.port.context.timers.cancel(set);
    return dispatcher.timers.delete(timer);
  }
}

/** A result as it crosses to the dispatcher. */
function plain(result: SystemCallResult): {
  readonly error: string;
  readonly text: string;
  readonly value: PlainValue;
} {
  if (result.ok) return { error: '', text: '', value: (result.value ?? null) as PlainValue };
  return { error: result.error, text: result.text ?? docOf(result.error), value: null };
}

function docOf(error: ErrorName): string {
  return isErrorName(error) ? ERRORS[error].doc : '';
}

function rowOf(dispatcher: Dispatcher, now: Nanos): DispatcherRow {
  const { id, domain, program, task, state, stateSince, runNs, turns, calls, queued, startedAt } = dispatcher;
  return {
    dispatcher: id,
    domain,
    program: program.name,
    class: task.class,
    state,
    state_ms: Math.round((now - stateSince) / 1e6),
    age_ns: now - startedAt,
    run_ns: runNs + (state === 'running' ? now - stateSince : 0),
    turns,
    calls,
    queued,
  };
}
