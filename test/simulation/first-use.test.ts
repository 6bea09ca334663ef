/*
 * Links on first use, on a machine with many more cores than a core has observers: which links boot opens, which use
 * opens, and what faults do.
 */
import { beforeAll, expect, test } from '@jest/globals';
import { MILLISECOND, type Nanos, SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import type { ControlReply } from '@mk/monitor-proto/step';
import type { Simulation } from '@mk/sim/engine/simulation';
import { quickSimulation } from '../support/quick-simulation.ts';

const CORES = 32;
/** Each core has a link to four observers on either side; the leader has one to every core. */
const NEEDED = CORES * 4 + (CORES - 9);

let simulation: Simulation;
let frames = 0;

beforeAll(() => {
  simulation = quickSimulation({
    seed: 1,
    cores: CORES,
    logLevel: 'info',
  });
  simulation.observe({ frame: () => void (frames += 1) });
  simulation.start();
  until(() => Array.from({ length: CORES }, (_, core) => core).every((core) => takesPart(core)));
});

function until(condition: () => boolean, limit: Nanos = 30 * SECOND): void {
  const end = simulation.now + limit;
  while (!condition()) {
    if (simulation.now > end) throw new Error(`not within ${limit / SECOND} s`);
    simulation.run(simulation.now + 5 * MILLISECOND);
  }
}

function takesPart(core: number): boolean {
  return simulation.node(core).kernel?.monitor.context.members.length === CORES - 1;
}

/** Links between cores that are open at both ends. */
function openLinks(): number {
  let ends = 0;
  for (const { kernel } of simulation.nodes.values())
    for (const { id, link } of kernel?.monitor.endpoint.peers.values() ?? []) if (id < CORES && link !== 0) ends += 1;
  return ends / 2;
}

function isOpen(from: number, to: number): boolean {
  return (simulation.node(from).kernel?.monitor.endpoint.peers.get(to)?.link ?? 0) !== 0;
}

function ask(core: number, verb: string, args: object): ControlReply {
  let reply: ControlReply | null = null;
  simulation.control(core, verb, { ...args }, (answer) => (reply = answer));
  until(() => reply !== null);
  return reply!;
}

test('boot opens the links of observers and of the leader, and an idle machine opens no more', () => {
  simulation.run(simulation.now + 3 * SECOND);
  expect(openLinks()).toBeLessThanOrEqual(NEEDED);
  const before = openLinks();
  frames = 0;
  simulation.run(simulation.now + 10 * SECOND);
  expect(openLinks()).toBe(before);
  // Beacons, probes, the SKB's heartbeats, and their acknowledgements: a few per core and second, not one per pair.
  expect(frames / 10).toBeLessThan(CORES * 40);
});

test('a round along the tree opens few links, one to everybody what it wants', () => {
  expect(ask(20, 'round', { plan: 'multicast' })).toMatchObject({ ok: true, value: { cores: CORES } });
  const byTree = openLinks();
  expect(byTree).toBeLessThan(NEEDED + CORES);
  expect(ask(20, 'round', { plan: 'unicast' })).toMatchObject({ ok: true, value: { cores: CORES } });
  expect(openLinks()).toBeGreaterThan(byTree);
  for (let core = 0; core < CORES; core += 1) expect(core === 20 || isOpen(20, core)).toBe(true);
});

test('a cut between two that have no link yet holds from its first frame, and what was said arrives when it heals', () => {
  expect(isOpen(7, 25)).toBe(false);
  simulation.faults.add(
    { kind: 'partition', id: 'cut', groups: [[7], [25]], one_way: false, for_ns: null },
    simulation.now,
  );
  const replies: ControlReply[] = [];
  simulation.control(7, 'ping', { core: 25, count: 3 }, (reply) => void replies.push(reply));
  simulation.run(simulation.now + 2 * SECOND);
  expect(replies).toEqual([]);
  expect(isOpen(7, 25)).toBe(false);
  simulation.faults.heal({ id: 'cut' }, simulation.now);
  until(() => replies.length > 0);
  expect(replies).toMatchObject([{ ok: true }]);
  expect(isOpen(25, 7)).toBe(true);
});

test('both ends that begin at once have one link', () => {
  for (const [a, b] of [
    [5, 14],
    [6, 22],
    [11, 27],
  ] as const) {
    expect(isOpen(a, b)).toBe(false);
    const replies: ControlReply[] = [];
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const)
      simulation.control(from, 'ping', { core: to, count: 5 }, (reply) => void replies.push(reply));
    until(() => replies.length === 2);
    expect(replies.every(({ ok }) => ok)).toBe(true);
    const { links } = simulation.node(a);
    expect([...links.values()].filter(({ other }) => other?.node.id === b)).toHaveLength(1);
  }
});

test('a machine whose boot takes long opens no links between cores before the registry has founded its first view', () => {
  const slow = quickSimulation({
    seed: 2,
    cores: 16,
    leaseMs: 1500,
    logLevel: 'info',
  });
  simulation = slow;
  const members = (): number => slow.node(SKB_PEER).skb?.registry.members.size ?? 0;
  slow.start();
  until(() => members() === 16);
  slow.hang(3);
  slow.run(slow.now + 20 * SECOND);
  expect(openLinks()).toBe(0);
  slow.resume(3);
  const cores = Array.from({ length: 16 }, (_, core) => core);
  until(() => cores.every((core) => slow.node(core).kernel?.monitor.context.members.length === 15));
});

test('cores of a first boot whose registry dies before it has founded a view are one view all the same when it is back', () => {
  simulation = quickSimulation({
    seed: 3,
    cores: 8,
    leaseMs: 1500,
    logLevel: 'info',
  });
  simulation.start();
  until(() => simulation.node(SKB_PEER).skb?.registry.members.size === 8);
  simulation.hang(3);
  simulation.run(simulation.now + 3 * SECOND);
  simulation.crash(SKB_PEER);
  simulation.resume(3);
  simulation.run(simulation.now + 5 * SECOND);
  simulation.startNode(SKB_PEER);
  const cores = Array.from({ length: 8 }, (_, core) => core);
  until(() => cores.every((core) => simulation.node(core).kernel?.monitor.context.members.length === 7));
});
