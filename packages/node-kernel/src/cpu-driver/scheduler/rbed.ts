/*
 * Rate-based earliest deadline (Brandt et al., RTSS 2003), as in Barrelfish's CPU driver: hard real-time tasks have a
 * rate (wcet per period) that admission control guarantees, best-effort tasks share the rest by weight, and one queue
 * in order of deadlines dispatches both.
 *
 *   SC1  the queue is in order of absolute deadlines, except that a best-effort task stands behind tasks released
 *       before it;
 *   SC2  the utilisations of the admitted hard tasks and the tenth for best effort never exceed the spectrum;
 *   SC3  no job overruns its budget by more than the time between two runs of the scheduler: a tick, or a turn.
 *
 * A processor that can be taken away at any tick never runs a job past its budget. A dispatcher’s turn cannot be taken
 * away: with `carriesOver` a job's excess counts for its next one, so that shares hold over turns of any length.
 * Barrelfish forgets the excess, as we do without the option.
 */
import type { Scheduler, Task, TaskClass } from './task.ts';

/** The whole processor, in the integer arithmetic of utilisations. */
const SPECTRUM = 1_000_000;
/** The guaranteed share of best-effort tasks. */
const RESERVED = SPECTRUM / 10;

export class Rbed implements Scheduler {
  missed = 0;
  private readonly queue: Task[] = [];
  /** Utilisation of the hard tasks in the queue. */
  private hard = 0;
  /** Utilisation reserved for hard tasks, whether they wait or not. */
  private promised = 0;
  private weight = 0;
  private count = 0;
  private last: Task | null = null;

  /** `timeslice`, in ticks: the share of a best-effort task when all weigh the same. */
  constructor(
    private readonly timeslice: number,
    private readonly carriesOver = false,
  ) {}

  admit(taskClass: TaskClass): string | null {
    if (taskClass.kind === 'best_effort') return null;
    const asked = utilisation(taskClass);
    if (taskClass.wcet > Math.min(taskClass.period, taskClass.deadline))
      return 'asks for more time than its period or deadline has';
    if (this.promised + asked + RESERVED > SPECTRUM)
      return `asks for ${percent(asked)} of the core, and ${percent(SPECTRUM - RESERVED - this.promised)} are left for hard real-time tasks`;
    this.promised += asked;
    return null;
  }

  dismiss(task: Task): void {
    this.remove(task);
    if (task.class.kind === 'hard_realtime') this.promised -= utilisation(task.class);
    if (this.last === task) this.last = null;
  }

  makeRunnable(task: Task, now: number): void {
    if (task.queued) return;
    if (task.class.kind === 'best_effort') {
      this.weight += weightOf(task);
      this.count += 1;
      task.release = now;
      task.period = task.deadline = this.count * this.timeslice;
    } else this.hard += utilisation(task.class);
    task.executed = 0;
    this.insert(task);
  }

  remove(task: Task): void {
    if (!task.queued) return;
    this.unlink(task);
    if (task.class.kind === 'best_effort') {
      this.weight -= weightOf(task);
      this.count -= 1;
    } else this.hard -= utilisation(task.class);
  }

  yield(task: Task, now: number): void {
    if (!task.queued || task.release > now) return;
    this.unlink(task);
    this.nextJob(task, task.class.kind === 'best_effort' ? now : task.release + task.period);
    this.last = null;
  }

  schedule(now: number, current: Task | null): Task | null {
    const { last } = this;
    if (last !== null && last.release <= now) last.executed += now - Math.max(last.lastDispatch, last.release);
    for (;;) {
      const next = this.queue.find((task) => task.release <= now) ?? null;
      if (next === null) {
        this.last = null;
        return null;
      }
      this.budget(next, now);
      if (next.executed < next.wcet) {
        next.lastDispatch = now;
        if (next === this.last && current !== null && current.queued) return current;
        this.last = next;
        return next;
      }
      const over = this.carriesOver ? next.executed - next.wcet : 0;
      this.unlink(next);
      const past = now > next.release;
      this.nextJob(next, next.class.kind === 'best_effort' ? now : next.release + (past ? next.period : 0));
      next.executed = over;
      this.last = null;
    }
  }

  nextRelease(now: number): number {
    let next = Infinity;
    for (const { release } of this.queue) if (release > now && release < next) next = release;
    return next;
  }

  budgetLeft(task: Task): number {
    return Math.max(0, task.wcet - task.executed);
  }

  /** A best-effort candidate's budget depends on the tasks that share the processor at this moment. */
  private budget(task: Task, now: number): void {
    if (task.class.kind === 'best_effort') {
      const share = Math.floor((Math.max(RESERVED, SPECTRUM - this.hard) * weightOf(task)) / this.weight);
      task.period = task.deadline = this.count * this.timeslice;
      task.wcet = Math.floor((this.count * this.timeslice * share + SPECTRUM / 2) / SPECTRUM);
      if (now > task.release + task.deadline) task.release = now;
    } else if (now > task.release + task.deadline) this.missed += 1;
  }

  private nextJob(task: Task, release: number): void {
    task.release = release;
    task.executed = 0;
    this.insert(task);
  }

  private insert(task: Task): void {
    const due = task.release + task.deadline;
    const passes =
      task.class.kind === 'best_effort' ? (other: Task) => other.release <= task.release : (): boolean => false;
    const at = this.queue.findIndex((other) => other.release + other.deadline > due && !passes(other));
    this.queue.splice(at < 0 ? this.queue.length : at, 0, task);
    task.queued = true;
  }

  private unlink(task: Task): void {
    this.queue.splice(this.queue.indexOf(task), 1);
    task.queued = false;
  }
}

function utilisation({ wcet, period }: Extract<TaskClass, { kind: 'hard_realtime' }>): number {
  return Math.floor((wcet * SPECTRUM) / period);
}

function weightOf(task: Task): number {
  return task.class.kind === 'best_effort' ? Math.max(1, task.class.weight) : 0;
}

function percent(parts: number): string {
  return `${Math.floor(parts / (SPECTRUM / 1000)) / 10} %`;
}
