import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { describeFault } from '../src/describe-fault.ts';
import { parseLinkSettings } from '../src/fault-plan-rules.ts';
import { parseFaultPlan } from '../src/fault-plan.ts';
import type { FaultAction, FaultPlan } from '../src/fault-plan.ts';

function plan(text: string): FaultPlan {
  const parsed = parseFaultPlan(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

function refusal(text: string): string {
  const parsed = parseFaultPlan(text, 'p.yaml');
  if (parsed.ok) throw new Error(`was taken: ${JSON.stringify(parsed.value)}`);
  expect(parsed.error).toMatch(/^p\.yaml: [^\n]+$/);
  return parsed.error;
}

/** The action of a plan with one fault. */
function action(fault: string): FaultAction {
  return plan(`faults: [{ at: 1s, ${fault} }]`).faults[0]!.action;
}

const DOCUMENTED = `
seed: 42
machine: amd-4x4
workload: { program: churn, args: [--seconds, "20"] }
faults:
  - at: 2s   partition: { groups: [[0,1,2,3], rest] , for: 3s }
  - at: 6s   crash: { core: 5 }
  - at: 8s   restart: { core: 5 }
  - at: 10s  link: { from: 0, to: 7, delay: 20ms, jitter: 5ms, distribution: normal, loss: 1% }
  - at: 14s  heal: all
expect: [invariants, converge]
`;

describe('parseFaultPlan', () => {
  test('the documented plan', () => {
    const link = {
      kind: 'link',
      id: 'plan-3',
      for_ns: null,
      from: [0],
      to: [7],
      both: false,
      settings: { delay_ns: 20e6, jitter_ns: 5e6, distribution: 'normal', loss: 0.01, burst: null },
    };
    const partition = { kind: 'partition', id: 'plan-0', for_ns: 3e9, groups: [[0, 1, 2, 3], 'rest'], one_way: false };
    expect(plan(DOCUMENTED)).toEqual({
      seed: 42,
      machine: 'amd-4x4',
      cores: null,
      latencyNs: null,
      jitterNs: null,
      leaseNs: null,
      workload: { program: 'churn', args: ['--seconds', '20'], on: null },
      faults: [
        { atNs: 2e9, action: { type: 'rule', rule: partition } },
        { atNs: 6e9, action: { type: 'crash', cores: [5] } },
        { atNs: 8e9, action: { type: 'restart', cores: [5] } },
        { atNs: 10e9, action: { type: 'rule', rule: link } },
        { atNs: 14e9, action: { type: 'heal', target: 'all' } },
      ],
      expect: ['invariants', 'converge'],
    });
  });

  test('at and its fault on lines of their own mean the same', () => {
    expect(plan(DOCUMENTED.replace(/^( {2}- at: \S+) +/gm, '$1\n    '))).toEqual(plan(DOCUMENTED));
  });

  test('faults come in order of time, and as written where the times are equal', () => {
    const sorted = plan(
      'faults: [{ at: 2s, crash: { core: 1 } }, { at: 1s, crash: { core: 2 } }, { at: 2s, heal: all }]',
    );
    expect(sorted.faults.map(({ atNs, action: { type } }) => [atNs, type])).toEqual([
      [1e9, 'crash'],
      [2e9, 'crash'],
      [2e9, 'heal'],
    ]);
  });

  test('the top of the file', () => {
    const top = plan(
      '{ seed: lucky, cores: 8, latency: 2ms, jitter: 0.2ms, lease: 2s, workload: { program: w, on: "0,3-4" } }',
    );
    expect(top).toMatchObject({
      seed: 'lucky',
      cores: 8,
      latencyNs: 2e6,
      jitterNs: 2e5,
      leaseNs: 2e9,
      workload: { on: [0, 3, 4] },
    });
  });

  test.each<[string, unknown]>([
    ['crash: { core: "1,4-5" }', { type: 'crash', cores: [1, 4, 5] }],
    ['hang: { core: [3], for: 2s }', { type: 'hang', cores: [3], forNs: 2e9 }],
    ['hang: { core: 3 }, for: 2s', { type: 'hang', cores: [3], forNs: 2e9 }],
    ['slow: { core: 3, factor: 4 }', { type: 'slow', cores: [3], factor: 4, forNs: null }],
    ['rogue: { core: 3, behaviour: flood }', { type: 'rogue', cores: [3], behaviour: 'flood', forNs: null }],
    ['skb_loss: true', { type: 'skb_loss', forNs: null }],
    ['skb_loss: { for: 1s }', { type: 'skb_loss', forNs: 1e9 }],
    ['heal: { rule: x }', { type: 'heal', target: { id: 'x' } }],
    ['heal: { from: 3, to: 7 }', { type: 'heal', target: { from: 3, to: 7 } }],
    [
      'isolate: { core: 3, for: 1s }',
      { type: 'rule', rule: { kind: 'isolate', id: 'plan-0', for_ns: 1e9, cores: [3] } },
    ],
  ])('%s', (fault, expected) => expect(action(fault)).toEqual(expected));

  test('one-way partitions and named rules', () => {
    expect(action('partition: { groups: ["0-3", 4], one_way: true, id: mine }')).toMatchObject({
      rule: { id: 'mine', groups: [[0, 1, 2, 3], [4]], one_way: true },
    });
  });

  test('every setting of a link', () => {
    expect(
      action(`link: { from: all, to: skb, both: true, delay: 1ms, correlation: 25%, duplicate: 1%, reorder: 2%,
      loss: { enter: 1%, leave: 25% }, drop_first: 2, rate: 125kB/s, limit: 100, reset_after: 50ms }`),
    ).toMatchObject({
      rule: {
        from: 'all',
        to: [65_535],
        both: true,
        settings: {
          delay_ns: 1e6,
          correlation: 0.25,
          duplicate: 0.01,
          reorder: 0.02,
          drop_first: 2,
          limit: 100,
          loss: 0,
          burst: { enter: 0.01, leave: 0.25, good: 0, bad: 1 },
          rate_bytes_per_second: 125_000,
          reset_after_ns: 50e6,
        },
      },
    });
    expect(action('link: { from: 0, to: [1, 2], reset_after: 100 }')).toMatchObject({
      rule: { to: [1, 2], settings: { reset_after_frames: 100 } },
    });
  });

  test.each([
    ['sede: 1', /unknown key "sede"; did you mean seed\?/],
    ['faults: [{ at: 1s, partiton: {} }]', /faults\[0\]: unknown key "partiton"; did you mean partition\?/],
    [
      'faults: [{ at: 1s, link: { from: 0, to: 1, dealy: 5ms } }]',
      /faults\[0\]\.link: unknown key "dealy"; did you mean delay\?/,
    ],
    [
      'faults: [{ at: 1s, link: { from: 0, to: 1, loss: { entre: 1%, leave: 1% } } }]',
      /faults\[0\]\.link\.loss: unknown key "entre"; did you mean enter\?/,
    ],
    ['faults: [{ at: 1s, crash: { cores: 5 } }]', /faults\[0\]\.crash: unknown key "cores"; did you mean core\?/],
    ['faults: [{ at: 5, heal: all }]', /faults\[0\]\.at: "5" has no unit; write 5ms/],
    ['faults: [{ at: 1s }]', /faults\[0\]: no fault; write one of partition/],
    ['faults: [{ at: 1s, heal: all, crash: { core: 1 } }]', /faults\[0\]: 2 faults \(crash, heal\)/],
    ['faults: [{ at: 1s, crash: { core: 1 }, for: 1s }]', /for has no meaning here/],
    ['faults: [{ at: 1s, hang: { core: 1, for: 1s }, for: 1s }]', /for is given twice/],
    ['faults: [{ at: 1s, hang: { core: 1, for: 0 } }]', /for must be more than 0/],
    ['faults: [{ at: 1s, crash: { core: -1 } }]', /faults\[0\]\.crash\.core: "-1" is not a core/],
    ['faults: [{ at: 1s, crash: { core: [] } }]', /at least one core/],
    ['faults: [{ at: 1s, partition: { groups: [[0]] } }]', /faults\[0\]\.partition\.groups/],
    ['faults: [{ at: 1s, partition: { groups: [[0], [0]] } }]', /faults\[0\]: partition rule: core 0 is in two groups/],
    ['faults: [{ at: 1s, link: { from: 0, to: 1 } }]', /set at least one of/],
    ['faults: [{ at: 1s, link: { from: 0, to: 1, loss: 0.5 } }]', /loss: "0.5" has no %; write 0.5%/],
    ['faults: [{ at: 1s, link: { from: 0, to: 1, jitter: 5ms, distribution: constant } }]', /constant has no jitter/],
    ['faults: [{ at: 1s, slow: { core: 0, factor: 1 } }]', /slow\.factor/],
    ['expect: [happiness]', /expect\[0\]/],
    ['cores: 0', /cores/],
    ['faults: 3', /faults/],
    ['- 1', /p\.yaml/],
  ])('refuses %s', (text, error) => expect(refusal(text)).toMatch(error));

  test('no text makes it throw', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(() => parseFaultPlan(text)).not.toThrow();
      }),
    );
    fc.assert(
      fc.property(fc.json(), (json) => {
        const text = `{ "faults": [{ "at": "1s", "link": ${json} }] }`;
        expect(() => parseFaultPlan(text)).not.toThrow();
      }),
    );
  });
});

describe('parseLinkSettings', () => {
  test('options of a command line', () => {
    expect(parseLinkSettings({ delay: '20ms', loss: '1%', reset_after: '100' })).toEqual({
      ok: true,
      value: { delay_ns: 20e6, loss: 0.01, burst: null, reset_after_frames: 100 },
    });
    const error = 'delay: "20" has no unit; write 20ms, 20us or 20s';
    expect(parseLinkSettings({ delay: '20' })).toEqual({ ok: false, error });
  });
});

test('what 0 takes away is called so: a rate of 0 stops nothing', () => {
  const settings = { rate_bytes_per_second: 0, limit: 0, reset_after_ns: 0, reset_after_frames: 0, loss: 0 };
  const rule = { kind: 'link', from: [0], to: [1], both_ways: false, settings } as unknown as Parameters<
    typeof describeFault
  >[0];
  expect(describeFault(rule)).toMatch(/ at any rate, no limit, no resets by age, no resets by frames, loss 0 %$/);
});
