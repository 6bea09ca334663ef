/*
 * The dispatchers of one core, and which of them has it.
 *
 *   P1  at most one dispatcher of a core is in a turn; the others wait parked, whatever they have to do;
 *   P2  a dispatcher is resumed only when something waits for it or it asked to go on, and sees upcalls in order;
 *   P3  a dispatcher that keeps the core past its slice is asked to yield, and past the grace period is killed with
 *       OVERRUN; the grace period starts again when the core itself looked too late, since the end of the turn may be
 *       waiting for it, and when a busy host gave the dispatcher little CPU time, though not for ever;
 *   P4  a dispatcher leaves the table once its host has confirmed its end, and not before.
 *
 * A tick of the scheduler is a microsecond: products of its integers stay exact with a thousand tasks.
 */
import { assertInvariant } from '@mk/monitor-proto/assert';
import type { DomainId, Nanos } from '@mk/monitor-proto/ids';
import type { Timer, TimerQueue } from '@mk/monitor-proto/timer-queue';
import type { EffectSink } from '@mk/monitor-proto/outbox';
import type { CallResult, Upcall } from '@mk/libmk/dispatcher/protocol';
import { Rbed } from '../scheduler/rbed.ts';
import { newTask, type Scheduler, type Task, type TaskClass } from '../scheduler/task.ts';
import { Dispatcher, type Ending, type ProgramText } from './dispatcher.ts';
import type { DispatcherEffect } from './effects.ts';
import { dispatcherLimit } from './limits.ts';

const TICK: Nanos = 1000;

/** The dispatcher table's view of its surroundings. */
export interface DispatchersPort {
  readonly sink: EffectSink & { push(effect: DispatcherEffect): void };
  readonly timers: TimerQueue;
  /** A dispatcher has ended, and why. Its capabilities remain until the listener deletes them. */
  readonly ended: (dispatcher: Dispatcher, ending: Ending, now: Nanos) => void;
}

/** The parameters of a new dispatcher. */
export interface DispatcherSpec {
  readonly id: DomainId;
  readonly domain: string;
  readonly program: ProgramText;
  readonly taskClass: TaskClass;
  readonly seed: string;
  /** The first upcall. */
  readonly first: Upcall;
}

export class Dispatchers {
  private readonly byId = new Map<number, Dispatcher>();
  private readonly byTask = new Map<Task, Dispatcher>();
  private running: Dispatcher | null = null;
  /** This dispatcher gets the core next, whatever the scheduler says. */
  private lent: number | null = null;
  private current: Task | null = null;
  /** Ends the running dispatcher's slice, or the grace period after it. */
  private sliceTimer: Timer | null = null;
  /** Wakes the core for a task with a later release. */
  private releaseTimer: Timer | null = null;
  private readonly startTimers = new Map<number, Timer>();
  private kicked = false;
  overruns = 0;

  constructor(
    private readonly port: DispatchersPort,
    readonly scheduler: Scheduler = new Rbed(dispatcherLimit('timesliceNs') / TICK, true),
  ) {}

  get(id: DomainId): Dispatcher | undefined {
    return this.byId.get(id);
  }

  all(): readonly Dispatcher[] {
    return [...this.byId.values()];
  }

  get size(): number {
    return this.byId.size;
  }

  /**
   * Why a dispatcher of this class cannot be admitted; null: its share of the core is reserved until `create`, which
   * must follow.
   */
  admit(taskClass: TaskClass): string | null {
    return this.scheduler.admit(inTicks(taskClass));
  }

  /** Releases the share that `admit` reserved when the dispatcher is not created after all. */
  renounce(taskClass: TaskClass): void {
    this.scheduler.dismiss(newTask(inTicks(taskClass)));
  }

  /** Creates an admitted dispatcher; its host starts creating it. */
  create({ id, domain, program, taskClass, seed, first }: DispatcherSpec, now: Nanos): Dispatcher {
    const dispatcher = new Dispatcher(id, domain, program, newTask(inTicks(taskClass)), now);
    this.byId.set(id, dispatcher);
    this.byTask.set(dispatcher.task, dispatcher);
    dispatcher.push(first);
    this.port.sink.push({
      type: 'start_dispatcher',
      dispatcher: id,
      domain,
      program,
      seed,
      heapOldMb: dispatcherLimit('heapOldMb'),
      heapYoungMb: dispatcherLimit('heapYoungMb'),
      bufferBytes: dispatcherLimit('bufferBytes'),
    });
    this.startTimers.set(
      id,
      this.port.timers.set(now + dispatcherLimit('startNs'), (at) =>
        this.kill(dispatcher, { cause: 'START_TIMEOUT', status: 1, text: 'its host did not start it in time' }, at),
      ),
    );
    return dispatcher;
  }

  started(id: DomainId, now: Nanos): void {
    const dispatcher = this.byId.get(id);
    this.cancelStart(id);
    if (dispatcher === undefined || dispatcher.state !== 'starting') return;
    this.setState(dispatcher, 'waiting', now);
    this.wake(dispatcher, now);
  }

  /** Queues an upcall; false: the dispatcher is ending. */
  upcall(dispatcher: Dispatcher, upcall: Upcall, now: Nanos): boolean {
    if (dispatcher.state === 'stopping') return false;
    dispatcher.push(upcall);
    this.wake(dispatcher, now);
    return true;
  }

  /**
   * Answers a call within a turn. A dispatcher that was asked to yield does so here, as at any system call, and gets
   * the answer when it has the core again.
   */
  answer(dispatcher: Dispatcher, result: CallResult, now: Nanos): void {
    if (!dispatcher.asked) return this.tellAnswer(dispatcher, result, false);
    this.release(dispatcher);
    dispatcher.runNs += now - dispatcher.stateSince;
    dispatcher.held = result;
    this.setState(dispatcher, 'ready', now);
    this.kick();
  }

  /** Ends a turn; null: the dispatcher is not running. The caller serves its calls, then calls `settle`. */
  turnOver(id: DomainId, ranNs: Nanos, more: boolean, now: Nanos): Dispatcher | null {
    const { running } = this;
    if (running === null || running.id !== id) return null;
    this.release(running);
    running.runNs += ranNs;
    running.more = more;
    this.setState(running, 'ready', now);
    return running;
  }

  /** After a turn whose calls have been served: the dispatcher waits, or is scheduled again. */
  settle(dispatcher: Dispatcher, now: Nanos): void {
    if (dispatcher.state === 'ready' && !dispatcher.hasWork) {
      this.scheduler.remove(dispatcher.task);
      this.setState(dispatcher, 'waiting', now);
    }
    this.kick();
  }

  /** The dispatcher gives up the rest of its slice. */
  yield(dispatcher: Dispatcher, now: Nanos): void {
    dispatcher.more = true;
    this.scheduler.yield(dispatcher.task, tickOf(now));
  }

  /** Ends a dispatcher, for the first reason given. */
  kill(dispatcher: Dispatcher, ending: Ending, now: Nanos): void {
    dispatcher.ending ??= ending;
    if (dispatcher.state === 'stopping') return;
    this.stop(dispatcher, now);
    this.port.sink.push({ type: 'kill_dispatcher', dispatcher: dispatcher.id });
    this.kick();
  }

  /** Handles the host's confirmation that a dispatcher is gone. */
  ended(id: DomainId, cause: string, text: string, now: Nanos): void {
    const dispatcher = this.byId.get(id);
    if (dispatcher === undefined) return;
    if (dispatcher.state !== 'stopping') this.stop(dispatcher, now);
    this.byId.delete(id);
    this.byTask.delete(dispatcher.task);
    this.scheduler.dismiss(dispatcher.task);
    const ending = dispatcher.ending ?? { cause, status: 1, text };
    dispatcher.ending = ending;
    this.port.ended(dispatcher, ending, now);
    this.kick();
  }

  /** That dispatcher gets the core next if it has work, on its caller's account: LRPC does not ask the scheduler. */
  switchTo(id: DomainId): void {
    this.lent = id;
  }

  /**
   * Gives a free core to the scheduler's choice at the end of the step, so that the turn gets all upcalls of the step.
   */
  private kick(): void {
    if (this.kicked) return;
    this.kicked = true;
    this.port.timers.set(0, (now) => {
      this.kicked = false;
      this.dispatch(now);
    });
  }

  /** While held, nobody gets the core. */
  hold(held: boolean): void {
    this.isHeld = held;
    if (!held) this.kick();
  }

  private isHeld = false;

  private dispatch(now: Nanos): void {
    if (this.running !== null || this.isHeld) return;
    const lent = this.lent === null ? undefined : this.byId.get(this.lent);
    this.lent = null;
    if (lent?.state === 'ready') return this.resume(lent, now, dispatcherLimit('timesliceNs'));
    const task = this.scheduler.schedule(tickOf(now), this.current);
    this.current = task;
    this.awaitRelease(now);
    const dispatcher = task === null ? undefined : this.byTask.get(task);
    if (dispatcher !== undefined) this.resume(dispatcher, now);
  }

  private resume(dispatcher: Dispatcher, now: Nanos, least: Nanos = TICK): void {
    const { running } = this;
    assertInvariant('P1', running === null, () => `${dispatcher.id} gets the core, which ${running?.id} has`);
    this.running = dispatcher;
    this.setState(dispatcher, 'running', now);
    dispatcher.asked = false;
    const budget = this.scheduler.budgetLeft(dispatcher.task) * TICK;
    const until = now + Math.max(least, Math.min(dispatcherLimit('timesliceNs'), budget));
    this.sliceTimer = this.port.timers.set(until, (at) => this.sliceOver(dispatcher, at));
    const { held } = dispatcher;
    if (held !== null) {
      dispatcher.held = null;
      return this.tellAnswer(dispatcher, held, true);
    }
    dispatcher.more = false;
    dispatcher.turns += 1;
    this.port.sink.push({
      type: 'resume_dispatcher',
      dispatcher: dispatcher.id,
      until,
      upcalls: dispatcher.take(),
      frames: dispatcher.takeFrames(),
    });
  }

  private tellAnswer({ id }: Dispatcher, result: CallResult, resumed: boolean): void {
    this.port.sink.push({ type: 'answer_dispatcher', dispatcher: id, result, resumed });
  }

  private sliceOver(dispatcher: Dispatcher, now: Nanos): void {
    this.sliceTimer = null;
    if (this.running !== dispatcher) return;
    dispatcher.asked = true;
    this.port.sink.push({ type: 'interrupt_dispatcher', dispatcher: dispatcher.id });
    this.awaitTurn(dispatcher, now);
  }

  private awaitTurn(dispatcher: Dispatcher, now: Nanos): void {
    const due = now + dispatcherLimit('overrunGraceNs');
    this.sliceTimer = this.port.timers.set(due, (at) => {
      this.sliceTimer = null;
      if (at > due + dispatcherLimit('overrunLateNs')) this.awaitTurn(dispatcher, at);
      else this.port.sink.push({ type: 'measure_dispatcher', dispatcher: dispatcher.id });
    });
  }

  /** A dispatcher that kept the core past the grace period has had this much CPU time since it was asked to yield. */
  used(id: DomainId, cpuNs: Nanos, now: Nanos): void {
    const { running } = this;
    // With a timer set, it has yielded and got the core again meanwhile.
    if (running === null || running.id !== id || this.sliceTimer !== null) return;
    const keptNs = now - running.stateSince;
    if (cpuNs >= dispatcherLimit('overrunCpuNs') || keptNs >= dispatcherLimit('overrunMostNs'))
      this.overrun(running, now);
    else this.awaitTurn(running, now);
  }

  private overrun(dispatcher: Dispatcher, now: Nanos): void {
    this.overruns += 1;
    const keptMs = Math.round((now - dispatcher.stateSince) / 1e6);
    dispatcher.runNs += now - dispatcher.stateSince;
    this.port.sink.log('dispatcher_overran', {
      domain: dispatcher.domain,
      dispatcher: dispatcher.id,
      program: dispatcher.program.name,
      kept_ms: keptMs,
    });
    this.kill(
      dispatcher,
      { cause: 'OVERRUN', status: 1, text: `it kept the core for ${keptMs} ms, though it was asked to yield` },
      now,
    );
  }

  /** Takes the dispatcher out of the queue and off the core. */
  private stop(dispatcher: Dispatcher, now: Nanos): void {
    this.cancelStart(dispatcher.id);
    this.release(dispatcher);
    this.scheduler.remove(dispatcher.task);
    for (const timer of dispatcher.timers.values()) this.port.timers.cancel(timer);
    dispatcher.timers.clear();
    this.setState(dispatcher, 'stopping', now);
  }

  private release(dispatcher: Dispatcher): void {
    if (this.running !== dispatcher) return;
    this.running = null;
    this.port.timers.cancel(this.sliceTimer);
    this.sliceTimer = null;
  }

  private wake(dispatcher: Dispatcher, now: Nanos): void {
    if (dispatcher.state !== 'waiting' || !dispatcher.hasWork) return;
    this.setState(dispatcher, 'ready', now);
    if (!dispatcher.task.queued && dispatcher.task.class.kind === 'hard_realtime')
      dispatcher.task.release = tickOf(now);
    this.scheduler.makeRunnable(dispatcher.task, tickOf(now));
    this.kick();
  }

  /** With only later releases of hard real-time tasks, nobody runs until the first. */
  private awaitRelease(now: Nanos): void {
    this.port.timers.cancel(this.releaseTimer);
    this.releaseTimer = null;
    const next = this.running === null ? this.scheduler.nextRelease(tickOf(now)) : Infinity;
    if (next === Infinity) return;
    this.releaseTimer = this.port.timers.set(next * TICK, (at) => {
      this.releaseTimer = null;
      this.dispatch(at);
    });
  }

  private cancelStart(id: DomainId): void {
    this.port.timers.cancel(this.startTimers.get(id) ?? null);
    this.startTimers.delete(id);
  }

  private setState(dispatcher: Dispatcher, state: Dispatcher['state'], now: Nanos): void {
    dispatcher.state = state;
    dispatcher.stateSince = now;
  }
}

function tickOf(now: Nanos): number {
  return Math.floor(now / TICK);
}

/** The class with its times in ticks instead of nanoseconds. */
function inTicks(taskClass: TaskClass): TaskClass {
  if (taskClass.kind === 'best_effort') return taskClass;
  const { wcet, period, deadline } = taskClass;
  const ticks = (ns: Nanos): number => Math.max(1, Math.round(ns / TICK));
  return { kind: 'hard_realtime', wcet: ticks(wcet), period: ticks(period), deadline: ticks(deadline) };
}
