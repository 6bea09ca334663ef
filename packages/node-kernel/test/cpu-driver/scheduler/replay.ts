import { newTask, type Scheduler, type Task, type TaskClass } from '../../../src/cpu-driver/scheduler/task.ts';

/** An event of a vector: what happens to which task at which tick. */
export interface VectorEvent {
  readonly at: number;
  readonly create?: 'best_effort' | 'hard_realtime';
  readonly weight?: number;
  readonly wcet?: number;
  readonly period?: number;
  readonly deadline?: number;
  readonly remove?: number;
  readonly release?: number;
  readonly yield?: number;
  readonly switch_to?: number;
}

export interface Vector {
  readonly name: string;
  readonly horizon: number;
  readonly timeslice: number;
  readonly events: readonly VectorEvent[];
  /** The runs of each task: [start, length]. */
  readonly dispatched: readonly (readonly (readonly [number, number])[])[];
}

/** The runs that a scheduler gives each task of a vector, tick by tick. `look` is called at every tick. */
export function replay(
  vector: Pick<Vector, 'horizon' | 'events'>,
  scheduler: Scheduler,
  look: (now: number, tasks: readonly Task[], running: Task | null) => void = () => undefined,
): [number, number][][] {
  const tasks: Task[] = [];
  const runs: [number, number][][] = [];
  let current: Task | null = null;
  let next = 0;
  for (let now = 0; now < vector.horizon; now++) {
    for (; next < vector.events.length && vector.events[next]!.at <= now; next++) {
      const event = vector.events[next]!;
      if (event.switch_to !== undefined) current = tasks[event.switch_to]!;
      else {
        apply(event, tasks, runs, scheduler, now);
        current = scheduler.schedule(now, current);
      }
    }
    current = scheduler.schedule(now, current);
    look(now, tasks, current);
    if (current !== null) extend(runs[tasks.indexOf(current)]!, now);
  }
  return runs;
}

function apply(event: VectorEvent, tasks: Task[], runs: unknown[][], scheduler: Scheduler, now: number): void {
  if (event.create !== undefined) {
    const task = newTask(classOf(event));
    task.release = now;
    tasks.push(task);
    runs.push([]);
    scheduler.makeRunnable(task, now);
  } else if (event.remove !== undefined) scheduler.remove(tasks[event.remove]!);
  else if (event.yield !== undefined) scheduler.yield(tasks[event.yield]!, now);
  else if (event.release !== undefined) {
    const task = tasks[event.release]!;
    if (!task.queued && task.class.kind === 'hard_realtime') task.release = now;
    scheduler.makeRunnable(task, now);
  }
}

function classOf(event: VectorEvent): TaskClass {
  if (event.create === 'best_effort') return { kind: 'best_effort', weight: event.weight ?? 1 };
  return { kind: 'hard_realtime', wcet: event.wcet!, period: event.period!, deadline: event.deadline! };
}

function extend(runs: [number, number][], now: number): void {
  const last = runs.at(-1);
  if (last !== undefined && last[0] + last[1] === now) last[1] += 1;
  else runs.push([now, 1]);
}
