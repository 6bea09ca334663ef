import { describe, expect, test } from '@jest/globals';
import { known } from '@mk/monitor-proto/assert';
import { MILLISECOND, SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import { decodeFrame } from '@mk/monitor-proto/urpc/frame-codec';
import { FRAME } from '@mk/monitor-proto/urpc/frames';
import { codecOfWire } from '@mk/monitor-proto/messages/codec';
import { hmacSha256 } from '@mk/sim/io/hmac';
import { fastMac } from '@mk/sim/engine/fast-mac';
import { flatMachine } from '@mk/sim/engine/machines';
import { Simulation } from '@mk/sim/engine/simulation';
import type { Measured } from '@mk/skb/topology/measurement';
import { measuringTasks, sampledTasks } from '@mk/skb/topology/measuring-tasks';
import { RoundTrips, typicalLatencies } from '@mk/skb/topology/round-trips';

/**
 * A cluster that has measured itself: messages and volleys sent, by type, and when frames without any were sent over links
 * of the SKB.
 */
function measuredCluster(cores: number): {
  readonly simulation: Simulation;
  readonly counts: Map<string, number>;
  readonly bare: number[];
} {
  const simulation = new Simulation({
    seed: 1,
    cores,
    machine: flatMachine(2),
    hmac: hmacSha256,
    logLevel: 'off',
    measure: true,
    hash: false,
    startPauseNs: 130 * MILLISECOND,
  });
  const counts = new Map<string, number>();
  const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
  const bare: number[] = [];
  simulation.observe({
    frame: (from, to, at, bytes) => {
      const frame = decodeFrame(bytes);
      if (typeof frame === 'string') return;
      if (frame.kind === FRAME.volley) count('volley');
      if (frame.kind !== FRAME.data) return;
      if (frame.batches.length === 0 && [from.id, to.id].includes(SKB_PEER)) bare.push(at);
      for (const wire of frame.batches.flatMap(({ messages }) => messages)) {
        const codec = codecOfWire(wire);
        count(typeof codec === 'string' ? codec : codec.type);
      }
    },
  });
  simulation.start();
  const trips = simulation.nodes.get(SKB_PEER)!;
  const pairs = (): number => [...(trips.skb?.measurement.trips.entries() ?? [])].length;
  simulation.run(30 * SECOND, () => pairs() === cores * (cores - 1) && !trips.skb!.measurement.running);
  return { simulation, counts, bare };
}

describe('online measurement', () => {
  test.each([2, 5, 40])(
    'of %i cores: a fact for each pair and direction, each pair by a rally from each end of few cores, by one of many',
    (cores) => {
      const { simulation, counts } = measuredCluster(cores);
      const trips = [...simulation.nodes.get(SKB_PEER)!.skb!.measurement.trips.entries()];
      expect(trips).toHaveLength(cores * (cores - 1));
      const oneWay = flatMachine(2).latencyNs(0, 1);
      for (const [from, to, { min, average, max }] of trips) {
        expect(from).not.toBe(to);
        expect(min).toBeGreaterThanOrEqual(2 * oneWay);
        expect(max).toBeLessThan(2 * oneWay + MILLISECOND);
        expect(average).toBeGreaterThanOrEqual(min);
      }
      const pairs = (cores * (cores - 1)) / 2;
      expect(counts.get('volley')! / pairs).toBe(cores > 32 ? 2 + 2 * 2 : 2 * (2 + 2 * 5));
    },
  );

  test('gets all pairs over links that lose, double and reorder what they carry, and leaves nothing', () => {
    const cores = 6;
    const { simulation } = measuredCluster(cores);
    const { measurement } = simulation.node(SKB_PEER).skb!;
    const oneWay = flatMachine(2).latencyNs(0, 1);
    simulation.faults.add(
      {
        kind: 'link',
        id: 'bad',
        from: 'all',
        to: 'all',
        both: true,
        settings: { loss: 0.1, duplicate: 0.2, reorder: 0.2, jitter_ns: MILLISECOND },
        for_ns: null,
      },
      simulation.now,
    );
    const before = new Set([...measurement.trips.entries()].map(([, , trip]) => trip));
    let measured = false;
    measurement.start(simulation.now, () => (measured = true));
    expect(simulation.run(simulation.now + 60 * SECOND, () => measured)).toBe(true);
    expect(
      [...measurement.trips.entries()].filter(([, , trip]) => !before.has(trip) && trip.min >= 2 * oneWay),
    ).toHaveLength(cores * (cores - 1));
    expect(
      [...simulation.nodes.values()].filter(({ kernel }) => (kernel?.services.probes.rally.size ?? 0) > 0),
    ).toEqual([]);
  });

  test('of a link that changed is told as all links are measured: by volleys, in both directions, and back when it heals', () => {
    const { simulation, counts } = measuredCluster(3);
    const { trips } = simulation.node(SKB_PEER).skb!.measurement;
    const calm = trips.get(0, 1)!.min;
    const pings = counts.get('ping_request') ?? 0;
    const look = (): void => {
      // Both ends at the same moment, as with a rule for both directions.
      for (const [core, other] of [
        [0, 1],
        [1, 0],
      ] as const) {
        simulation.node(core).kernel!.services.probes.drift.look([other], simulation.now);
        simulation.control(core, 'status', {}, () => undefined);
      }
    };
    simulation.faults.add(
      {
        kind: 'link',
        id: 'slow',
        from: [0],
        to: [1],
        both: true,
        settings: { delay_ns: 5 * MILLISECOND },
        for_ns: null,
      },
      simulation.now,
    );
    look();
    expect(
      simulation.run(
        simulation.now + SECOND,
        () => trips.get(0, 1)!.min >= 10 * MILLISECOND && trips.get(1, 0)!.min >= 10 * MILLISECOND,
      ),
    ).toBe(true);
    simulation.faults.heal({ id: 'slow' }, simulation.now);
    look();
    expect(simulation.run(simulation.now + SECOND, () => trips.get(0, 1)!.min <= 1.2 * calm)).toBe(true);
    expect(counts.get('ping_request') ?? 0).toBe(pings);
  });

  test.each([
    ['the SKB was kept waiting', [SKB_PEER]],
    ['half the cores were kept waiting', [3, 4, 5]],
    ['all of them were', [SKB_PEER, 0, 1, 2, 3, 4, 5]],
  ])('gets all pairs of a busy host, where %s for three seconds', (_what, held) => {
    const cores = 6;
    const { simulation } = measuredCluster(cores);
    const { measurement } = simulation.node(SKB_PEER).skb!;
    let result: Measured | null = null;
    measurement.start(simulation.now, (measured) => (result = measured));
    simulation.run(simulation.now + 10 * MILLISECOND);
    for (const peer of held) simulation.hang(peer);
    simulation.run(simulation.now + 3 * SECOND);
    for (const peer of held) simulation.resume(peer);
    expect(simulation.run(simulation.now + 60 * SECOND, () => result !== null)).toBe(true);
    const { trips, silent } = known(result as Measured | null);
    expect(silent).toEqual([]);
    expect([...trips.entries()]).toHaveLength(cores * (cores - 1));
  });

  test('names a core that stays silent, and measures everything else', () => {
    const cores = 6;
    const { simulation } = measuredCluster(cores);
    const { measurement } = simulation.node(SKB_PEER).skb!;
    simulation.hang(4);
    simulation.run(simulation.now + 3 * SECOND);
    let result: Measured | null = null;
    const began = simulation.now;
    measurement.start(began, (measured) => (result = measured));
    expect(simulation.run(began + 60 * SECOND, () => result !== null)).toBe(true);
    const { trips, silent } = known(result as Measured | null);
    expect(silent).toEqual([4]);
    expect([...trips.entries()]).toHaveLength((cores - 1) * (cores - 2));
    expect(simulation.now - began).toBeLessThan(10 * SECOND);
    expect(measurement.running).toBe(false);
  });

  test('of two measurements of a pair the better one counts, and neither outlives the next measurement', () => {
    const { simulation } = measuredCluster(3);
    const { measurement } = simulation.nodes.get(SKB_PEER)!.skb!;
    const report = (min: number): void =>
      measurement.report(
        1,
        {
          type: 'measure_report',
          batch: 0,
          from: [1, 2],
          to: [2, 1],
          averages: [min, min],
          variances: [0, 0],
          minima: [min, min],
          maxima: [min, min],
        },
        simulation.now,
      );
    const shortest = (): number => measurement.trips.get(2, 1)!.min;
    measurement.start(simulation.now);
    report(9e9);
    report(3e9);
    report(5e9);
    expect(shortest()).toBe(3e9);
    measurement.start(simulation.now);
    report(8e9);
    expect(shortest()).toBe(8e9);
  });

  test('the tasks cover every pair once, whatever ids the cores have', () => {
    const ids = Array.from({ length: 31 }, (_, i) => 3 * i + 1).reverse();
    const pairs = (fromEachEnd: boolean): string[] =>
      measuringTasks(ids, fromEachEnd).flatMap(({ core, others }) => others.map((other) => `${core} ${other}`));
    const once = pairs(false);
    expect(new Set(once).size).toBe(once.length);
    expect(once).toHaveLength((31 * 30) / 2);
    expect(once.every((pair) => Number(pair.split(' ')[0]) < Number(pair.split(' ')[1]))).toBe(true);
    const twice = pairs(true);
    expect(new Set(twice).size).toBe(twice.length);
    expect(twice).toHaveLength(31 * 30);
    expect(twice.every((pair) => new Set(pair.split(' ')).size === 2)).toBe(true);
    expect(measuringTasks([7], true)).toEqual([]);
  });

  test('a sample has some pairs of each core and each relation, each once', () => {
    const ids = Array.from({ length: 90 }, (_, i) => 2 * i);
    const relationOf = (a: number, b: number): string => `${a >> 3 === b >> 3}`;
    const tasks = sampledTasks(ids, relationOf, 4);
    const pairs = tasks.flatMap(({ core, others }) => others.map((other) => [core, other].sort((a, b) => a - b)));
    expect(new Set(pairs.map(String)).size).toBe(pairs.length);
    expect(pairs.length).toBeLessThanOrEqual(ids.length * (3 + 4));
    for (const core of ids) {
      const near = pairs.filter((pair) => pair.includes(core) && relationOf(pair[0]!, pair[1]!) === 'true').length;
      const all = pairs.filter((pair) => pair.includes(core)).length;
      expect(near).toBe(core >= 176 ? 1 : 3); // the last package has two cores
      expect(all - near).toBeGreaterThanOrEqual(4);
    }
  });

  test('the median of a relation stands for its pairs that were not measured', () => {
    const trips = new RoundTrips();
    for (const [to, min] of [20, 1000, 30].entries())
      trips.set(0, to + 1, { average: min, variance: 0, min, max: min });
    expect([...typicalLatencies(trips, (_from, to) => (to > 3 ? 'far' : 'near'))]).toEqual([['near', 15]]);
  });

  test('of more than 64 cores takes a sample, opens no other link, and every pair when it is asked', () => {
    const cores = 70;
    const simulation = new Simulation({
      seed: 1,
      cores,
      machine: flatMachine(2),
      hmac: fastMac,
      logLevel: 'off',
      measure: true,
      hash: false,
    });
    const { measurement } = (simulation.start(), simulation.node(SKB_PEER).skb!);
    const pairs = (): number => [...measurement.trips.entries()].length;
    expect(simulation.run(60 * SECOND, () => pairs() > 0 && !measurement.running)).toBe(true);
    expect(pairs()).toBeGreaterThanOrEqual(cores * 4);
    expect(pairs()).toBeLessThan((cores * (cores - 1)) / 2);
    expect(simulation.network.counters.linksOpened).toBeLessThan((cores * (cores - 1)) / 2);
    let measured = false;
    measurement.start(simulation.now, () => (measured = true));
    expect(simulation.run(simulation.now + 60 * SECOND, () => measured)).toBe(true);
    expect(pairs()).toBe(cores * (cores - 1));
  });
});

describe('heartbeats', () => {
  test('are one frame a silent link of the SKB and direction, asked for no answer, and all at the same moment', () => {
    const cores = 4;
    const { simulation, bare } = measuredCluster(cores);
    simulation.run((Math.ceil(simulation.now / SECOND) + 3.5) * SECOND);
    bare.length = 0;
    const beats = 10;
    simulation.run(simulation.now + beats * SECOND);
    expect(bare).toHaveLength(2 * cores * beats);
    expect(new Set(bare.map((at) => Math.floor(at / (10 * MILLISECOND)))).size).toBe(beats);
  });
});
