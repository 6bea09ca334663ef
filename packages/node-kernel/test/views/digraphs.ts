/** Directed graphs up to renaming of nodes: each as its list of edges. */

export type Edge = readonly [number, number];

/** One of each class of directed graphs on `nodes` nodes without loops: 16 for three, 218 for four, 9,608 for five. */
export function digraphs(nodes: number): Edge[][] {
  const edges: Edge[] = [];
  for (let a = 0; a < nodes; a += 1) for (let b = 0; b < nodes; b += 1) if (a !== b) edges.push([a, b]);
  const bitOf = new Map(edges.map(([a, b], bit) => [a * nodes + b, bit]));
  const renamings = permutations(nodes).map((to) => edges.map(([a, b]) => bitOf.get(to[a]! * nodes + to[b]!)!));
  const seen = new Uint8Array(2 ** edges.length);
  const found: Edge[][] = [];
  for (let graph = 0; graph < seen.length; graph += 1) {
    if (seen[graph] === 1) continue;
    found.push(edges.filter((_, bit) => (graph >> bit) & 1));
    for (const renaming of renamings) seen[image(graph, renaming)] = 1;
  }
  return found;
}

function image(graph: number, renaming: readonly number[]): number {
  let renamed = 0;
  for (let bit = 0, rest = graph; rest !== 0; bit += 1, rest >>= 1)
    if ((rest & 1) === 1) renamed |= 1 << renaming[bit]!;
  return renamed;
}

function permutations(count: number): number[][] {
  if (count === 0) return [[]];
  return permutations(count - 1).flatMap((rest) =>
    Array.from({ length: count }, (_, at) => [...rest.slice(0, at), count - 1, ...rest.slice(at)]),
  );
}
