import { describe, expect, test } from '@jest/globals';
import { MILLISECOND, SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import type { ControlReply } from '@mk/monitor-proto/step';
import type { CostModel } from '@mk/sim/engine/costs';
import type { FaultRule } from '@mk/monitor-proto/link/fault-rule';
import { hmacSha256 } from '@mk/sim/io/hmac';
import { flatMachine } from '@mk/sim/engine/machines';
import { Checks } from '@mk/sim/checkers/registry';
import { scenarioOf } from '@mk/sim/nemesis/nemesis';
import { shrink } from '@mk/sim/nemesis/shrink';
import { Simulation } from '@mk/sim/engine/simulation';
import type { SimulationOptions } from '@mk/sim/engine/simulation-options';
import type { SimLogLine } from '@mk/sim/engine/sim-log';

function booted(options: Partial<SimulationOptions> = {}): Simulation {
  const simulation = new Simulation({
    seed: 1,
    cores: 3,
    machine: flatMachine(),
    hmac: hmacSha256,
    logLevel: 'debug',
    ...options,
  });
  simulation.start();
  expect(simulation.run(SECOND, () => simulation.node(SKB_PEER).skb?.registry.meshComplete ?? false)).toBe(true);
  simulation.run(simulation.now + 50 * MILLISECOND);
  return simulation;
}

function ask(
  simulation: Simulation,
  core: number,
  verb: string,
  args: Readonly<Record<string, unknown>>,
): ControlReply {
  let answer: ControlReply | null = null;
  simulation.control(core, verb, args, (reply) => (answer = reply));
  simulation.run(simulation.now + 60 * SECOND, () => answer !== null);
  return answer!;
}

describe('the cost model', () => {
  /** 10 µs to send, 5 µs to receive, 100 µs in flight. */
  const COSTS: CostModel = { latencyNs: () => 100_000, sendNs: () => 10_000, receiveNs: () => 5_000, eventNs: 0 };

  test('a round trip is twice send, latency and receive', () => {
    const reply = ask(booted({ costs: COSTS }), 0, 'ping', { core: 1, count: 1 });
    expect(reply).toMatchObject({ ok: true, value: { p50: 230_000 } });
  });

  test('fan-out occupies the sender: each further core adds one send', () => {
    const [three, five] = [3, 5].map(
      (cores) =>
        ask(booted({ costs: COSTS, cores }), 0, 'round', { plan: 'unicast' }) as Extract<ControlReply, { ok: true }>,
    );
    expect((five!.value as { p50: number }).p50 - (three!.value as { p50: number }).p50).toBe(20_000);
  });

  test('queues form: answers that come together are received one after the other', () => {
    const slow: CostModel = { ...COSTS, receiveNs: () => 50_000 };
    const [three, five] = [3, 5].map(
      (cores) =>
        ask(booted({ costs: slow, cores }), 0, 'round', { plan: 'unicast' }) as Extract<ControlReply, { ok: true }>,
    );
    expect((five!.value as { p50: number }).p50 - (three!.value as { p50: number }).p50).toBe(100_000);
  });

  test('a slowed core takes longer by its factor', () => {
    const simulation = booted({ costs: COSTS });
    simulation.slow(1, 10);
    expect(ask(simulation, 0, 'ping', { core: 1, count: 1 })).toMatchObject({ value: { p50: 115_000 + 250_000 } });
  });
});

describe('faults of processes', () => {
  test('a stopped core answers when it goes on, and believes that no time has passed', () => {
    const simulation = booted();
    simulation.hang(1);
    simulation.call(simulation.now + 3 * SECOND, () => simulation.resume(1));
    const { value } = ask(simulation, 0, 'ping', { core: 1, count: 1 }) as Extract<ControlReply, { ok: true }>;
    expect((value as { p50: number }).p50).toBeGreaterThanOrEqual(3 * SECOND);
  });

  test('a request to a core that dies is answered, not forgotten', () => {
    const simulation = booted();
    simulation.hang(1);
    let answer: ControlReply | null = null;
    simulation.control(1, 'status', {}, (reply) => (answer = reply));
    simulation.crash(1);
    expect(answer).toMatchObject({ ok: false, error: 'PEER_GONE' });
    expect(ask(simulation, 1, 'status', {})).toMatchObject({ ok: false, error: 'PEER_GONE' });
  });
});

describe('log lines', () => {
  test('are those of a real process: gap-free seq, rising Lamport time, virtual time', () => {
    const lines: SimLogLine[] = [];
    const simulation = new Simulation({
      seed: 1,
      cores: 3,
      machine: flatMachine(),
      hmac: hmacSha256,
      logLevel: 'debug',
    });
    simulation.observe({ line: (line) => void lines.push(line) });
    simulation.start();
    simulation.run(2 * SECOND);
    for (const core of [0, 1, 2, 'skb']) {
      const own = lines.filter((line) => line.core === core);
      expect(own.map((line) => line.seq)).toEqual(own.map((_, i) => i + 1));
      expect(
        own.every((line, i) => i === 0 || (line.lamport > own[i - 1]!.lamport && line.time >= own[i - 1]!.time)),
      ).toBe(true);
    }
  });
});

describe('events handled in a row', () => {
  /** No two frames reach one core at the same instant, since their order is not promised. */
  const COSTS: CostModel = {
    latencyNs: (from, to) => 1_000 + ((from * 7_919 + to * 104_729) % 997) * Math.SQRT2,
    sendNs: () => 201.7,
    receiveNs: () => 203.1,
    eventNs: 0,
  };

  const CUT: FaultRule = {
    id: 'cut',
    kind: 'partition',
    groups: [[1, 2, 3, 4], 'rest'],
    one_way: false,
    for_ns: 8_000,
  };

  /**
   * Each node's own lines, from a machine whose cores all boot at once, are asked for rounds, hung, slowed and killed.
   */
  function linesOf(row: number): ReadonlyMap<unknown, readonly SimLogLine[]> {
    const lines = new Map<unknown, SimLogLine[]>();
    const simulation = new Simulation({
      seed: 1,
      cores: 24,
      machine: flatMachine(),
      hmac: hmacSha256,
      logLevel: 'debug',
      costs: COSTS,
      row,
    });
    simulation.observe({
      line: (line) => void (lines.get(line.core) ?? lines.set(line.core, []).get(line.core)!).push(line),
    });
    simulation.start();
    simulation.run(SECOND);
    const at = simulation.now;
    for (let core = 0; core < 24; core++)
      simulation.control(core, 'round', { plan: 'unicast', phases: 2, count: 5 }, () => undefined);
    simulation.call(at + 20_300, () => simulation.hang(5));
    simulation.call(at + 30_700, () => simulation.crash(7));
    simulation.call(at + 41_100, () => simulation.slow(9, 3));
    simulation.call(at + SECOND, () => simulation.resume(5));
    simulation.call(at + 10_100, () => simulation.faults.add(CUT, simulation.now));
    simulation.run(at + 40 * SECOND);
    return lines;
  }

  test('are what each core would have seen one at a time', () => {
    const single = linesOf(1);
    expect(single.size).toBe(25);
    expect([...single.values()].flat().length).toBeGreaterThan(5_000);
    const inRows = linesOf(32);
    for (const [node, lines] of single) expect([node, inRows.get(node)]).toEqual([node, lines]);
  });

  test('do not pass what interferes from outside', () => {
    const simulation = booted({ cores: 8 });
    const at = simulation.now + 3_000;
    for (let core = 0; core < 8; core++)
      simulation.control(core, 'round', { plan: 'unicast', count: 3 }, () => undefined);
    const late: number[] = [];
    simulation.observe({
      step: (node, _event, startedAt) => void (node.id === 0 && startedAt > at && late.push(startedAt)),
    });
    simulation.call(at, () => simulation.crash(0));
    simulation.run(simulation.now + SECOND);
    expect(late).toEqual([]);
  });
});

test('a core of a machine that is introduced in blocks is ready once, when it is bound to all', () => {
  const ready: unknown[] = [];
  const simulation = new Simulation({ seed: 1, cores: 40, machine: flatMachine(), hmac: hmacSha256, logLevel: 'info' });
  simulation.observe({ line: (line) => void (line.event === 'core_ready' && ready.push(line['links'])) });
  simulation.start();
  simulation.run(SECOND);
  expect(ready).toEqual(Array(40).fill(39));
});

describe('the checker of membership', () => {
  test('sees a core live whose incarnation another one has given up', () => {
    const simulation = new Simulation({
      seed: 1,
      cores: 3,
      machine: flatMachine(),
      hmac: hmacSha256,
      logLevel: 'debug',
    });
    const checks = new Checks(simulation);
    simulation.start();
    simulation.run(SECOND);
    checks.atEnd();
    expect(checks.violations).toEqual([]);
    (
      simulation.node(0).kernel!.services.membership.join as unknown as { readonly givenUp: Map<number, number> }
    ).givenUp.set(1, 1);
    checks.atEnd();
    expect(checks.violations).toMatchObject([{ invariant: 'R4', text: 'core 0 has given up 1.1, which lives' }]);
  });
});

describe('shrinking', () => {
  test('keeps just what the failure needs', () => {
    const scenario = scenarioOf(9);
    const [needed] = scenario.faults.slice(3);
    const request = scenario.load[5]!;
    const result = shrink(scenario, ({ faults, load }) => faults.includes(needed!) && load.includes(request));
    expect(result.scenario.faults).toEqual([needed]);
    expect(result.scenario.load).toEqual([request]);
    expect(result.runs).toBeLessThan(200);
  });
});
