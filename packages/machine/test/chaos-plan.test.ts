import { expect, test } from '@jest/globals';
import { SECOND } from '@mk/monitor-proto/ids';
import { chaosPlan, type ChaosOptions, chaosWords } from '@mk/machine/chaos-plan';
import { type FaultPlan, parseFaultPlan } from '@mk/machine/fault-plan';

const OPTIONS: ChaosOptions = { seed: 42, cores: 8, forNs: 60 * SECOND };

function planOf(options: ChaosOptions): FaultPlan {
  const parsed = parseFaultPlan(chaosPlan(options));
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

test('a seed is a plan: the same text again, another text for another seed', () => {
  expect(chaosPlan(OPTIONS)).toBe(chaosPlan({ ...OPTIONS, seed: '42' }));
  expect(chaosPlan(OPTIONS)).not.toBe(chaosPlan({ ...OPTIONS, seed: 43 }));
});

test('a seed of any characters makes a plan, and a command that a shell reads', () => {
  const odd = { ...OPTIONS, seed: "it's\na seed" };
  expect(planOf(odd)).toMatchObject({ seed: odd.seed, cores: 8 });
  expect(chaosWords(odd)).toBe(`--seed 'it'\\''s\na seed' --for 60s`);
});

test('what a plan does to cores leaves a majority, undoes itself, and ends with a heal', () => {
  for (let seed = 0; seed < 20; seed += 1) {
    const cores = 2 + (seed % 15);
    const { faults, expect: expected } = planOf({ seed, cores, forNs: 30 * SECOND });
    const crashed = new Set<number>();
    const absent = new Map<number, number>();
    for (const { atNs, action } of faults) {
      for (const [core, untilNs] of absent) if (untilNs <= atNs) absent.delete(core);
      if (action.type === 'crash') action.cores.forEach((core) => crashed.add(core) && absent.set(core, Infinity));
      if (action.type === 'restart')
        for (const core of action.cores) {
          expect([seed, core, crashed.delete(core)]).toEqual([seed, core, true]);
          absent.delete(core);
        }
      if (action.type === 'hang') action.cores.forEach((core) => absent.set(core, atNs + action.forNs!));
      if (action.type === 'rule') expect([seed, action.rule.for_ns === null]).toEqual([seed, false]);
      expect([seed, 2 * absent.size < Math.max(cores, 3)]).toEqual([seed, true]);
    }
    expect(crashed.size).toBe(0);
    expect(faults.at(-1)).toEqual({ atNs: 30 * SECOND, action: { type: 'heal', target: 'all' } });
    expect(expected).toEqual(['workload', 'invariants', 'converge']);
  }
});

test('weights choose the kinds', () => {
  const kinds = (weights: ChaosOptions['weights']): Set<string> =>
    new Set(planOf({ ...OPTIONS, ...(weights && { weights }) }).faults.map(({ action }) => action.type));
  expect([...kinds(undefined)].sort()).toEqual(['crash', 'hang', 'heal', 'restart', 'rule', 'skb_loss', 'slow']);
  const none = {
    slow: 0,
    partition: 0,
    one_way: 0,
    isolate: 0,
    loss: 0,
    bad_network: 0,
    reset: 0,
    skb_loss: 0,
    hang: 0,
  };
  expect([...kinds(none)].sort()).toEqual(['crash', 'heal', 'restart']);
  expect([...kinds({ ...none, crash: 0 })]).toEqual(['heal']);
});

test('a cluster of one has nothing to lose', () => {
  expect(planOf({ ...OPTIONS, cores: 1 }).faults).toHaveLength(1);
});
