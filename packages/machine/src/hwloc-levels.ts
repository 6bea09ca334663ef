import { known } from '@mk/monitor-proto/assert';
import type { HwlocObject } from './hwloc-tree.ts';

/** Objects outside hwloc 1's levels. */
const WITHOUT_LEVEL = /^(misc|bridge|pcidev|osdev|hostbridge)$/i;
const MAX_LEVELS = 64;

/**
 * The objects `depth` levels below another, as hwloc 1 counts levels (`hwloc_connect_levels`): objects of one type form
 * one level at any depth; a level's objects come after every object that stands above one of their type; PUs come last.
 * `without` replaces a type's objects by their children.
 */
export function levelBelow(from: HwlocObject, depth: number, without?: string): readonly HwlocObject[] {
  const below = new Map<HwlocObject, ReadonlySet<string>>();
  let frontier = childrenOf(from, without);
  for (let level = 1; frontier.length > 0 && level <= MAX_LEVELS; level++) {
    const top = keyOf(topmost(frontier, below, without));
    if (level === depth) return frontier.filter((object) => keyOf(object) === top);
    frontier = frontier.flatMap((object) => (keyOf(object) === top ? childrenOf(object, without) : [object]));
  }
  return [];
}

/** An object whose type none of the other objects stands above. */
function topmost(
  frontier: readonly HwlocObject[],
  below: Map<HwlocObject, ReadonlySet<string>>,
  without?: string,
): HwlocObject {
  let top = frontier.find(({ type }) => type !== 'PU') ?? known(frontier[0]);
  for (const object of frontier) {
    if (keyOf(object) !== keyOf(top) && keysBelow(object, below, without).has(keyOf(top))) top = object;
  }
  return top;
}

function keysBelow(
  object: HwlocObject,
  known: Map<HwlocObject, ReadonlySet<string>>,
  without?: string,
): ReadonlySet<string> {
  const found = known.get(object);
  if (found !== undefined) return found;
  const keys = new Set<string>();
  for (const child of childrenOf(object, without)) {
    keys.add(keyOf(child));
    for (const key of keysBelow(child, known, without)) keys.add(key);
  }
  known.set(object, keys);
  return keys;
}

/** Objects of one key are of one level. */
function keyOf({ type, attributes }: HwlocObject): string {
  if (type === 'Cache') return `Cache ${attributes['depth'] ?? ''} ${attributes['cache_type'] ?? ''}`;
  return type === 'Group' ? `Group ${attributes['depth'] ?? ''}` : type;
}

function childrenOf(object: HwlocObject, without?: string): readonly HwlocObject[] {
  return object.children
    .filter(({ type }) => !WITHOUT_LEVEL.test(type))
    .flatMap((child) => (child.type === without ? childrenOf(child, without) : [child]));
}
