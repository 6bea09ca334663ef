/** The work of one turn is bounded, and a paused request answers as if it had not paused. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Meter } from '@mk/monitor-proto/octopus/meter';
import { type OctopusReply, type OctopusRequest, TRIGGER } from '@mk/monitor-proto/octopus/requests';
import { OCTOPUS_LIMITS } from '../../src/octopus/limits.ts';
import { OctopusStore } from '../../src/octopus/store.ts';

const CALLER = { client: 'c', owner: 'c' } as const;

function answer(store: OctopusStore, request: OctopusRequest): OctopusReply {
  return store.step(request, CALLER).reply;
}

const namesOf = (reply: OctopusReply): readonly string[] => (reply.ok ? (reply.names ?? []) : []);
const numberOf = (name = ''): number => (name === '' ? -1 : Number(name.slice(1)));

describe('a query over many records', () => {
  test('O1: answers what was there at its end, whatever changed while it paused', () => {
    const change = fc.record({
      name: fc.integer({ min: 0, max: 12 }).map((number) => `r${number}`),
      value: fc.option(fc.integer({ min: 0, max: 2 })),
    });
    const apply = (store: OctopusStore, { name, value }: { name: string; value: number | null }): unknown =>
      value === null
        ? answer(store, { type: 'del', query: name })
        : answer(store, { type: 'set', record: `${name} { v: ${value} }` });
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 30 }),
        fc.array(fc.array(change, { maxLength: 4 }), { maxLength: 20 }),
        fc.constantFrom<OctopusRequest>(
          ...(['get', 'get_names', 'exists'] as const).map((type) => ({ type, query: '' })),
          ...['', 'r1', 'r5', 'r11'].map((after) => ({ type: 'get_names', query: '', after }) as const),
        ),
        fc.constantFrom("_ { v: r'1' }", "r'^r1'", '_', "r'2$' { v: > 0 }", 'r5'),
        (before, during, look, query) => {
          const store = new OctopusStore();
          for (const each of before) apply(store, each);
          const meter = new Meter(1); // full after one record
          const request = { ...look, query } as OctopusRequest;
          const work = store.perform(request, CALLER, meter);
          let step = work.next();
          for (const changes of during) {
            if (step.done === true) break;
            for (const each of changes) apply(store, each);
            meter.steps = 0;
            step = work.next();
          }
          while (step.done !== true) {
            meter.steps = 0;
            step = work.next();
          }
          expect(step.value.reply).toEqual(answer(store, request));
          if (look.type === 'get_names' && look.after !== undefined)
            expect(namesOf(step.value.reply)).toEqual(
              namesOf(answer(store, { type: 'get_names', query })).filter(
                (name) => numberOf(name) > numberOf(look.after),
              ),
            );
        },
      ),
      { numRuns: 500 },
    );
  });

  test('takes no more steps a turn than it may and one match more, and ends in a named error past its own bound', () => {
    const store = new OctopusStore();
    const value = 'a'.repeat(7_900);
    for (let i = 0; i < 400; i++) answer(store, { type: 'set', record: `r${i} { v: ${value} }` });
    const meter = new Meter(OCTOPUS_LIMITS.turnSteps);
    const work = store.perform({ type: 'get', query: "_ { v: r'(a{0,60}){0,4}b' }" }, CALLER, meter);
    let turns = 0;
    let step = work.next();
    for (; step.done !== true; step = work.next()) {
      turns += 1;
      expect(meter.steps).toBeLessThan(OCTOPUS_LIMITS.turnSteps + 2_048);
      meter.steps = 0;
    }
    expect(turns).toBeGreaterThan(50);
    expect(step.value.reply).toMatchObject({ ok: false, error: 'QUERY_TOO_COSTLY', installed: false });
  });

  test('all patterns of a query together are bounded: they are matched one after the other, without a pause', () => {
    const store = new OctopusStore();
    const constraint = "v: r'(a{0,60}){0,4}b'";
    const query = (count: number): string => `_ { ${Array.from({ length: count }, () => constraint).join(', ')} }`;
    expect(answer(store, { type: 'get', query: query(2) })).toMatchObject({ error: 'NO_RECORD' });
    expect(answer(store, { type: 'get', query: query(5) })).toMatchObject({ error: 'PARSE_ERROR' });
  });

  test('a change that would depend on a costly match is refused by name', () => {
    const store = new OctopusStore();
    answer(store, { type: 'set', record: `r { v: ${'a'.repeat(7_900)} }` });
    const query = "r { v: r'(a{0,60}){0,4}b' }";
    expect(answer(store, { type: 'set', record: query })).toMatchObject({ error: 'QUERY_TOO_COSTLY' });
    expect(answer(store, { type: 'del', query })).toMatchObject({ error: 'QUERY_TOO_COSTLY' });
    expect(answer(store, { type: 'del', query: "r { v: r'^a+$' }" })).toMatchObject({ ok: true });
  });

  test('looks only at records that begin as the pattern does', () => {
    const store = new OctopusStore();
    for (let i = 0; i < 40_000; i++) answer(store, { type: 'set', record: `other${i}` });
    for (let i = 0; i < 5; i++) answer(store, { type: 'set', record: 'disk', sequential: true });
    const meter = new Meter();
    const names = store.perform({ type: 'get_names', query: "r'^disk_\\d+$'" }, CALLER, meter).next().value!;
    expect(names.reply).toMatchObject({ names: ['disk_1', 'disk_2', 'disk_3', 'disk_4', 'disk_5'] });
    expect(meter.steps).toBeLessThan(1_000);
  });
});

describe('telling of a change', () => {
  test('pauses between watchers and tells each once, in the order of installation', () => {
    const store = new OctopusStore();
    const mode = TRIGGER.ON_SET | TRIGGER.PERSIST | TRIGGER.ALWAYS;
    for (let id = 0; id < 300; id++) {
      const query = id % 3 === 0 ? 'x_1' : id % 3 === 1 ? "r'^x'" : 'x';
      const request: OctopusRequest = {
        type: 'get',
        query,
        sequence: query === 'x',
        trigger: { id, inCase: 'OK', mode },
      };
      answer(store, request);
    }
    const meter = new Meter(100);
    store.perform({ type: 'set', record: 'x_1' }, CALLER, new Meter()).next();
    const told: number[] = [];
    let turns = 0;
    for (; store.telling; turns++) {
      meter.steps = 0;
      told.push(...store.tell(meter).map(({ notification }) => notification.id));
      // Triggers removed or added in the middle are not told of this change.
      if (turns === 1) answerWithout(store, { type: 'remove_trigger', id: 299 });
      if (turns === 1) answerWithout(store, { type: 'get', query: '_', trigger: { id: 999, inCase: 'OK', mode } });
    }
    expect(turns).toBeGreaterThan(5);
    expect(told.filter((id) => id !== 299)).toEqual(Array.from({ length: 299 }, (_, id) => id));
    expect(store.step({ type: 'set', record: 'x_1' }, CALLER).notifications.length).toBe(300);
  });

  test('a client’s patterns have a bound for each change: the one past it is removed and named, others’ are told', () => {
    const store = new OctopusStore();
    const mode = TRIGGER.ON_SET | TRIGGER.PERSIST | TRIGGER.ALWAYS;
    const install = (client: string, id: number, query: string): unknown =>
      store.step({ type: 'get', query, trigger: { id, inCase: 'OK', mode } }, { client, owner: client });
    for (let id = 0; id < 10; id++) install('greedy', id, "_ { v: r'(a{0,60}){0,4}b' }");
    install('modest', 1, "_ { v: r'a$' }");
    const set: OctopusRequest = { type: 'set', record: `r { v: ${'a'.repeat(7_900)} }` };
    const { notifications } = store.step(set, CALLER);
    const removed = notifications.filter(({ notification }) => notification.error === 'QUERY_TOO_COSTLY');
    expect(removed.map(({ client }) => client)).toEqual(Array.from({ length: 10 }, () => 'greedy'));
    expect(notifications.at(-1)).toMatchObject({ client: 'modest', notification: { id: 1, mode: TRIGGER.ON_SET } });
    expect(store.step(set, CALLER).notifications.map(({ client }) => client)).toEqual(['modest']);
  });
});

/** A request in the middle of a notification, which does not change it. */
function answerWithout(store: OctopusStore, request: OctopusRequest): void {
  store.perform(request, CALLER, new Meter()).next();
}
