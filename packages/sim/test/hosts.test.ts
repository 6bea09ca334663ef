import { describe, expect, test } from '@jest/globals';
import { MILLISECOND, type PeerId, SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import type { ControlReply } from '@mk/monitor-proto/step';
import type { MachineModel } from '@mk/skb/config';
import type { TreeNode } from '@mk/skb/topology/multicast-tree';
import type { CostModel } from '@mk/sim/engine/costs';
import { flatMachine } from '@mk/sim/engine/machines';
import { Simulation } from '@mk/sim/engine/simulation';
import type { SimulationOptions } from '@mk/sim/engine/simulation-options';
import { hmacSha256 } from '@mk/sim/io/hmac';

/*
 * Cores on several hosts: twelve over three, core 0 on a, 1 on b, 2 on c and so on, as a scheduler spreads them. A
 * message within a host takes 50 µs, one between hosts 1 ms.
 */
const CORES = 12;
const HOSTS = ['a', 'b', 'c'] as const;
const WITHIN = 50_000;
const BETWEEN = 1_000_000;

const spread = (core: PeerId): string => HOSTS[core % HOSTS.length]!;
const ASSUMED: MachineModel = { ...flatMachine(), isAssumed: true };

function costs(hostOf: (core: PeerId) => string): CostModel {
  return {
    latencyNs: (from, to) => (from === SKB_PEER || to === SKB_PEER || hostOf(from) === hostOf(to) ? WITHIN : BETWEEN),
    sendNs: () => 10_000,
    receiveNs: () => 10_000,
    eventNs: 0,
  };
}

function booted(options: Partial<SimulationOptions> = {}): Simulation {
  const simulation = new Simulation({
    seed: 1,
    cores: CORES,
    machine: ASSUMED,
    hostOf: spread,
    costs: costs(spread),
    measure: true,
    hmac: hmacSha256,
    logLevel: 'info',
    ...options,
  });
  simulation.start();
  const ready = (): boolean => {
    const skb = simulation.node(SKB_PEER).skb!;
    const measured = simulation.options.measure !== true || skb.measurement.trips.get(0, CORES - 1) !== undefined;
    return skb.registry.meshComplete && !skb.measurement.running && measured;
  };
  expect(simulation.run(60 * SECOND, ready)).toBe(true);
  simulation.run(simulation.now + SECOND);
  return simulation;
}

function ask(simulation: Simulation, node: PeerId, verb: string, args: Readonly<Record<string, unknown>>): unknown {
  let answer: ControlReply | null = null;
  simulation.control(node, verb, args, (reply) => (answer = reply));
  simulation.run(simulation.now + 60 * SECOND, () => answer !== null);
  expect(answer).toMatchObject({ ok: true });
  return (answer as unknown as { readonly value: unknown }).value;
}

const treeOf = (simulation: Simulation, root: number, kind: string): TreeNode =>
  ask(simulation, SKB_PEER, 'tree', { root, kind, form: 'json' }) as TreeNode;

function edges(tree: TreeNode): readonly (readonly [from: number, to: number])[] {
  return tree.children.flatMap((child) => [[tree.core, child.core] as const, ...edges(child)]);
}

/** The edges of a tree that cross hosts. */
function crossings(tree: TreeNode, hostOf = spread): readonly (readonly [from: number, to: number])[] {
  return edges(tree).filter(([from, to]) => hostOf(from) !== hostOf(to));
}

/** What a root's round sends between hosts, requests and replies. */
function framesBetweenHosts(simulation: Simulation, root: number, plan: string, hostOf = spread): number {
  let frames = 0;
  simulation.frameFate = (from, to) => {
    const cores = from.id !== SKB_PEER && to.id !== SKB_PEER;
    if (cores && hostOf(from.id) !== hostOf(to.id)) frames += 1;
  };
  ask(simulation, root, 'round', { plan });
  simulation.frameFate = undefined;
  return frames;
}

describe('cores on three hosts that nobody described', () => {
  const simulation = booted();

  test('cores of one host are one package', () => {
    const rows = ask(simulation, SKB_PEER, 'cores', {}) as { core: number; package: number; host: string }[];
    expect(rows.map(({ host }) => host)).toEqual(rows.map(({ core }) => spread(core)));
    const names = new Map(rows.map((row) => [row.package, row.host]));
    expect(names.size).toBe(HOSTS.length);
    for (const row of rows) expect(names.get(row.package)).toBe(row.host);
  });

  test.each(['multicast', 'numa'])(
    'the %s tree of every root enters each other host once, and from the root',
    (kind) => {
      for (let root = 0; root < CORES; root++) {
        const tree = treeOf(simulation, root, kind);
        expect(edges(tree)).toHaveLength(CORES - 1);
        const into = crossings(tree);
        expect(into.map(([from]) => from)).toEqual([root, root]);
        expect(new Set(into.map(([, to]) => spread(to))).size).toBe(HOSTS.length - 1);
      }
    },
  );

  test('a round by the tree sends between hosts once there and once back; one by one it sends to every core', () => {
    const [tree, each] = ['multicast', 'unicast'].map((plan) => framesBetweenHosts(simulation, 0, plan));
    expect(tree).toBeLessThan(each! / 2);
    const far = Array.from({ length: CORES }, (_, core) => core).filter((core) => spread(core) !== spread(0));
    expect(each).toBeGreaterThanOrEqual(2 * far.length);
  });

  test('the core that speaks for a host dies: another one takes its place in the trees of all', () => {
    const before = framesBetweenHosts(simulation, 0, 'multicast');
    const [, leader] = crossings(treeOf(simulation, 0, 'multicast'))[0]!;
    simulation.crash(leader);
    const gone = (): boolean => !simulation.node(SKB_PEER).skb!.registry.members.has(leader);
    expect(simulation.run(simulation.now + 60 * SECOND, gone)).toBe(true);
    simulation.run(simulation.now + SECOND);
    const into = crossings(treeOf(simulation, 0, 'multicast'));
    expect(into.map(([, to]) => spread(to)).toSorted()).toEqual(['b', 'c']);
    expect(into.map(([, to]) => to)).not.toContain(leader);
    expect(framesBetweenHosts(simulation, 0, 'multicast')).toBeLessThanOrEqual(before);
  });
});

describe('who says what a package is', () => {
  test('a machine that is described keeps its packages', () => {
    const simulation = booted({ machine: flatMachine() });
    const rows = ask(simulation, SKB_PEER, 'cores', {}) as { core: number; package: number }[];
    expect(rows.map((row) => row.package)).toEqual(rows.map(({ core }) => Math.floor(core / 4)));
  });

  test('on one host, and where no core says, packages stay as assumed', () => {
    for (const host of ['a', '']) {
      const simulation = booted({ hostOf: () => host });
      const rows = ask(simulation, SKB_PEER, 'cores', {}) as { core: number; package: number }[];
      expect(rows.map((row) => row.package)).toEqual(rows.map(({ core }) => Math.floor(core / 4)));
    }
  });

  test('a core that comes back on another host is planned for there', () => {
    const moved = new Map<PeerId, string>();
    const hostOf = (core: PeerId): string => moved.get(core) ?? spread(core);
    const simulation = booted({ hostOf, costs: costs(hostOf) });
    simulation.crash(1);
    simulation.run(simulation.now + 100 * MILLISECOND);
    moved.set(1, 'a');
    simulation.startNode(1);
    const back = (): boolean => {
      const skb = simulation.node(SKB_PEER).skb!;
      return skb.registry.meshComplete && skb.packageOf(1) === skb.packageOf(0);
    };
    expect(simulation.run(simulation.now + 60 * SECOND, back)).toBe(true);
    simulation.run(simulation.now + 10 * SECOND);
    expect(crossings(treeOf(simulation, 0, 'multicast'), hostOf)).toHaveLength(2);
    expect(framesBetweenHosts(simulation, 0, 'multicast', hostOf)).toBeLessThanOrEqual(
      framesBetweenHosts(booted(), 0, 'multicast'),
    );
  });
});
