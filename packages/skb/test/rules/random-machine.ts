/** Small random machines, as a planner's input and as facts; and the best possible dissemination tree on each. */
import type { Fact } from '../../src/facts/fact.ts';
import { fact } from '../../src/facts/fact.ts';
import type { PlanInput } from '../../src/topology/multicast-tree.ts';

export interface RandomMachine {
  readonly input: PlanInput;
  readonly facts: readonly Fact[];
}

/** Whole nanoseconds throughout, so that CLP(FD) uses the same units. */
export function randomMachine(seed: number): RandomMachine {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  const below = (bound: number): number => {
    state = (Math.imul(state ^ (state >>> 15), 0x85ebca6b) + 0x6d2b79f5) >>> 0;
    return (state >>> 8) % bound;
  };
  const size = 2 + below(7);
  const packages = 1 + below(Math.min(size, 5));
  const cores = Array.from({ length: size }, (_, core) => core);
  const packageOf = cores.map((core) => (core < packages ? core : below(packages)));
  const hops = (a: number, b: number): number => Math.abs(a - b);
  const relation = (a: number, b: number): string =>
    packageOf[a] === packageOf[b] ? 'same_package' : `hop_${hops(packageOf[a] ?? 0, packageOf[b] ?? 0)}`;
  const costs = new Map<string, { send: number; receive: number }>();
  for (const name of ['same_package', 'hop_1', 'hop_2', 'hop_3', 'hop_4']) {
    costs.set(name, { send: 50 + below(500), receive: 20 + below(200) });
  }
  const latency = cores.map((a) =>
    cores.map((b) => (packageOf[a] === packageOf[b] ? 100 + below(200) : 200 + below(1_500))),
  );
  const cost = (a: number, b: number): { send: number; receive: number } =>
    costs.get(relation(a, b)) ?? { send: 0, receive: 0 };
  return {
    input: {
      root: below(size),
      cores,
      packageOf: (core) => packageOf[core] ?? 0,
      latencyNs: (from, to) => latency[from]?.[to] ?? 0,
      sendNs: (from, to) => cost(from, to).send,
      receiveNs: (from, to) => cost(from, to).receive,
    },
    facts: [
      ...cores.map((core) => fact('cpu_thread', core, packageOf[core] ?? 0, core, 0)),
      ...[...costs].map(([name, { send, receive }]) => fact('message_cost', name, send, 0, receive)),
      ...Array.from({ length: 25 }, (_, i) =>
        fact('package_hops', Math.floor(i / 5), i % 5, hops(Math.floor(i / 5), i % 5)),
      ),
      ...cores.flatMap((a) =>
        cores
          .filter((b) => b !== a)
          .map((b) => {
            const ns = 2 * (latency[a]?.[b] ?? 0);
            return fact('message_rtt', a, b, ns, 0, ns, ns);
          }),
      ),
    ],
  };
}

/**
 * When the last core hears in the best of all trees, with or without leaders: exact, by dynamic programming over sets
 * of cores. A core that has to inform a set sends first to one of them and hands it a part; it goes on to inform the
 * rest itself.
 */
export function optimumOfAllTrees(input: PlanInput): number {
  const { cores, root } = input;
  const everybody = (1 << cores.length) - 1;
  const known = new Map<number, number>();
  const best = (from: number, set: number): number => {
    if (set === 0) return 0;
    const key = from * (everybody + 1) + set;
    const before = known.get(key);
    if (before !== undefined) return before;
    let least = Number.POSITIVE_INFINITY;
    for (const to of cores) {
      if ((set & (1 << to)) === 0) continue;
      const send = input.sendNs(from, to);
      const arrival = send + input.latencyNs(from, to) + input.receiveNs(from, to);
      const others = set & ~(1 << to);
      for (let part = others; ; part = (part - 1) & others) {
        least = Math.min(least, Math.max(arrival + best(to, part), send + best(from, others & ~part)));
        if (part === 0) break;
      }
    }
    known.set(key, least);
    return least;
  };
  return best(root, everybody & ~(1 << root));
}
