import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Rbed } from '../../../src/cpu-driver/scheduler/rbed.ts';
import { RoundRobin } from '../../../src/cpu-driver/scheduler/round-robin.ts';
import { newTask, type Scheduler, type Task } from '../../../src/cpu-driver/scheduler/task.ts';
import { replay, type VectorEvent } from './replay.ts';

const SLICE = 80;
const event = fc.record({
  at: fc.nat(900),
  what: fc.constantFrom('remove', 'release', 'yield', 'best_effort', 'best_effort', 'switch_to'),
  task: fc.nat(7),
  weight: fc.nat(9),
});

/** Any course of events, as a vector: the first task is there from the beginning. */
const events = fc.array(event, { maxLength: 25 }).map((drawn): VectorEvent[] => {
  const out: VectorEvent[] = [{ at: 0, create: 'best_effort', weight: 1 }];
  let tasks = 1;
  for (const { at, what, task, weight } of drawn.sort((a, b) => a.at - b.at)) {
    if (what === 'best_effort') {
      out.push({ at, create: what, weight });
      tasks += 1;
    } else if (what !== 'switch_to') out.push({ at, [what]: task % tasks });
  }
  return out;
});

const schedulers: readonly (readonly [string, () => Scheduler])[] = [
  ['rbed', () => new Rbed(SLICE)],
  ['round robin', () => new RoundRobin(SLICE)],
];

describe.each(schedulers)('%s', (_name, create) => {
  test('somebody runs whenever somebody can, and only who can', () => {
    fc.assert(
      fc.property(events, (given) => {
        const wrong: string[] = [];
        replay({ horizon: 1000, events: given }, create(), (now, tasks, running) => {
          const ready = tasks.filter((task) => task.queued && task.release <= now);
          if (running === null ? ready.length > 0 : !ready.includes(running)) wrong.push(`at tick ${now}`);
        });
        expect(wrong).toEqual([]);
      }),
    );
  });

  test('nobody who is queued waits for ever', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5), { minLength: 1, maxLength: 6 }), (weights) => {
        const given = weights.map((weight): VectorEvent => ({ at: 0, create: 'best_effort', weight }));
        const runs = replay({ horizon: 3 * SLICE * weights.length, events: given }, create());
        for (const own of runs) expect(own.length).toBeGreaterThan(0);
      }),
    );
  });
});

describe('rbed', () => {
  test('best-effort tasks share the core by weight, to a percent of it over a hundred periods', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 5 }), (weights) => {
        const given = weights.map((weight): VectorEvent => ({ at: 0, create: 'best_effort', weight }));
        const horizon = 100 * SLICE * weights.length;
        const total = weights.reduce((a, b) => a + b, 0);
        replay({ horizon, events: given }, new Rbed(SLICE)).forEach((own, i) => {
          const got = own.reduce((sum, [, length]) => sum + length, 0) / horizon;
          expect(Math.abs(got - weights[i]! / total)).toBeLessThan(0.01);
        });
      }),
      { numRuns: 30 },
    );
  });

  test('shares hold over turns that nobody can end, of up to three slices', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 2, maxLength: 5 });
    fc.assert(
      fc.property(
        weights,
        fc.array(fc.integer({ min: 1, max: 3 * SLICE }), { minLength: 5, maxLength: 5 }),
        (all, turns) => {
          const scheduler = new Rbed(SLICE, true);
          const tasks = all.map((weight) => newTask({ kind: 'best_effort', weight }));
          for (const task of tasks) scheduler.makeRunnable(task, 0);
          const had = tasks.map(() => 0);
          let running: Task | null = null;
          let now = 0;
          for (let n = 0; n < 20_000; n++) {
            running = scheduler.schedule(now, running);
            const i = tasks.indexOf(running!);
            had[i]! += turns[i]!;
            now += turns[i]!;
          }
          const total = all.reduce((a, b) => a + b, 0);
          const off = had.map((ticks, i) => Math.abs(ticks / now / (all[i]! / total) - 1));
          expect(Math.max(...off)).toBeLessThan(0.05);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('what was admitted meets its deadlines, whatever else there is', () => {
    const rates = fc.array(
      fc.record({ wcet: fc.integer({ min: 1, max: 20 }), period: fc.integer({ min: 10, max: 200 }) }),
      {
        maxLength: 6,
      },
    );
    fc.assert(
      fc.property(rates, (drawn) => {
        const scheduler = new Rbed(SLICE);
        const given: VectorEvent[] = [];
        for (const { wcet, period } of drawn) {
          if (scheduler.admit({ kind: 'hard_realtime', wcet, period, deadline: period }) === null)
            given.push({ at: 0, create: 'hard_realtime', wcet, period, deadline: period });
        }
        const runs = replay({ horizon: 2000, events: given }, scheduler);
        expect(scheduler.missed).toBe(0);
        given.forEach(({ wcet, period }, i) => {
          const got = runs[i]!.reduce((sum, [, length]) => sum + length, 0);
          expect(got).toBeGreaterThanOrEqual(wcet! * Math.floor(2000 / period!));
        });
      }),
    );
  });

  test('admission keeps a tenth for best effort (SC2), and says what is left', () => {
    const scheduler = new Rbed(SLICE);
    const hard = (wcet: number, period: number) => ({ kind: 'hard_realtime', wcet, period, deadline: period }) as const;
    expect(scheduler.admit(hard(5, 10))).toBeNull();
    expect(scheduler.admit(hard(41, 100))).toBe(
      'asks for 41 % of the core, and 40 % are left for hard real-time tasks',
    );
    expect(scheduler.admit(hard(4, 10))).toBeNull();
    expect(scheduler.admit(hard(1, 1000))).toContain('0 % are left');
    expect(scheduler.admit({ kind: 'best_effort', weight: 1 })).toBeNull();
    scheduler.dismiss(newTask(hard(4, 10)));
    expect(scheduler.admit(hard(3, 10))).toBeNull();
    expect(scheduler.admit(hard(20, 10))).toContain('more time than its period');
  });

  test('a switch to another task does not take the slice away from the first', () => {
    const scheduler = new Rbed(SLICE);
    const [sender, receiver] = [1, 1].map((weight): Task => newTask({ kind: 'best_effort', weight }));
    for (const task of [sender!, receiver!]) scheduler.makeRunnable(task, 0);
    expect(scheduler.schedule(0, null)).toBe(sender);
    expect(scheduler.schedule(10, receiver!)).toBe(receiver);
    scheduler.remove(receiver!);
    expect(scheduler.schedule(20, receiver!)).toBe(sender);
  });
});
