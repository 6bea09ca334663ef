import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { PLAN_KINDS, type PlanKind } from '@mk/node-kernel/monitor/agreement/plan';
import { must } from '@mk/sim/commands/options';
import { costsOf } from '@mk/sim/engine/costs';
import { simMachine } from '@mk/sim/io/load-machine';
import { SKB_PEER } from '@mk/monitor-proto/ids';
import type { TreeNode } from '@mk/skb/topology/multicast-tree';
import { ProgramSimulation } from '../../packages/sim/test/programs/program-simulation.ts';
import { programText } from '../../scripts/bundle-program.mjs';

/*
 * Who passes an unmap on to whom, by each plan, counted at the cores. The tree travels in the request: each core passes
 * on what stands below it there, whatever it knows itself.
 */
const CORES = 8; // two packages of four
const machine = must('machine', simMachine('amd-8x4', CORES, join(process.cwd(), 'packages', 'launcher', 'machines')));
const ALL = Array.from({ length: CORES }, (_, core) => core);

let text = '';
beforeAll(async () => {
  text = await programText(join(process.cwd(), 'packages', 'programs', 'src', 'unmap-bench.ts'));
});

/** One unmap over all cores: how many requests each core sent, how long it took, and the SKB's tree. */
function unmapBy(plan: PlanKind) {
  const s = new ProgramSimulation({ cores: CORES, machine: machine.model, costs: costsOf(machine.model) });
  const kernels = ALL.map((core) => s.simulation.node(core).kernel!);
  const sent = (): number[] =>
    kernels.map(({ monitor }) => new Map(monitor.endpoint.trace.counts('sent')).get('round_request') ?? 0);
  s.load(0, 'unmap-bench', text);
  s.value(0, 'unmap_plan', { plan });
  const before = sent();
  const words = ['--rounds', '1', '--step', String(CORES - 1)];
  const { status } = s.wait(0, s.spawn(0, 'unmap-bench', words, { environment: { CORES: ALL.join(',') } }));
  const after = sent();
  const { last } = s.value<{ last: readonly Report[] }>(0, 'unmap_plan');
  return {
    status,
    requests: after.map((count, core) => count - before[core]!),
    round: last.find(({ cores }) => cores === CORES)!,
    tree: s.simulation.node(SKB_PEER).skb!.plans.treeOf(plan, 0),
  };
}

interface Report {
  readonly cores: number;
  readonly messages: number;
  readonly elapsedNs: number;
}

function childrenOf({ core, children }: TreeNode, counts = ALL.map(() => 0)): number[] {
  counts[core] = children.length;
  for (const child of children) childrenOf(child, counts);
  return counts;
}

test('each plan asks whom it says, in the paper’s order of cost; all take a request and an answer a core', () => {
  const came = PLAN_KINDS.map((plan) => [plan, unmapBy(plan)] as const);
  for (const [, { status, round, requests, tree }] of came) {
    expect(status).toBe(0);
    expect(round.messages).toBe(2 * (CORES - 1));
    expect(requests).toEqual(childrenOf(tree));
  }
  const of = Object.fromEntries(came) as Record<PlanKind, ReturnType<typeof unmapBy>>;
  expect(of.unicast.requests).toEqual([7, 0, 0, 0, 0, 0, 0, 0]);
  expect(of.broadcast.requests).toEqual(of.unicast.requests);
  expect(of.multicast.requests).toEqual([4, 0, 0, 0, 3, 0, 0, 0]);
  expect(of.numa.requests.reduce((sum, count) => sum + count, 0)).toBe(CORES - 1);
  // Asking one core after another takes as many round trips as there are cores.
  expect(of.broadcast.round.elapsedNs).toBeGreaterThan(2 * of.unicast.round.elapsedNs);
});
