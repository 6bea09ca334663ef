/** How a task asks for the processor. Times in the scheduler's ticks. */
export type TaskClass =
  | { readonly kind: 'best_effort'; readonly weight: number }
  /** `wcet` of every `period`, done by `deadline` after each release. */
  | { readonly kind: 'hard_realtime'; readonly wcet: number; readonly period: number; readonly deadline: number };

/** What a scheduler keeps of a task; the fields are the scheduler's alone. */
export interface Task {
  readonly class: TaskClass;
  queued: boolean;
  /** When its present job was released. */
  release: number;
  /** Relative to the release. */
  deadline: number;
  period: number;
  wcet: number;
  /** What its present job has had of the processor. */
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

/**
 * Decides which of a core's tasks runs. Pure: time is an argument, in ticks that are whole numbers.
 * A task that is not queued is not runnable.
 */
export interface Scheduler {
  /** Promises a new task of this class what it asks for; null, or why that cannot be. To be followed by `dismiss` one day. */
  admit(taskClass: TaskClass): string | null;
  /** A task that was admitted is no more. */
  dismiss(task: Task): void;
  /** A new job of the task is there; nothing happens to one that is queued already. */
  makeRunnable(task: Task, now: number): void;
  /** The task waits. */
  remove(task: Task): void;
  /** The task gives the rest of its budget up. */
  yield(task: Task, now: number): void;
  /** Who has the processor from now on; null: nobody. `current`: who had it until now, dispatched or switched to. */
  schedule(now: number, current: Task | null): Task | null;
  /** When a task that is queued will be released next, after `now`; Infinity: none waits for its release. */
  nextRelease(now: number): number;
  /** How long the task that was dispatched last may have the processor. */
  budgetLeft(task: Task): number;
  /** Deadlines that hard real-time tasks have missed. */
  readonly missed: number;
}
