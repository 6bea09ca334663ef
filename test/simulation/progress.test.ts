import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MILLISECOND, type Nanos, SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import type { LinkOverrides } from '@mk/monitor-proto/link/link-settings';
import type { ControlReply } from '@mk/monitor-proto/step';
import { Simulation } from '@mk/sim/engine/simulation';
import { flatMachine } from '@mk/sim/engine/machines';
import { hmacSha256 } from '@mk/sim/io/hmac';

const MESSAGES = 400;
/** Far longer than the slowest of the faults below needs; a starving link would take for ever. */
const PATIENCE: Nanos = 3600 * SECOND;

function booted(seed: number): Simulation {
  const machine = flatMachine();
  const simulation = new Simulation({ seed, cores: 2, machine, hmac: hmacSha256, logLevel: 'error', hash: false });
  simulation.start();
  expect(simulation.run(SECOND, () => simulation.node(SKB_PEER).skb?.registry.meshComplete ?? false)).toBe(true);
  return simulation;
}

function begin(simulation: Simulation, verb: string, args: Record<string, unknown>): () => ControlReply | null {
  let answer: ControlReply | null = null;
  simulation.control(0, verb, args, (reply) => (answer = reply));
  return () => answer;
}

/** Floods core 1 from core 0 under the rule; the result. */
function flooded(settings: LinkOverrides, both: boolean, slowdown: number, seed: number): ControlReply | null {
  const simulation = booted(seed);
  simulation.faults.add({ kind: 'link', id: 'f', for_ns: null, from: [0], to: [1], both, settings }, simulation.now);
  for (const core of [0, 1]) simulation.slow(core, slowdown);
  const answer = begin(simulation, 'flood', { core: 1, count: MESSAGES, bytes: 64 });
  simulation.run(simulation.now + PATIENCE, () => answer() !== null);
  return answer();
}

const WHOLE = { sent: MESSAGES, received: MESSAGES, lost: 0, doubled: 0, reordered: 0 };

describe('traffic makes progress under every rule that lets a round trip through now and then', () => {
  test('over a link that is reset every 50 ms while both ends are slow', () => {
    for (const slowdown of [1, 100, 1000])
      expect(flooded({ reset_after_ns: 50 * MILLISECOND }, true, slowdown, 1)).toMatchObject({
        ok: true,
        value: WHOLE,
      });
  });

  test('over a link that is reset sooner than a frame needs to cross it', () => {
    const settings = { delay_ns: 300 * MILLISECOND, reset_after_ns: 50 * MILLISECOND };
    for (const both of [true, false]) expect(flooded(settings, both, 1, 2)).toMatchObject({ ok: true, value: WHOLE });
  });

  test('over a link that every second frame resets, or of which most openings are', () => {
    for (const settings of [{ reset_after_frames: 2 }, { reset_opening: 0.7 }])
      expect(flooded(settings, true, 1, 3)).toMatchObject({ ok: true, value: WHOLE });
  });

  test('whatever is combined', () => {
    const ms = (most: number) => fc.integer({ min: 1, max: most }).map((value) => value * MILLISECOND);
    const ratio = (most: number) => fc.integer({ min: 1, max: most }).map((percent) => percent / 100);
    const settings = fc.record(
      {
        delay_ns: ms(400),
        jitter_ns: ms(200),
        distribution: fc.constantFrom('uniform' as const, 'normal' as const, 'pareto' as const),
        correlation: ratio(90),
        loss: ratio(40),
        burst: fc.constant({ enter: 0.1, leave: 0.3, good: 0, bad: 0.8 }),
        drop_first: fc.integer({ min: 1, max: 20 }),
        duplicate: ratio(50),
        reorder: ratio(50),
        rate_bytes_per_second: fc.integer({ min: 20_000, max: 1_000_000 }),
        limit: fc.integer({ min: 1, max: 100 }),
        reset_after_ns: ms(500),
        reset_after_frames: fc.integer({ min: 2, max: 30 }),
        reset_opening: ratio(40),
      },
      { requiredKeys: [] },
    );
    const faults = settings.filter((chosen) => Object.keys(chosen).length > 0);
    fc.assert(
      fc.property(faults, fc.boolean(), fc.constantFrom(1, 100), fc.nat(1000), (chosen, both, slowdown, seed) => {
        expect(flooded(chosen, both, slowdown, seed)).toMatchObject({ ok: true, value: WHOLE });
      }),
      { numRuns: Number(process.env['MK_PROGRESS_RUNS'] ?? 40), seed: Number(process.env['MK_PROGRESS_SEED'] ?? 1) },
    );
  });
});

describe('heal is now', () => {
  test.each([
    ['a delay of ten minutes', { delay_ns: 600 * SECOND }],
    ['a rate of 100 bytes a second', { rate_bytes_per_second: 100 }],
    [
      'both, and everything lost, doubled and out of order',
      { delay_ns: 600 * SECOND, rate_bytes_per_second: 100, duplicate: 0.5, reorder: 0.5, loss: 0.5 },
    ],
  ])('after %s a link carries at once what waited, in order, and what comes', (_what, settings) => {
    const simulation = booted(4);
    const rule = { kind: 'link', id: 'f', for_ns: null, from: [0], to: [1], both: true, settings } as const;
    simulation.faults.add(rule, simulation.now);
    const flood = begin(simulation, 'flood', { core: 1, count: MESSAGES, bytes: 64 });
    simulation.run(simulation.now + 60 * SECOND);
    expect(flood()).toBeNull();
    simulation.faults.heal({ id: 'f' }, simulation.now);
    const ping = begin(simulation, 'ping', { core: 1, count: 1 });
    simulation.run(simulation.now + SECOND);
    expect(ping()).toMatchObject({ ok: true });
    expect(flood()).toMatchObject({ ok: true, value: WHOLE });
  });

  test('and so is the end of a rule that runs out, though nobody sends anything then', () => {
    const simulation = booted(5);
    const settings = { delay_ns: 600 * SECOND };
    const rule = { kind: 'link', id: 'f', for_ns: 5 * SECOND, from: [0], to: [1], both: true, settings } as const;
    simulation.faults.add(rule, simulation.now);
    const ping = begin(simulation, 'ping', { core: 1, count: 1 });
    simulation.run(simulation.now + 4 * SECOND);
    expect(ping()).toBeNull();
    simulation.run(simulation.now + 3 * SECOND);
    expect(ping()).toMatchObject({ ok: true });
  });
});
