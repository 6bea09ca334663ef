import { known } from '@mk/monitor-proto/assert';
import type { NumaNode } from './description.ts';

/** Memory that a program must ask for: never a core's default if other memory is as near. */
const SPECIAL_MEMORY = /hbm|mcdram|cxl|nvm|pmem|spm|gpu|dax/i;

/**
 * The node from which each core takes its memory: the one with the fewest cores, ordinary memory first; null without
 * one.
 */
export function nearestNodes(nodes: readonly NumaNode[], cores: number): readonly (number | null)[] {
  const nearest: (number | null)[] = Array.from({ length: cores }, () => null);
  const rank = (node: number): number => {
    const { cores: local, subtype = '' } = known(nodes[node]);
    return local.length * 2 + (SPECIAL_MEMORY.test(subtype) ? 1 : 0);
  };
  nodes.forEach(({ cores: local }, node) => {
    for (const core of local) {
      const best = nearest[core] ?? null;
      if (best === null || rank(node) < rank(best)) nearest[core] = node;
    }
  });
  return nearest;
}
