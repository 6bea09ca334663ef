import { known } from '@mk/monitor-proto/assert';

/** Disjoint sets of packages that reach one another: union with path halving. */
export class Reach {
  private readonly parents: Int32Array;
  parts: number;

  constructor(count: number) {
    this.parents = Int32Array.from({ length: count }, (_, index) => index);
    this.parts = count;
  }

  find(index: number): number {
    let at = index;
    while (this.parents[at] !== at) {
      this.parents[at] = known(this.parents[known(this.parents[at])]);
      at = known(this.parents[at]);
    }
    return at;
  }

  /** False when the two already reached one another. */
  join(a: number, b: number): boolean {
    const [first, second] = [this.find(a), this.find(b)];
    if (first === second) return false;
    this.parents[Math.max(first, second)] = Math.min(first, second);
    this.parts -= 1;
    return true;
  }
}

/** The smallest distance that connects all: the longest edge of a minimum spanning tree (Prim). */
export function joinNearest(count: number, distance: (a: number, b: number) => number): number {
  const nearest = new Float64Array(count).fill(Infinity);
  const done = new Uint8Array(count);
  let longest = -Infinity;
  let at = 0;
  for (let step = 1; step < count; step++) {
    done[at] = 1;
    let next = -1;
    for (let other = 0; other < count; other++) {
      if (done[other] === 1) continue;
      nearest[other] = Math.min(known(nearest[other]), distance(at, other));
      if (next < 0 || known(nearest[other]) < known(nearest[next])) next = other;
    }
    longest = Math.max(longest, known(nearest[next]));
    at = next;
  }
  return longest;
}
