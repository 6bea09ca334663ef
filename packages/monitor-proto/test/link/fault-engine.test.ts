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
    engine.remove('b');
    expect(engine.settings(0, 1, 0).delayNs).toBe(2 * MS);
    engine.remove('a');
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

  test('counters tell what every rule did', () => {
    const unused = link('unused', { from: [8], to: [9] });
    const engine = engineWith(link('slow', { to: 'all' }), unused, partition([[0], [5]]));
    for (const to of [1, 1, 2, 5]) engine.verdict(0, to, 0, 64);
    const rows = engine.rules(0).map(({ rule, counters: c }) => [rule.id, [c.frames, c.delayed, c.dropped]]);
    expect(Object.fromEntries(rows)).toEqual({ slow: [3, 3, 0], unused: [0, 0, 0], cut: [1, 0, 1] });
  });

  test('heal all, by id, and by pair', () => {
    const engine = engineWith(link('a'), link('b', { from: 'all', to: 'all' }), partition([[0], [1]]));
    expect(engine.heal({ from: 1, to: 0 })).toEqual(['a', 'b', 'cut']);
    expect(engine.verdict(0, 1, 0, 64)).toBe(PASS);
    expect(engine.settings(0, 2, 0).delayNs).toBe(5 * MS);
    expect(engine.rules(0).map(({ rule, healedPairs }) => [rule.id, healedPairs])).toEqual([
      ['b', 2],
      ['cut', 2],
    ]);
    expect(engine.heal({ id: 'b' })).toEqual(['b']);
    expect(engine.heal({ id: 'b' })).toEqual([]);
    expect(engine.heal('all')).toEqual(['cut']);
    expect(engine.rules(0)).toEqual([]);
  });

  test('frames sent after a heal do not overtake those under way', () => {
    const engine = engineWith(link('a'));
    engine.verdict(0, 1, 0, 64);
    engine.heal('all');
    expect(engine.verdict(0, 1, MS, 64)).toEqual({ kind: 'deliver_after', delayNs: 4 * MS });
    expect(engine.verdict(0, 1, 6 * MS, 64)).toBe(PASS);
  });

  test('F4: a pair’s choices do not depend on other traffic', () => {
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
