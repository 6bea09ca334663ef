/**
 * Multicast rules: the Prolog rule and the TypeScript planner agree; both are compared with the optimum found by
 * CLP(FD).
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { WorkerEngine } from '../../src/engine/io/worker-engine.ts';
import type { JsonTerm } from '@mk/monitor-proto/knowledge/query';
import type { Fact } from '../../src/facts/fact.ts';
import { ANY, fact } from '../../src/facts/fact.ts';
import { machineFacts } from '../../src/facts/machine-facts.ts';
import type { PlanInput, TreeNode } from '../../src/topology/multicast-tree.ts';
import { completionTime, planTree } from '../../src/topology/multicast-tree.ts';
import { Machine } from '@mk/machine/machine';
import { startEngine } from '../engine/engine-for-tests.ts';
import { readMachine } from './machine-for-tests.ts';
import { optimumOfAllTrees, randomMachine } from './random-machine.ts';

let engine: WorkerEngine;

beforeAll(() => {
  engine = startEngine();
});

afterAll(() => engine.close());

async function become(facts: readonly Fact[]): Promise<void> {
  const arities = [
    ['cpu_thread', 4],
    ['message_cost', 4],
    ['package_hops', 3],
    ['message_rtt', 6],
    ['cache', 5],
  ] as const;
  const remove = arities.map(([name, arity]) => ({ name, args: Array.from({ length: arity }, () => ANY) }));
  await engine.updateFacts({ remove, add: facts });
}

function treeOf(term: JsonTerm | undefined): TreeNode {
  const { args } = term as unknown as { readonly args: readonly [number, readonly JsonTerm[]] };
  return { core: args[0], children: args[1].map(treeOf) };
}

async function ask(goal: string): Promise<{ tree: TreeNode; ns: number } | undefined> {
  const { solutions } = await engine.query(`${goal}, Answer = t(Tree, Ns)`, { timeLimitMs: 30_000 });
  const found = solutions[0]?.bindings;
  return found === undefined ? undefined : { tree: treeOf(found['Tree']), ns: Number(found['Ns']) };
}

test('200 random machines: the rule and the planner agree, the gap to the optimum is small', async () => {
  const gaps: number[] = [];
  const gapsToAny: number[] = [];
  for (let seed = 0; seed < 200; seed++) {
    const { input, facts } = randomMachine(seed);
    await become(facts);
    const planned = planTree('numa', input);
    const plannedNs = completionTime(planned, input);
    const ruled = await ask(`multicast_tree(${input.root}, Tree, Ns)`);
    expect({ seed, ...ruled }).toEqual({ seed, tree: planned, ns: plannedNs });
    // Anything faster than planned, or the proof that nothing is.
    const better = await ask(`multicast_optimum(${input.root}, ${plannedNs}, Tree, Ns)`);
    if (better !== undefined) expect(completionTime(better.tree, input)).toBe(better.ns);
    gaps.push(plannedNs / (better?.ns ?? plannedNs) - 1);
    gapsToAny.push(plannedNs / optimumOfAllTrees(input) - 1);
  }
  for (const list of [gaps, gapsToAny]) list.sort((a, b) => a - b);
  const percent = (gap: number | undefined): string => `${(100 * (gap ?? 0)).toFixed(2)} %`;
  const optimal = gaps.filter((gap) => gap === 0).length;
  const median = (list: readonly number[]): string => `median ${percent(list[100])}, worst ${percent(list[199])}`;
  console.log(
    `multicast, 200 random machines of 2 to 8 cores: gap to the optimum of one leader per package ${median(gaps)}` +
      ` (${optimal} optimal); to the best of all trees whatever ${median(gapsToAny)}`,
  );
  expect(gaps[100]).toBe(0);
  expect(gaps[199]).toBeLessThan(0.1);
});

test('the optimum without a bound is the same as with one', async () => {
  const { input, facts } = randomMachine(7);
  await become(facts);
  const optimum = await ask(`multicast_optimum(${input.root}, Tree, Ns)`);
  expect(completionTime(optimum?.tree as TreeNode, input)).toBe(optimum?.ns);
  expect(optimum?.ns).toBeLessThanOrEqual(completionTime(planTree('numa', input), input));
  expect(await ask(`multicast_optimum(${input.root}, ${optimum?.ns}, Tree, Ns)`)).toBeUndefined();
});

test('the rule plans amd-8x4 as the planner does, and re-plans when a link slows down', async () => {
  const description = readMachine('amd-8x4');
  const machine = new Machine(description);
  const input: PlanInput = {
    root: 0,
    cores: Array.from({ length: 32 }, (_, core) => core),
    packageOf: (core) => machine.packageOf(core),
    latencyNs: (from, to) => machine.latencyNs(from, to),
    sendNs: (from, to) => machine.sendOccupancyNs(from, to),
    receiveNs: (from, to) => machine.receiveOccupancyNs(from, to),
  };
  await become(machineFacts(description));
  const ruled = await ask('multicast_tree(0, Tree, Ns)');
  expect(ruled?.tree).toEqual(planTree('numa', input));
  const slow = ruled?.tree.children.at(-1)?.core as number;
  const rtts = input.cores
    .filter((core) => core !== 0)
    .map((core) => {
      const ns = machine.packageOf(core) === machine.packageOf(slow) ? 1e6 : 2 * machine.latencyNs(0, core);
      return fact('message_rtt', 0, core, ns, 0, ns, ns);
    });
  await engine.updateFacts({ add: rtts });
  const replanned = await ask('multicast_tree(0, Tree, Ns)');
  expect(machine.packageOf(replanned?.tree.children[0]?.core as number)).toBe(machine.packageOf(slow));
});
