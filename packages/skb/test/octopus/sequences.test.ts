import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { RECORD_LIMITS } from '@mk/monitor-proto/octopus/limits';
import { compareNames, orderKey } from '@mk/monitor-proto/octopus/record';
import { type OctopusReply, type OctopusRequest, TRIGGER } from '@mk/monitor-proto/octopus/requests';
import { OCTOPUS_LIMITS } from '../../src/octopus/limits.ts';
import { OrderedNames } from '../../src/octopus/ordered-names.ts';
import { OctopusStore } from '../../src/octopus/store.ts';
import type { OctopusChange } from '../../src/octopus/change.ts';

/** A store, what its journal holds, and what clients heard. */
class Bench {
  store = new OctopusStore();
  readonly changes: OctopusChange[] = [];
  readonly heard: string[] = [];

  ask(request: OctopusRequest, client = 'c1'): OctopusReply {
    const { reply, changes, notifications } = this.store.step(request, { client, owner: client });
    this.changes.push(...changes);
    for (const { client: to, notification } of notifications)
      this.heard.push(`${to} ${notification.id} ${notification.record}`);
    return reply;
  }

  said(request: OctopusRequest, client = 'c1'): string {
    const reply = this.ask(request, client);
    return reply.ok ? (reply.record ?? reply.names?.join(' ') ?? 'OK') : reply.error;
  }

  gone(owner: string): void {
    const { changes, notifications } = this.store.ownerGone(owner);
    this.changes.push(...changes);
    for (const { client, notification } of notifications)
      this.heard.push(`${client} ${notification.id} ${notification.record}`);
  }

  restart(): void {
    this.store = new OctopusStore();
    this.store.load(this.changes);
  }

  names(query = '_'): string {
    return this.said({ type: 'get_names', query });
  }
}

const sequential = (record: string): OctopusRequest => ({ type: 'set', record, sequential: true });

describe('sequences', () => {
  test('a sequential record never takes the name of one that is there', () => {
    const bench = new Bench();
    for (const record of ['job_1 { mine: 1 }', 'job_2 { mine: 2 }', 'job_4 { mine: 4 }'])
      bench.said({ type: 'set', record });
    expect([1, 2, 3].map(() => bench.said(sequential('job')))).toEqual(['job_3 {}', 'job_5 {}', 'job_6 {}']);
    expect(bench.said({ type: 'get', query: 'job_1' })).toBe('job_1 { mine: 1 }');
  });

  test('numbers are those of the sequence alone: leading zeros, other words and huge numbers are not in it', () => {
    const bench = new Bench();
    for (const record of ['a_01', 'a_x', 'a_1x', "'a_99999999999999999999'", 'a__3', "'a_0'", 'b_1'])
      bench.said({ type: 'set', record });
    expect(bench.said({ type: 'get_names', query: 'a', sequence: true })).toBe('NO_RECORD');
    bench.said(sequential('a'));
    bench.said({ type: 'set', record: 'a_12 { x: 1 }' });
    expect(bench.said({ type: 'get_names', query: 'a', sequence: true })).toBe('a_1 a_12');
    expect(bench.said({ type: 'get', query: 'a { x: _ }', sequence: true })).toBe('a_12 { x: 1 }');
    expect(bench.said({ type: 'get', query: '_', sequence: true })).toBe('NO_CONCRETE_NAME');
  });

  test('the record before another one, watched in the same step', () => {
    const bench = new Bench();
    for (let i = 0; i < 12; i++) bench.said(sequential("'it\\'s\n'"));
    const ask = (name: string, id: number): string =>
      bench.said({ type: 'predecessor', name, trigger: { id, inCase: 'OK', mode: TRIGGER.ON_DEL } });
    expect(ask("it's\n_11", 1)).toBe("'it\\'s\n_10' {}");
    expect(ask("it's\n_1", 2)).toBe('OK');
    expect(ask("it's\n_77", 3)).toBe('NO_RECORD');
    bench.said({ type: 'del', query: "'it\\'s\n_9'" });
    bench.said({ type: 'del', query: "'it\\'s\n_10'" });
    expect(bench.heard).toEqual(["c1 1 'it\\'s\n_10' {}"]);
    expect(ask("it's\n_11", 4)).toBe("'it\\'s\n_8' {}");
  });
});

describe('counters', () => {
  test('names without records leave none, and yet no number comes twice, over restarts', () => {
    const bench = new Bench();
    const seen = new Set<string>();
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 500; i++) {
        const name = bench.said(sequential(`job${i}`)).split(' ')[0]!;
        expect(seen.has(name)).toBe(false);
        seen.add(name);
        if (i % 7 !== 0) expect(bench.said({ type: 'del', query: name })).not.toBe('NO_RECORD');
      }
      if (round === 1) bench.restart();
    }
    for (const name of bench.names().split(' ')) bench.said({ type: 'del', query: name });
    expect(bench.store.size).toBe(0);
    expect(bench.store.counterCount).toBeLessThanOrEqual(OCTOPUS_LIMITS.maxIdleCounters);
    bench.restart();
    expect(bench.store.counterCount).toBeLessThanOrEqual(OCTOPUS_LIMITS.maxIdleCounters);
    expect(bench.store.snapshot().length).toBeLessThanOrEqual(OCTOPUS_LIMITS.maxIdleCounters + 1);
  });

  test('a name that nobody has used for long goes on above what it had', () => {
    const bench = new Bench();
    for (let i = 0; i < 5; i++) bench.said({ type: 'del', query: bench.said(sequential('old')).split(' ')[0]! });
    for (let i = 0; i < 200; i++) bench.said({ type: 'del', query: bench.said(sequential(`n${i}`)).split(' ')[0]! });
    bench.restart();
    expect(Number(/_(\d+)/.exec(bench.said(sequential('old')))![1])).toBeGreaterThan(5);
  });
});

describe('names of recipes', () => {
  test('belong to who says so: a user can neither set, overwrite nor delete them, nor one recipe another’s', () => {
    const bench = new Bench();
    const lock = { type: 'set', record: "'lock:L'", sequential: true, transient: true, recipe: 'lock' } as const;
    expect(bench.said(lock)).toBe("'lock:L_1' {}");
    for (const request of [
      { type: 'set', record: "'lock:L_1' { mine: 1 }" },
      { type: 'set', record: "'lock:L'", sequential: true },
      { type: 'set', record: "'lock:L_1'", recipe: 'barrier' },
      { type: 'del', query: "'lock:L_1'" },
      { type: 'del', query: "'lock:L_1'", recipe: 'semaphore' },
      { type: 'set', record: "'counter:floor'" },
      { type: 'set', record: "'offer:bank' { core: 9, port: 1 }" },
      { type: 'del', query: "'offer:bank'" },
      { type: 'set', record: 'L', recipe: 'lock' },
    ] as const)
      expect(bench.said(request)).toBe('RESERVED_NAME');
    expect(bench.said({ type: 'set', record: "'other:L'" })).toBe("'other:L' {}");
    expect(bench.said({ type: 'del', query: "'lock:L_1'", recipe: 'lock' })).toBe("'lock:L_1' {}");
  });

  test('are seen by their own names and by patterns that begin as they do; a user’s queries and triggers do not meet them', () => {
    const bench = new Bench();
    bench.ask({ type: 'get', query: '_', trigger: { id: 1, inCase: 'OK', mode: TRIGGER.ON_SET | TRIGGER.ALWAYS } });
    bench.said({ type: 'set', record: "'lock:L'", sequential: true, recipe: 'lock' });
    expect(bench.heard).toEqual([]);
    expect(bench.said({ type: 'get', query: '_' })).toBe('NO_RECORD');
    expect(bench.names("r'L'")).toBe('NO_RECORD');
    expect(bench.names("r'^lock:'")).toBe('lock:L_1');
    expect(bench.said({ type: 'get', query: "'lock:L_1'" })).toBe("'lock:L_1' {}");
    bench.said({ type: 'set', record: 'L_1' });
    expect(bench.heard).toEqual(['c1 1 L_1 {}']);
  });

  test('are bounded so that what gives a permit back cannot fail', () => {
    const bench = new Bench();
    const post = (chars: number): string =>
      bench.said({ type: 'set', record: `'semaphore:${'x'.repeat(chars)}'`, sequential: true, recipe: 'semaphore' });
    expect(post(214)).toContain('_1');
    expect(post(215)).toBe('PARSE_ERROR');
  });
});

/** As long as a record may be that is set under this name. */
function longest(name: string, chars: number): string {
  const head = `'${name}' { note: '- `;
  return `${head}${'x'.repeat(chars - head.length - "' }".length)}' }`;
}

describe.each(['semaphore', 'permit'] as const)('O6: the attributes of a %s', (recipe) => {
  const { maxTextChars } = RECORD_LIMITS;
  const set = (bench: Bench, name: string, chars: number): string =>
    bench
      .said({ type: 'set', record: longest(name, chars), recipe, transient: recipe === 'permit' }, 'holder')
      .slice(0, 20);

  test('leave room for every name that its permit can get', () => {
    const bench = new Bench();
    const name = `${recipe}:s_9`;
    expect(set(bench, name, maxTextChars)).toBe('PARSE_ERROR');
    let chars = maxTextChars;
    while (set(bench, name, chars) === 'PARSE_ERROR') chars -= 1;
    expect(chars).toBeGreaterThan(maxTextChars - 64);
    for (let turn = 0; turn < 12; turn++) {
      bench.said({ type: 'take', name: 's', lease: true }, 'holder');
      bench.gone('holder');
      bench.restart();
    }
    expect(bench.names("r'^semaphore:'")).toMatch(/^semaphore:s_1\d$/);
  });

  test('cannot end the SKB when the journal of an earlier mk holds longer ones', () => {
    const bench = new Bench();
    const name = `${recipe}:s_9`;
    bench.changes.push(
      { type: 'counter', name: 'semaphore:s', value: 99 },
      { type: 'put', name, text: longest(name, maxTextChars), ...(recipe === 'permit' && { owner: 'holder' }) },
    );
    bench.restart();
    if (recipe === 'semaphore') expect(bench.said({ type: 'take', name: 's', lease: true }, 'holder')).toContain('x');
    bench.gone('holder');
    expect(bench.names("r'^semaphore:'")).toBe('semaphore:s_100');
  });
});

describe('permits', () => {
  const post: OctopusRequest = { type: 'set', record: "'semaphore:s'", sequential: true, recipe: 'semaphore' };
  const count = (bench: Bench): number => {
    const reply = bench.ask({ type: 'get_names', query: "'semaphore:s'", sequence: true });
    return reply.ok ? reply.names!.length : 0;
  };

  test('O6: a leased permit goes back when it is released, when its holder goes, over a restart', () => {
    const bench = new Bench();
    for (let i = 0; i < 3; i++) bench.ask(post);
    expect(bench.said({ type: 'take', name: 's', lease: true }, 'a')).toBe("'permit:s_1' {}");
    expect(bench.said({ type: 'take', name: 's', lease: true }, 'b')).toBe("'permit:s_2' {}");
    expect(bench.said({ type: 'take', name: 's' }, 'c')).toBe("'semaphore:s_3' {}");
    const trigger = { id: 9, inCase: 'NO_RECORD', mode: TRIGGER.ON_SET } as const;
    expect(bench.ask({ type: 'take', name: 's', trigger }, 'd')).toMatchObject({ error: 'NO_RECORD', installed: true });
    bench.said({ type: 'del', query: "'permit:s_1'", recipe: 'permit' }, 'a');
    expect(bench.heard).toEqual(["d 9 'semaphore:s_4' {}"]);
    bench.restart();
    bench.gone('b');
    expect(count(bench)).toBe(2);
    expect(bench.said({ type: 'del', query: "'permit:s_2'", recipe: 'permit' }, 'b')).toBe('NO_RECORD');
  });

  test('permits of before semaphores had their own names are taken; other records of the name are not', () => {
    const bench = new Bench();
    bench.said({ type: 'set', record: 's_1 { mine: 1 }' });
    bench.said({ type: 'set', record: 't_1' });
    for (let i = 0; i < 2; i++) bench.said(sequential('old'));
    expect(bench.said({ type: 'take', name: 's' })).toBe('NO_RECORD');
    expect(bench.said({ type: 'take', name: 't' })).toBe('NO_RECORD');
    expect(bench.said({ type: 'take', name: 'old', lease: true }, 'a')).toBe("'permit:old_1' {}");
    bench.gone('a');
    expect(bench.said({ type: 'take', name: 'old' })).toBe("'semaphore:old_1' {}");
    expect(bench.said({ type: 'take', name: 'old' })).toBe('old_2 {}');
    expect(bench.said({ type: 'take', name: 'old' })).toBe('NO_RECORD');
  });

  test('however many there are, taking one does not look at the others', () => {
    const bench = new Bench();
    for (let i = 0; i < 30_000; i++) bench.ask(post);
    for (let i = 1; i <= 30_000; i++) expect(bench.said({ type: 'take', name: 's' })).toBe(`'semaphore:s_${i}' {}`);
    expect(bench.said({ type: 'take', name: 's' })).toBe('NO_RECORD');
  });
});

test('names in natural order are as a sorted array, whatever is added and removed', () => {
  const name = fc.string({ unit: fc.constantFrom('a', 'b', '_', '0', '1', '9'), maxLength: 4 });
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.boolean()), { maxLength: 60 }), name, (acts, place) => {
      const tree = new OrderedNames<{ name: string; key: string }>();
      const model = new Map<string, { name: string; key: string }>();
      for (const [each, add] of acts) {
        const row = model.get(each) ?? { name: each, key: orderKey(each) };
        if (add && !model.has(each)) tree.add(row);
        if (!add) tree.remove(row);
        if (add) model.set(each, row);
        else model.delete(each);
      }
      const sorted = [...model.keys()].sort(compareNames);
      const at = { name: place, key: orderKey(place) };
      expect([...tree.from(at)].map((row) => row.name)).toEqual(
        sorted.filter((each) => compareNames(each, place) >= 0),
      );
      expect([...tree.before(at)].map((row) => row.name)).toEqual(
        sorted.filter((each) => compareNames(each, place) < 0).reverse(),
      );
    }),
  );
  const many = new OrderedNames<{ name: string; key: string }>();
  const rows = Array.from({ length: 5_000 }, (_, i) => ({
    name: `n${(i * 7_919) % 5_000}`,
    key: orderKey(`n${(i * 7_919) % 5_000}`),
  }));
  for (const row of rows) many.add(row);
  for (const row of rows) if (Number(row.name.slice(1)) % 3 !== 0) many.remove(row);
  expect([...many.from({ name: '', key: '' })].map((row) => Number(row.name.slice(1)))).toEqual(
    Array.from({ length: 1_667 }, (_, i) => i * 3),
  );
});
