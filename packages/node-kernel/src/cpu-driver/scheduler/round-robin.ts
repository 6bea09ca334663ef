import type { Scheduler, Task, TaskClass } from './task.ts';

/** One slice each, in turn; ignores weights and guarantees nothing. */
export class RoundRobin implements Scheduler {
  readonly missed = 0;
  private readonly queue: Task[] = [];
  private last: Task | null = null;

  constructor(private readonly timeslice: number) {}

  admit(taskClass: TaskClass): string | null {
    return taskClass.kind === 'best_effort' ? null : 'round robin guarantees nothing to hard real-time tasks: use rbed';
  }

  dismiss(task: Task): void {
    this.remove(task);
  }

  makeRunnable(task: Task, now: number): void {
    if (task.queued) return;
    task.release = now;
    task.wcet = this.timeslice;
    this.append(task);
  }

  remove(task: Task): void {
    if (!task.queued) return;
    task.queued = false;
    this.queue.splice(this.queue.indexOf(task), 1);
    if (this.last === task) this.last = null;
  }

  yield(task: Task): void {
    if (!task.queued) return;
    this.remove(task);
    this.append(task);
  }

  schedule(now: number, current: Task | null): Task | null {
    const { last } = this;
    if (last !== null) {
      last.executed += now - last.lastDispatch;
      if (last.executed >= this.timeslice) this.yield(last);
    }
    const next = this.queue[0] ?? null;
    if (next !== null) next.lastDispatch = now;
    const goesOn = next !== null && next === this.last && current !== null && current.queued;
    this.last = next;
    return goesOn ? current : next;
  }

  nextRelease(): number {
    return Infinity;
  }

  budgetLeft(task: Task): number {
    return Math.max(0, this.timeslice - task.executed);
  }

  private append(task: Task): void {
    task.executed = 0;
    task.queued = true;
    this.queue.push(task);
  }
}
