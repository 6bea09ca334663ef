/** A task's demand for the processor. Times in the scheduler's ticks. */
export type TaskClass =
  | { readonly kind: 'best_effort'; readonly weight: number }
  /** `wcet` of every `period`, done by `deadline` after each release. */
  | { readonly kind: 'hard_realtime'; readonly wcet: number; readonly period: number; readonly deadline: number };

/** A scheduler's notes on a task; only the scheduler uses the fields. */
export interface Task {
  readonly class: TaskClass;
  queued: boolean;
  /** When its current job was released. */
  release: number;
  /** Relative to the release. */
  deadline: number;
  period: number;
  wcet: number;
  /** How long its current job has had the processor. */
  executed: number;
  lastDispatch: number;
}

export function newTask(taskClass: TaskClass): Task {
  const hard = taskClass.kind === 'hard_realtime';
  return {
    class: taskClass,
    queued: false,
    release: 0,
    deadline: hard ? taskClass.deadline : 0,
    period: hard ? taskClass.period : 0,
    wcet: hard ? taskClass.wcet : 0,
    executed: 0,
    lastDispatch: 0,
  };
}

/** Decides which of a core's tasks runs. Pure: time is an argument, in whole ticks. Only queued tasks are runnable. */
export interface Scheduler {
  /** Reserves what a new task of this class asks for: null, or why it cannot. `dismiss` releases it. */
  admit(taskClass: TaskClass): string | null;
  /** An admitted task has ended. */
  dismiss(task: Task): void;
  /** The task has a new job; no effect on one already queued. */
  makeRunnable(task: Task, now: number): void;
  /** The task waits, and leaves the queue. */
  remove(task: Task): void;
  /** The task gives up the rest of its budget. */
  yield(task: Task, now: number): void;
  /** The task that has the processor from now on; null: none. `current`: the task that had it until now. */
  schedule(now: number, current: Task | null): Task | null;
  /** When a queued task is next released, after `now`; Infinity: none waits for its release. */
  nextRelease(now: number): number;
  /** How long the last dispatched task may keep the processor. */
  budgetLeft(task: Task): number;
  /** Deadlines that hard real-time tasks have missed. */
  readonly missed: number;
}
