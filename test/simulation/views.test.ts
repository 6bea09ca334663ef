/* Membership by agreement on whole kernels: what a view that loses or gains cores means for all the others. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { MILLISECOND, type Nanos, SECOND } from '@mk/monitor-proto/ids';
import type { ControlReply } from '@mk/monitor-proto/step';
import { flatMachine } from '@mk/sim/engine/machines';
import { livingCores, Simulation } from '@mk/sim/engine/simulation';
import { fastMac } from '@mk/sim/engine/fast-mac';
import { quickSimulation } from '../support/quick-simulation.ts';

const LEASE: Nanos = 1500 * MILLISECOND;
const CORES = 5;

let simulation: Simulation;
/** Views by number, in the versions that cores installed. */
let views: Map<number, Set<string>>;

function boot(cores: number, options: { readonly reapNs?: Nanos; readonly expected?: number } = {}): void {
  views = new Map();
  simulation = new Simulation({
    seed: 1,
    cores,
    machine: flatMachine(),
    hmac: fastMac,
    logLevel: 'info',
    hash: false,
    leaseMs: LEASE / MILLISECOND,
    ...(options.reapNs === undefined ? {} : { reapNs: options.reapNs }),
  });
  simulation.observe({
    line: (line) => {
      if (line.event !== 'view_installed') return;
      const view = Number(line['view']);
      if (!views.has(view)) views.set(view, new Set());
      views.get(view)!.add(JSON.stringify(line['members']));
    },
  });
  simulation.start();
  until(() => livingCores(simulation).every((core) => membersOf(core).length === cores));
}

function until(condition: () => boolean, limit: Nanos = 30 * SECOND): Nanos {
  const begin = simulation.now;
  while (!condition()) {
    if (simulation.now - begin > limit) throw new Error(`not within ${limit / SECOND} s`);
    simulation.run(simulation.now + 5 * MILLISECOND);
  }
  return simulation.now - begin;
}

/** The members of that core's view, including itself if it is one. */
function membersOf(core: number): readonly number[] {
  const { kernel } = simulation.node(core);
  const view = kernel?.services.views.agreement?.view ?? null;
  return view === null ? [] : view.members.map((member) => member.core);
}

function isFenced(core: number): boolean {
  return simulation.node(core).kernel?.monitor.context.fenced ?? true;
}

function ask(core: number, verb: string, args: Readonly<Record<string, unknown>> = {}): ControlReply {
  let answer: ControlReply | null = null;
  simulation.control(core, verb, args, (reply) => (answer = reply));
  until(() => answer !== null);
  return answer!;
}

function expectOneSequence(): void {
  for (const [number, seen] of views) expect([number, seen.size]).toEqual([number, 1]);
}

describe('a machine of five cores', () => {
  beforeEach(() => boot(CORES));

  test('a core whose process was reaped is gone from the view within 0.3 s, and rounds go on without it', () => {
    simulation.crash(3);
    expect(until(() => [0, 1, 2, 4].every((core) => !membersOf(core).includes(3)))).toBeLessThan(0.3 * SECOND);
    expect(ask(1, 'round')).toMatchObject({ ok: true, value: { cores: 4 } });
    simulation.startNode(3);
    until(() => [0, 1, 2, 3, 4].every((core) => membersOf(core).length === CORES));
    expect(ask(3, 'round')).toMatchObject({ ok: true, value: { cores: CORES } });
    expectOneSequence();
  });

  test('the leader dies as well: another one leads a view without it, as fast', () => {
    simulation.crash(0);
    expect(until(() => [1, 2, 3, 4].every((core) => !membersOf(core).includes(0)))).toBeLessThan(0.3 * SECOND);
  });

  test('one after the other dies to the last: it goes on alone', () => {
    for (const core of [0, 2, 1, 4]) {
      simulation.crash(core);
      until(() => livingCores(simulation).every((other) => !membersOf(other).includes(core)), SECOND);
    }
    expect(ask(3, 'round')).toMatchObject({ ok: true, value: { cores: 1 } });
  });

  test('a hung core is dropped within three leases, is fenced before it does anything, and ends', () => {
    simulation.hang(2);
    const took = until(() => [0, 1, 3, 4].every((core) => !membersOf(core).includes(2)));
    expect(took).toBeGreaterThan(LEASE * 0.5);
    expect(took).toBeLessThan(3 * LEASE);
    let answer: ControlReply | null = null;
    simulation.control(2, 'domain_create', {}, (reply) => (answer = reply));
    simulation.resume(2);
    until(() => simulation.node(2).machine === null);
    expect(simulation.node(2).ended).toMatch(/^PEER_GONE/);
    expect(answer).toMatchObject({ ok: false });
    expectOneSequence();
  });

  test('a core that hangs for less than its lease keeps its place', () => {
    simulation.hang(2);
    simulation.run(simulation.now + LEASE / 3);
    simulation.resume(2);
    simulation.run(simulation.now + 4 * LEASE);
    expect(membersOf(0)).toEqual([0, 1, 2, 3, 4]);
    expect(isFenced(2)).toBe(false);
  });

  test('the minority of a partition answers CORE_FENCED, the majority goes on, and healed they are one again', () => {
    simulation.faults.add(
      { kind: 'partition', id: 'p', groups: [[0, 1], 'rest'], one_way: false, for_ns: null },
      simulation.now,
    );
    until(() => [2, 3, 4].every((core) => membersOf(core).length === 3));
    expect([0, 1].every(isFenced)).toBe(true);
    expect(ask(0, 'round')).toMatchObject({ ok: false, error: 'CORE_FENCED' });
    expect(ask(3, 'round')).toMatchObject({ ok: true, value: { cores: 3 } });
    simulation.faults.heal('all', simulation.now);
    until(() => {
      for (const { id, machine } of simulation.nodes.values()) if (machine === null) simulation.startNode(id);
      return [0, 1, 2, 3, 4].every((core) => membersOf(core).length === CORES && !isFenced(core));
    });
    expectOneSequence();
  });

  test('the majority dies in one moment with its leader: nobody goes on before an operator says so', () => {
    for (const core of [0, 1, 2]) simulation.crash(core);
    simulation.run(simulation.now + 6 * LEASE);
    expect([3, 4].map(isFenced)).toEqual([true, true]);
    expect(ask(3, 'view_force')).toMatchObject({ ok: true });
    until(() => [3, 4].every((core) => membersOf(core).length === 2 && !isFenced(core)));
    expect(ask(4, 'round')).toMatchObject({ ok: true, value: { cores: 2 } });
    for (const core of [0, 1, 2]) simulation.startNode(core);
    until(() => [0, 1, 2, 3, 4].every((core) => membersOf(core).length === CORES));
  });

  test('the SKB is away: a core is dropped all the same', () => {
    simulation.crash(65_535);
    simulation.crash(4);
    until(() => [0, 1, 2, 3].every((core) => membersOf(core).length === 4), SECOND);
    expect(ask(2, 'round')).toMatchObject({ ok: true, value: { cores: 4 } });
  });
});

describe('without a launcher', () => {
  test('a crash is a view without the core within three leases', () => {
    boot(CORES, { reapNs: Infinity });
    simulation.crash(3);
    expect(until(() => [0, 1, 2, 4].every((core) => !membersOf(core).includes(3)))).toBeLessThan(3 * LEASE);
  });
});

test('a core that an operator’s first view leaves out asks to be taken in, though the SKB is there', () => {
  views = new Map();
  simulation = quickSimulation({ seed: 1, cores: 5, logLevel: 'off', leaseMs: LEASE / MILLISECOND });
  simulation.start();
  // It holds up the founding of the first view for everybody.
  until(() => simulation.node(4).kernel?.monitor.context.registered === true, SECOND);
  simulation.hang(4);
  simulation.faults.add(
    { kind: 'partition', id: 'cut', groups: [[0], [1, 2, 3]], one_way: false, for_ns: null },
    simulation.now,
  );
  simulation.run(simulation.now + 3 * SECOND);
  expect([0, 1, 2, 3].map(membersOf)).toEqual([[], [], [], []]);
  expect(ask(3, 'view_force')).toMatchObject({ ok: true });
  until(() => [1, 2, 3].every((core) => membersOf(core).length === 3 && !isFenced(core)));
  simulation.faults.heal('all', simulation.now);
  until(() => [0, 1, 2, 3].every((core) => membersOf(core).length >= 4 && !isFenced(core)), 20 * SECOND);
  expect(ask(0, 'round')).toMatchObject({ ok: true });
});

test('a stampede of 64 joins makes a few views', () => {
  boot(68);
  for (let core = 4; core < 68; core += 1) simulation.crash(core);
  until(() => [0, 1, 2, 3].every((core) => membersOf(core).length === 4));
  const before = Math.max(...views.keys());
  for (let core = 4; core < 68; core += 1) simulation.startNode(core);
  until(() => livingCores(simulation).every((core) => membersOf(core).length === 68));
  expect(Math.max(...views.keys()) - before).toBeLessThanOrEqual(8);
  expectOneSequence();
});
