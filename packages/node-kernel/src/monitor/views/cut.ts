import { known } from '@mk/monitor-proto/assert';
import type { CoreId } from '@mk/monitor-proto/ids';

/** A link that fails in at least one direction. */
export type Suspicion = readonly [CoreId, CoreId];

/** Branches of the exact search before the greedy one replaces it. */
const MOST_BRANCHES = 4096;

/**
 * The cut: the largest set of cores that contains `leader` and no suspicion; of several, the one that keeps the lower
 * cores. Exact for few suspicions; with very many, the core with the most goes first.
 */
export function cutOf(cores: readonly CoreId[], leader: CoreId, suspicions: readonly Suspicion[]): CoreId[] {
  const known = new Set(cores);
  const edges = suspicions.filter(([a, b]) => known.has(a) && known.has(b) && a !== b);
  const search = { branches: 0, best: greedy(edges, leader) };
  branch(edges, leader, new Set(), search);
  return cores.filter((core) => !search.best.has(core));
}

interface Search {
  branches: number;
  /** The smallest known set of cores whose removal ends every suspicion. */
  best: ReadonlySet<CoreId>;
}

function branch(edges: readonly Suspicion[], leader: CoreId, gone: ReadonlySet<CoreId>, search: Search): void {
  if ((search.branches += 1) > MOST_BRANCHES) return;
  const next = edges.find(([a, b]) => !gone.has(a) && !gone.has(b));
  if (next === undefined) {
    if (gone.size < search.best.size || (gone.size === search.best.size && isBetter(gone, search.best)))
      search.best = gone;
    return;
  }
  if (gone.size >= search.best.size) return;
  const [a, b] = next;
  // The higher goes first, so that of equal cuts the one that keeps the lower cores is found first.
  for (const core of a > b ? [a, b] : [b, a])
    if (core !== leader) branch(edges, leader, new Set([...gone, core]), search);
}

function isBetter(a: ReadonlySet<CoreId>, b: ReadonlySet<CoreId>): boolean {
  const best = [...b].sort((p, q) => q - p);
  for (const [i, core] of [...a].sort((p, q) => q - p).entries()) {
    const other = known(best[i]);
    if (core !== other) return core > other;
  }
  return false;
}

function greedy(edges: readonly Suspicion[], leader: CoreId): Set<CoreId> {
  const gone = new Set<CoreId>();
  for (;;) {
    const degree = new Map<CoreId, number>();
    for (const [a, b] of edges) {
      if (gone.has(a) || gone.has(b)) continue;
      for (const core of [a, b]) if (core !== leader) degree.set(core, (degree.get(core) ?? 0) + 1);
    }
    if (degree.size === 0) return gone;
    gone.add(
      [...degree].reduce((most, next) =>
        next[1] > most[1] || (next[1] === most[1] && next[0] > most[0]) ? next : most,
      )[0],
    );
  }
}
