/**
 * Dissemination plans: who tells whom, and in which order, so that every core hears the root soonest.
 *
 * Guarantees: every core of the input appears exactly once; the same input gives the same tree (pure, no clock).
 * Source: "The Multikernel" (SOSP 2009), section 5.1 for the four kinds; Barrelfish's `multicast.pl` for the shape (one
 * leader per package). Differs from the original rule, which minimises the worst single link: `numa` minimises the
 * worst end-to-end time, the sender's occupancy included.
 *
 * Cost model. Sending to a child occupies the sender for `sendNs`; the message arrives `latencyNs` later and occupies
 * the receiver for `receiveNs`; only then does the receiver forward. A child's *tail* is all that happens after the
 * sender is free again: latency, receipt and the child's own subtree. For one sender, serving children by falling
 * tail is optimal whatever the occupancies are (Jackson's rule for one machine with delivery times), so order needs
 * no search.
 */

import { known } from '@mk/monitor-proto/assert';
import type { CoreId, Nanos } from '@mk/monitor-proto/ids';

/** A dissemination tree: children in send order (farthest first). */
export interface TreeNode {
  readonly core: CoreId;
  readonly children: readonly TreeNode[];
}

export type PlanKind = 'unicast' | 'broadcast' | 'multicast' | 'numa';

/** A plan's input: the participating cores (the root among them), and the costs of messages between them. */
export interface PlanInput {
  readonly root: number;
  readonly cores: readonly number[];
  packageOf(core: CoreId): number;
  latencyNs(from: number, to: number): number;
  sendNs(from: number, to: number): number;
  receiveNs(from: number, to: number): number;
}

/** A child with its occupancy of the sender and its tail, both in nanoseconds. */
interface Branch {
  readonly node: TreeNode;
  readonly occupancyNs: Nanos;
  readonly tailNs: Nanos;
}

/** How many leaders the improvement of a `numa` plan may exchange; each round is one pass over all packages. */
const IMPROVEMENT_ROUNDS = 8;

/** Work that the trees of all roots share. */
interface Shared {
  /** The cores of each package, ascending; packages in the order of their lowest core. */
  readonly packages: ReadonlyMap<number, readonly number[]>;
  /** What a leader does for its package, by leader: the same for every root outside the package. */
  readonly subtrees: Map<number, { readonly node: TreeNode; readonly finishNs: Nanos }>;
  /** A package below its lowest core, by that core. */
  readonly firsts: Map<number, TreeNode>;
}

const PLANNERS: { readonly [K in PlanKind]: (input: PlanInput, shared: Shared) => TreeNode } = {
  unicast: planFlat,
  broadcast: planFlat,
  multicast: planByPackage,
  numa: planByCost,
};

/** Plans how `input.root` reaches every other core; a pure function of its input. Paper, section 5.1. */
export function planTree(kind: PlanKind, input: PlanInput): TreeNode {
  return PLANNERS[kind](input, sharedBy(input));
}

/** Plans a tree for each core as its root; shares what does not depend on the root. `input.root` is ignored. */
export function planAllTrees(kind: PlanKind, input: Omit<PlanInput, 'root'>): ReadonlyMap<number, TreeNode> {
  const shared = sharedBy(input);
  return new Map(input.cores.map((root) => [root, PLANNERS[kind](withRoot(input, root), shared)]));
}

/**
 * When the last core has received, in nanoseconds after the root began to send. `broadcast` is one line that every core
 * polls: the root writes once and coherence serves the readers in turn.
 */
export function completionTime(tree: TreeNode, input: PlanInput, kind: PlanKind = 'numa'): number {
  return kind === 'broadcast' ? broadcastTime(tree, input) : subtreeTime(tree, input);
}

/** When every core has received, in nanoseconds after the root began to send. */
export function arrivalTimes(tree: TreeNode, input: PlanInput): ReadonlyMap<number, number> {
  const arrivals = new Map<number, number>();
  const pending: { node: TreeNode; atNs: Nanos }[] = [{ node: tree, atNs: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const from = next.node.core;
    arrivals.set(from, next.atNs);
    let freeNs = next.atNs;
    for (const child of next.node.children) {
      freeNs += input.sendNs(from, child.core);
      pending.push({ node: child, atNs: freeNs + linkNs(input, from, child.core) });
    }
  }
  return arrivals;
}

/** The root sends to everyone, in the order of core ids. */
function planFlat(input: PlanInput): TreeNode {
  return { core: input.root, children: othersOf(input).map(leaf) };
}

/** One message to the lowest core of each other package, in id order, then to the root's own package. */
function planByPackage(input: PlanInput, shared: Shared): TreeNode {
  const { own, foreign } = packagesOf(input, shared);
  const leaders = foreign.map((members) => firstLeads(members, shared));
  return { core: input.root, children: [...leaders, ...own.map(leaf)] };
}

function firstLeads(members: readonly number[], { firsts }: Shared): TreeNode {
  const [leader, ...rest] = members;
  if (leader === undefined) throw new Error('a package without cores');
  let node = firsts.get(leader);
  if (node === undefined) firsts.set(leader, (node = { core: leader, children: rest.map(leaf) }));
  return node;
}

/**
 * One leader per package chosen by cost, leaders by falling tail. The root's own package comes last wherever its cores
 * are nearer than every other package, which is what the paper's rule assumes.
 */
function planByCost(input: PlanInput, shared: Shared): TreeNode {
  const { own, foreign } = packagesOf(input, shared);
  const neighbours = own.map((core) => branch(input, input.root, leaf(core), 0));
  const choices = foreign.map((members) => leaderChoices(input, members, shared));
  const leaders = improveLeaders(choices, neighbours);
  return { core: input.root, children: inSendOrder([...leaders, ...neighbours]).map((each) => each.node) };
}

/** Every core of a package as its leader, best first; choices that another beats in both costs are left out. */
function leaderChoices(input: PlanInput, members: readonly number[], shared: Shared): readonly Branch[] {
  const choices = members.map((leader) => {
    const { node, finishNs: subtreeNs } = leaderSubtree(input, members, leader, shared);
    return branch(input, input.root, node, subtreeNs);
  });
  choices.sort((a, b) => a.occupancyNs + a.tailNs - (b.occupancyNs + b.tailNs) || a.node.core - b.node.core);
  const kept: Branch[] = [];
  for (const choice of choices) {
    const beaten = kept.some((k) => k.occupancyNs <= choice.occupancyNs && k.tailNs <= choice.tailNs);
    if (!beaten) kept.push(choice);
  }
  return kept;
}

function leaderSubtree(
  input: PlanInput,
  members: readonly number[],
  leader: number,
  { subtrees }: Shared,
): { readonly node: TreeNode; readonly finishNs: Nanos } {
  const known = subtrees.get(leader);
  if (known !== undefined) return known;
  const others = members.filter((core) => core !== leader);
  const children = inSendOrder(others.map((core) => branch(input, leader, leaf(core), 0)));
  const planned = { node: { core: leader, children: children.map((each) => each.node) }, finishNs: finishNs(children) };
  subtrees.set(leader, planned);
  return planned;
}

/** Starts from each package's best leader and exchanges leaders while that makes the last core hear sooner. */
function improveLeaders(choices: readonly (readonly Branch[])[], neighbours: readonly Branch[]): readonly Branch[] {
  const chosen = choices.map((each) => known(each[0]));
  let bestNs = finishNs(inSendOrder([...chosen, ...neighbours]));
  for (let round = 0; round < IMPROVEMENT_ROUNDS; round++) {
    const beforeNs = bestNs;
    for (const [index, alternatives] of choices.entries()) {
      for (const alternative of alternatives.slice(1)) {
        const previous = known(chosen[index]);
        chosen[index] = alternative;
        const ns = finishNs(inSendOrder([...chosen, ...neighbours]));
        if (ns < bestNs) bestNs = ns;
        else chosen[index] = previous;
      }
    }
    if (bestNs === beforeNs) break;
  }
  return chosen;
}

/** Falling tail, then rising core id so that equal costs give one order. */
function inSendOrder(branches: readonly Branch[]): readonly Branch[] {
  return [...branches].sort((a, b) => b.tailNs - a.tailNs || a.node.core - b.node.core);
}

function finishNs(ordered: readonly Branch[]): number {
  let freeNs = 0;
  let lastNs = 0;
  for (const each of ordered) {
    freeNs += each.occupancyNs;
    lastNs = Math.max(lastNs, freeNs + each.tailNs);
  }
  return lastNs;
}

function branch(input: PlanInput, from: number, node: TreeNode, subtreeNs: Nanos): Branch {
  const occupancyNs = input.sendNs(from, node.core);
  return { node, occupancyNs, tailNs: linkNs(input, from, node.core) + subtreeNs };
}

function linkNs(input: PlanInput, from: number, to: number): number {
  return input.latencyNs(from, to) + input.receiveNs(from, to);
}

function subtreeTime(tree: TreeNode, input: PlanInput): number {
  let lastNs = 0;
  for (const atNs of arrivalTimes(tree, input).values()) lastNs = Math.max(lastNs, atNs);
  return lastNs;
}

function broadcastTime(tree: TreeNode, input: PlanInput): number {
  const readers = tree.children.map((child) => child.core);
  const writeNs = Math.max(0, ...readers.map((core) => input.sendNs(tree.core, core)));
  return readers.reduce((ns, core) => ns + linkNs(input, tree.core, core), writeNs);
}

function sharedBy(input: Omit<PlanInput, 'root'>): Shared {
  const packages = new Map<number, number[]>();
  for (const core of [...input.cores].sort((a, b) => a - b)) {
    const members = packages.get(input.packageOf(core));
    if (members === undefined) packages.set(input.packageOf(core), [core]);
    else members.push(core);
  }
  return { packages, subtrees: new Map(), firsts: new Map() };
}

/** The root's own package without the root, and the others, in the order of the lowest core that is not the root. */
function packagesOf(
  input: PlanInput,
  { packages }: Shared,
): { own: readonly number[]; foreign: readonly (readonly number[])[] } {
  const ownPackage = input.packageOf(input.root);
  const own = known(packages.get(ownPackage)).filter((core) => core !== input.root);
  const foreign: (readonly number[])[] = [];
  for (const [name, members] of packages) if (name !== ownPackage) foreign.push(members);
  return { own, foreign };
}

function othersOf(input: PlanInput): readonly number[] {
  return input.cores.filter((core) => core !== input.root).sort((a, b) => a - b);
}

function withRoot(input: Omit<PlanInput, 'root'>, root: number): PlanInput {
  return {
    root,
    cores: input.cores,
    packageOf: (core) => input.packageOf(core),
    latencyNs: (from, to) => input.latencyNs(from, to),
    sendNs: (from, to) => input.sendNs(from, to),
    receiveNs: (from, to) => input.receiveNs(from, to),
  };
}

function leaf(core: CoreId): TreeNode {
  return { core, children: [] };
}
