import { describe, expect, test } from '@jest/globals';
import { SKB_PEER } from '../../src/ids.ts';
import { FaultEngine } from '../../src/link/fault-engine.ts';
import { checkFaultRule, describeRule } from '../../src/link/fault-rule.ts';
import type { FaultRule, LinkRule } from '../../src/link/fault-rule.ts';
import { PASS } from '../../src/link/link-model.ts';
import { CLEAR_LINK } from '../../src/link/link-settings.ts';
import { createPrng } from '../../src/prng.ts';

const MS = 1_000_000;

function link(id: string, fields: Partial<LinkRule> = {}): LinkRule {
  return { kind: 'link', id, for_ns: null, from: [0], to: [1], both: false, settings: { delay_ns: 5 * MS }, ...fields };
}

function partition(groups: (number[] | 'rest')[], oneWay = false): FaultRule {
  return { kind: 'partition', id: 'cut', for_ns: null, groups, one_way: oneWay };
}

function engineWith(...rules: FaultRule[]): FaultEngine {
  const engine = new FaultEngine({ prng: createPrng(1) });
  for (const rule of rules) engine.add(rule, 0);
  return engine;
}

/** Which directed pairs of these peers are cut, as `a>b`. */
function cuts(engine: FaultEngine, peers: readonly number[]): string[] {
  const all = peers.flatMap((a) => peers.filter((b) => b !== a).map((b) => [a, b] as const));
  return all.filter(([a, b]) => engine.cutBy(a, b, 0) !== null).map(([a, b]) => `${a}>${b}`);
}

describe('FaultEngine', () => {
  test('F1: without rules every frame passes as PASS itself', () => {
    expect(engineWith().verdict(0, 1, 0, 64)).toBe(PASS);
  });

  test('a link rule concerns its direction only, unless both', () => {
    const engine = engineWith(link('one'), link('two', { from: [2], to: [3], both: true }));
    expect(engine.verdict(0, 1, 0, 64)).toEqual({ kind: 'deliver_after', delayNs: 5 * MS });
    expect(engine.verdict(1, 0, 0, 64)).toBe(PASS);
    expect(engine.settings(3, 2, 0).delayNs).toBe(5 * MS);
  });

  test('`all` is every core, never the SKB; the SKB is meant where it is listed', () => {
    const engine = engineWith(link('all', { from: 'all', to: 'all' }));
    expect(engine.settings(900, 3, 0).delayNs).toBe(5 * MS);
    expect(engine.settings(3, SKB_PEER, 0).delayNs).toBe(0);
    engine.add(link('skb', { from: 'all', to: [SKB_PEER] }), 0);
    expect(engine.settings(3, SKB_PEER, 0).delayNs).toBe(5 * MS);
  });

  test('F3: later rules win setting by setting, over the base', () => {
    const base = { ...CLEAR_LINK, delayNs: MS, jitterNs: 7 };
    const engine = new FaultEngine({ base: () => base, prng: createPrng(1) });
    engine.add(link('a', { settings: { delay_ns: 2 * MS, loss: 0.5 } }), 0);
    engine.add(link('b', { settings: { delay_ns: 3 * MS } }), 0);
    expect(engine.settings(0, 1, 0)).toEqual({ ...base, delayNs: 3 * MS, loss: 0.5 });
    engine.heal({ id: 'b' }, 0);
    expect(engine.settings(0, 1, 0).delayNs).toBe(2 * MS);
    engine.heal({ id: 'a' }, 0);
    expect(engine.settings(0, 1, 0)).toEqual(base);
  });

  test('F2: a partition cuts both ways between groups, and nobody else', () => {
    expect(cuts(engineWith(partition([[0], [1]])), [0, 1, 2])).toEqual(['0>1', '1>0']);
  });

  test('`rest` is every core that is not listed', () => {
    const across = ['0>2', '0>3', '1>2', '1>3', '2>0', '2>1', '3>0', '3>1'];
    expect(cuts(engineWith(partition([[0, 1], 'rest'])), [0, 1, 2, 3])).toEqual(across);
    expect(cuts(engineWith(partition([[0], 'rest'])), [0, SKB_PEER])).toEqual([]);
  });

  test('one way: only what the first group sends is cut', () => {
    expect(cuts(engineWith(partition([[0], [1, 2]], true)), [0, 1, 2])).toEqual(['0>1', '0>2']);
  });

  test('isolate cuts a listed SKB off from every core, and a core never from the SKB', () => {
    const engine = engineWith({ kind: 'isolate', id: 'i', for_ns: null, cores: [SKB_PEER] });
    expect(cuts(engine, [0, 1, SKB_PEER])).toEqual([
      `0>${SKB_PEER}`,
      `1>${SKB_PEER}`,
      `${SKB_PEER}>0`,
      `${SKB_PEER}>1`,
    ]);
    const core = engineWith({ kind: 'isolate', id: 'i', for_ns: null, cores: [1] });
    expect(cuts(core, [0, 1, SKB_PEER])).toEqual(['0>1', '1>0']);
  });

  test('isolate cuts a core off from every other', () => {
    const engine = engineWith({ kind: 'isolate', id: 'i', for_ns: null, cores: [1] });
    expect(cuts(engine, [0, 1, 2])).toEqual(['0>1', '1>0', '1>2', '2>1']);
  });

  test('a rule with a time ends by itself and says what it did', () => {
    const engine = engineWith({ kind: 'isolate', id: 'i', for_ns: 3 * MS, cores: [1] });
    expect(engine.nextExpiry).toBe(3 * MS);
    expect(engine.verdict(0, 1, 3 * MS - 1, 64)).toEqual({ kind: 'drop', reason: 'partition' });
    expect(engine.verdict(0, 1, 3 * MS, 64)).toBe(PASS);
    expect(engine.rules(3 * MS)).toEqual([]);
    expect(engine.takeExpired(3 * MS)).toMatchObject([{ rule: { id: 'i' }, counters: { frames: 1, dropped: 1 } }]);
    expect(engine.takeExpired(3 * MS)).toEqual([]);
  });

  test('what rules of one id did never falls: replaced, replaced by a set, healed, run out and begun again', () => {
    const engine = new FaultEngine({ prng: createPrng(1) });
    const frames = (): number => engine.totalsOf(now)[0]!.counters.frames;
    let now = 0;
    let sent = 0;
    const rule = (core: number, for_ns: number | null = null): FaultRule => ({
      kind: 'isolate',
      id: 'i',
      for_ns,
      cores: [core],
    });
    for (const change of [
      () => engine.add(rule(1), now),
      () => engine.add(rule(0), now),
      () => engine.replaceAll([{ rule: rule(1), healed: [] }], now),
      () => engine.replaceAll([{ rule: rule(1), healed: [] }], now), // goes on
      () => (engine.heal('all', now), engine.add(rule(1), now)),
      () => (engine.heal({ id: 'i' }, now), engine.add(rule(0, MS), now)),
      () => ((now += 2 * MS), engine.takeExpired(now), engine.add(rule(1), now)),
      () => (engine.replaceAll([], now), engine.replaceAll([{ rule: rule(0), healed: [] }], now)),
    ]) {
      change();
      expect(frames()).toBe(sent);
      for (let i = 0; i < 3; i++) engine.verdict(0, 1, now, 10);
      sent += 3;
      expect(frames()).toBe(sent);
    }
  });

  test('counters tell what every rule did', () => {
    const unused = link('unused', { from: [8], to: [9] });
    const engine = engineWith(link('slow', { to: 'all' }), unused, partition([[0], [5]]));
    for (const to of [1, 1, 2, 5]) engine.verdict(0, to, 0, 64);
    const rows = engine.rules(0).map(({ rule, counters: c }) => [rule.id, [c.frames, c.delayed, c.dropped]]);
    expect(Object.fromEntries(rows)).toEqual({ slow: [3, 3, 0], unused: [0, 0, 0], cut: [1, 0, 1] });
  });

  test('heal all, by id, and by pair', () => {
    const engine = engineWith(link('a'), link('b', { from: 'all', to: 'all' }), partition([[0], [1]]));
    expect(engine.heal({ from: 1, to: 0 }, 0)).toEqual(['a', 'b', 'cut']);
    expect(engine.verdict(0, 1, 0, 64)).toBe(PASS);
    expect(engine.settings(0, 2, 0).delayNs).toBe(5 * MS);
    expect(engine.rules(0).map(({ rule, healedPairs }) => [rule.id, healedPairs])).toEqual([
      ['b', 2],
      ['cut', 2],
    ]);
    expect(engine.heal({ id: 'b' }, 0)).toEqual(['b']);
    expect(engine.heal({ id: 'b' }, 0)).toEqual([]);
    expect(engine.heal('all', 0)).toEqual(['cut']);
    expect(engine.rules(0)).toEqual([]);
  });

  describe('F4: heal is now', () => {
    const MINUTE = 60_000 * MS;

    /** An engine with a rule that has delayed three frames, and their resulting due times. */
    function delayed(settings: LinkRule['settings'], forNs: number | null = null) {
      const moved: [pair: string, from: number, to: number][] = [];
      const dues: number[] = [];
      const engine: FaultEngine = new FaultEngine({
        prng: createPrng(1),
        retimed: (from, to, retime) => dues.forEach((due) => moved.push([`${from}>${to}`, due, retime(due)])),
      });
      engine.add(link('a', { settings, for_ns: forNs }), 0);
      for (const at of [0, 1, 2]) {
        const verdict = engine.verdict(0, 1, at * MS, 1000);
        dues.push(at * MS + (verdict as { delayNs: number }).delayNs);
      }
      return { engine, moved, dues };
    }

    const waits = { delay_ns: 10 * MINUTE };
    const queues = { rate_bytes_per_second: 100 };

    test.each([
      ['a delay', waits],
      ['a rate', queues],
    ])('what %s holds back is due at once, and what is sent next passes behind it', (_what, settings) => {
      const { engine, moved } = delayed(settings);
      engine.heal('all', 5 * MS);
      expect(moved.map(([pair, , to]) => [pair, to])).toEqual(Array.from({ length: 3 }, () => ['0>1', 5 * MS]));
      expect(engine.verdict(0, 1, 5 * MS, 64)).toBe(PASS);
    });

    test('so it is when the rule is healed by its id, for this pair alone, runs out, or is replaced', () => {
      const ends: Record<string, (engine: FaultEngine) => unknown> = {
        id: (engine) => engine.heal({ id: 'a' }, 5 * MS),
        pair: (engine) => engine.heal({ from: 1, to: 0 }, 5 * MS),
        time: (engine) => engine.rules(5 * MS),
        set: (engine) => engine.replaceAll([], 5 * MS),
      };
      for (const [name, end] of Object.entries(ends)) {
        const { engine, moved } = delayed(waits, name === 'time' ? 4 * MS : null);
        end(engine);
        expect([name, moved.map(([, , to]) => to)]).toEqual([name, [5 * MS, 5 * MS, 5 * MS]]);
      }
    });

    test('a shorter delay hurries them as far as it does a frame that is sent now, a longer one leaves them', () => {
      const { engine, moved, dues } = delayed(waits);
      engine.add(link('a', { settings: { delay_ns: 20 * MINUTE } }), 5 * MS);
      expect(moved).toEqual([]);
      engine.add(link('a', { settings: { delay_ns: 2 * MS } }), 5 * MS);
      expect(moved).toEqual(dues.map((due) => ['0>1', due, 7 * MS]));
    });

    test('a higher rate shortens the queue in proportion, and what is sent next queues behind it', () => {
      const { engine, moved } = delayed({ rate_bytes_per_second: 1000 }); // a second each
      engine.add(link('a', { settings: { rate_bytes_per_second: 100_000 } }), 0);
      expect(moved.map(([, , to]) => to)).toEqual([10 * MS, 20 * MS, 30 * MS]);
      expect(engine.verdict(0, 1, 0, 1000)).toEqual({ kind: 'deliver_after', delayNs: 40 * MS });
    });

    test('frames on pairs of which no rule changed keep their times', () => {
      const { engine, moved } = delayed(waits);
      engine.add(link('b', { from: [2], to: [3] }), 5 * MS);
      engine.heal({ id: 'b' }, 6 * MS);
      expect(moved).toEqual([]);
    });
  });

  test('rules that are handed on act as they did, with their time left and without the pairs that were healed', () => {
    const engine = engineWith(link('a', { from: 'all', to: 'all', for_ns: 10 * MS }), partition([[4], 'rest']));
    engine.heal({ from: 0, to: 1 }, 2 * MS);
    const elsewhere = new FaultEngine({ prng: createPrng(2) });
    elsewhere.add(link('old', { from: [0], to: [2], settings: { loss: 1 } }), 0);
    expect(elsewhere.replaceAll(engine.standing(4 * MS), 100 * MS)).toEqual({ begun: ['a', 'cut'], ended: ['old'] });
    for (const [from, to] of [
      [0, 1],
      [1, 0],
      [0, 2],
      [4, 0],
    ] as const) {
      expect(elsewhere.settings(from, to, 100 * MS)).toEqual(engine.settings(from, to, 4 * MS));
      expect(elsewhere.cutBy(from, to, 100 * MS)).toEqual(engine.cutBy(from, to, 4 * MS));
    }
    expect(elsewhere.nextExpiry).toBe(106 * MS);
  });

  test('a rule that is handed on again goes on counting, one that differs starts counting again', () => {
    const engine = engineWith(link('a'));
    engine.verdict(0, 1, 0, 64);
    engine.replaceAll(engine.standing(0), MS);
    expect(engine.rules(MS)[0]).toMatchObject({ sinceNs: 0, counters: { frames: 1 } });
    engine.replaceAll([{ rule: link('a', { settings: { loss: 1 } }), healed: [] }], MS);
    expect(engine.rules(MS)[0]).toMatchObject({ sinceNs: MS, counters: { frames: 0 } });
  });

  test('F5: a pair’s choices do not depend on other traffic', () => {
    const noisy = link('n', { from: 'all', to: 'all', settings: { loss: 0.5 } });
    const alone = engineWith(noisy);
    const busy = engineWith(noisy);
    const trace = (engine: FaultEngine, others: boolean) =>
      Array.from({ length: 200 }, (_, at) => {
        if (others) engine.verdict(2, 3, at, 64);
        return engine.verdict(0, 1, at, 64).kind;
      });
    const undisturbed = trace(alone, false);
    expect(trace(busy, true)).toEqual(undisturbed);
    expect(new Set(undisturbed)).toEqual(new Set(['pass', 'drop']));
  });

  test('a rule of a known id replaces the old one', () => {
    const engine = engineWith(link('a'), link('a', { settings: { delay_ns: MS } }));
    expect(engine.rules(0)).toHaveLength(1);
    expect(engine.settings(0, 1, 0).delayNs).toBe(MS);
  });
});

describe('checkFaultRule', () => {
  test.each<unknown>([
    link('a', { from: 'all', for_ns: 5 }),
    partition([[0, 1], 'rest'], true),
    { kind: 'isolate', id: 'i', for_ns: null, cores: [3] },
    link('skb', { to: [SKB_PEER] }),
  ])('takes %j as it is, also after JSON', (rule) => {
    expect(checkFaultRule(JSON.parse(JSON.stringify(rule)))).toEqual(rule);
  });

  test.each<[unknown, RegExp]>([
    [null, /must be an object/],
    [{ kind: 'toString' }, /unknown kind/],
    [{ kind: { toString: 1 } }, /unknown kind/],
    [{ kind: ['partition'], id: 'a', for_ns: null, groups: [[0], [1]], one_way: false }, /unknown kind/],
    [{ kind: [[[[[[]]]]]] }, /unknown kind/],
    [{ ...link('a'), colour: 1 }, /unknown key colour/],
    [{ ...link(''), id: '' }, /id must be/],
    [link('a', { for_ns: 0 }), /for_ns/],
    [link('a', { from: [] }), /from must be a list/],
    [link('a', { to: [-1] }), /to must be a list/],
    [link('a', { to: [65_534] }), /to must be a list/],
    [{ ...link('a'), both: 'yes' }, /both must be/],
    [{ ...link('a'), settings: { loss: 7 } }, /loss/],
    [partition([[0]]), /two or more/],
    [partition([[0], [0]]), /core 0 is in two groups/],
    [partition(['rest', 'rest']), /only one group/],
    [{ kind: 'isolate', id: 'i', for_ns: null, cores: 'x' }, /cores must be/],
  ])('refuses %j', (rule, error) => {
    expect(checkFaultRule(rule)).toMatch(error);
  });

  test('rules read like commands', () => {
    expect(describeRule(partition([[0, 1], 'rest']))).toBe('partition 0,1 | rest');
    expect(describeRule(link('a', { both: true }))).toBe('link 0 <-> 1 delay_ns=5000000');
  });
});
