import type { CoreId } from '@mk/monitor-proto/ids';
import { formatDuration } from '@mk/machine/duration';
import type { TreeNode } from '@mk/skb/topology/multicast-tree';
import { treeIn } from '../../client/tree-answer.ts';
import type { Chapter, Tour } from '../tour.ts';

/** Longer than any detour, so that the tree has every reason to avoid the link. */
const DELAY_NS = 40_000_000;
/** How early a timer may be. */
const EARLY_NS = 100_000;
/** The most that sockets and a busy host add to the fastest of twenty round trips. */
const HOST_NS = 8_000_000;
const REPLAN_MS = 120_000;

export const LINK_CHANGE: Chapter = {
  title: 'A link becomes slow: it is measured again, and the tree goes around it',
  async run(tour) {
    const before = await treeOf(tour);
    const far = await fastChild(tour, before);
    if (far === undefined) return tour.say('one core has no links');
    const old = await trip(tour, far);
    tour.say(`core 0 sends to ${children(before)}; the round trip to core ${far} is ${formatDuration(old)}`);
    await tour.session.control.addFault({
      kind: 'link',
      id: 'tour',
      for_ns: null,
      from: [0],
      to: [far],
      both: true,
      settings: { delay_ns: DELAY_NS },
    });
    const slow = await tour.until(async () => {
      const now = await trip(tour, far);
      return now >= 2 * DELAY_NS ? now : null;
    }, REPLAN_MS);
    const measured = slow === null ? 'nothing' : formatDuration(slow);
    tour.check(
      `the link 0 – ${far} now has ${formatDuration(DELAY_NS)} one way; measured again: ${measured}`,
      slow !== null,
    );
    const { min } = await tour.core(0, 'ping', { core: far, count: 20 });
    tour.check(
      `the fastest of 20 pings over it takes ${formatDuration(min)}`,
      min >= 2 * DELAY_NS - EARLY_NS && min <= 2 * DELAY_NS + HOST_NS,
    );
    if (tour.cores > 2) await checkTree(tour, before, far);
    await tour.session.control.heal('all');
    const back = await tour.until(async () => {
      const now = await trip(tour, far);
      return now < DELAY_NS ? now : null;
    }, REPLAN_MS);
    tour.check(`healed; measured again: ${back === null ? 'still slow' : formatDuration(back)}`, back !== null);
  },
};

/** A child whose link was measured well below the delay to come: on a busy host a measured trip may be as slow as that. */
async function fastChild(tour: Tour, { children }: TreeNode): Promise<CoreId | undefined> {
  const trips = new Map((await tour.trips()).filter(({ from }) => from === 0).map(({ to, min }) => [to, min]));
  const fast = children.find(({ core }) => (trips.get(core) ?? Infinity) < DELAY_NS / 2);
  return (fast ?? children[0])?.core;
}

async function checkTree(tour: Tour, before: TreeNode, far: number): Promise<void> {
  const after = await tour.until(async () => {
    const tree = await treeOf(tour);
    return tree.children.some(({ core }) => core === far) ? null : tree;
  }, REPLAN_MS);
  if (after !== null)
    tour.say(`core 0 now sends to ${children(after)}; core ${far} hears from core ${parentOf(after, far)}`);
  tour.check(
    `the tree of core 0 changed, and no longer uses that link`,
    after !== null && JSON.stringify(after) !== JSON.stringify(before),
  );
}

async function trip(tour: Tour, to: number): Promise<number> {
  return (await tour.trips()).find((row) => row.from === 0 && row.to === to)?.min ?? 0;
}

/** The tree of the plan that avoids slow links: `numa` plans by end-to-end time. */
async function treeOf(tour: Tour): Promise<TreeNode> {
  return treeIn(await tour.skb('tree', { root: 0, kind: 'numa', form: 'json' }));
}

function children(tree: TreeNode): string {
  return `cores ${tree.children.map(({ core }) => core).join(', ')}`;
}

function parentOf(tree: TreeNode, core: CoreId): number {
  if (tree.children.some((child) => child.core === core)) return tree.core;
  for (const child of tree.children) {
    const found = parentOf(child, core);
    if (found >= 0) return found;
  }
  return -1;
}
