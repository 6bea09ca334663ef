import { adjacency, coreCount, hopsFrom } from './description.ts';
import type { MachineDescription, NumaNode, Package } from './description.ts';

type Edge = readonly [number, number];

/**
 * The same machine with exactly n cores. Fewer: the first n, filling packages in order. More: whole machines side by
 * side, the last one cut short, package p of one wired to package p of the others like the corners of a hypercube, so
 * that the longest way grows with the logarithm of their number: 256 cores of amd-8x4 are 8 machines, 64 packages.
 * Cores are numbered along the packages. The same input gives the same machine; n cores give the machine itself.
 */
export function forCores(description: MachineDescription, n: number): MachineDescription {
  const cores = coreCount(description);
  if (!Number.isSafeInteger(n) || n < 1) throw new RangeError(`a machine has at least one core, not ${n}`);
  if (n === cores) return description;
  const copies = Math.ceil(n / cores);
  const places = renumber(description);
  const keep = (copy: number, core: number) => copy * cores + places[core]! < n;
  const at = (copy: number, list: readonly number[]) =>
    list
      .filter((core) => keep(copy, core))
      .map((core) => copy * cores + places[core]!)
      .sort((a, b) => a - b);

  const numaNodes: NumaNode[] = [];
  const packages: Package[] = [];
  const nodeNumbers: number[] = [];
  for (let copy = 0; copy < copies; copy++) {
    description.numaNodes.forEach(({ memoryBytes, cores: local }, node) => {
      const kept = at(copy, local);
      if (kept.length === 0 && (local.length > 0 || copy > 0)) return;
      nodeNumbers[copy * description.numaNodes.length + node] = numaNodes.length;
      numaNodes.push({ memoryBytes, cores: kept });
    });
    for (const { cores: own, numaNode } of description.packages) {
      const kept = at(copy, own);
      if (kept.length === 0) continue;
      packages.push({ cores: kept, numaNode: nodeNumbers[copy * description.numaNodes.length + numaNode] ?? 0 });
    }
  }
  const caches = description.caches.map(({ level, bytes, groups }) => ({
    level,
    bytes,
    groups: Array.from({ length: copies }, (_, copy) => groups.map((group) => at(copy, group)))
      .flat()
      .filter((group) => group.length > 0),
  }));
  return {
    ...description,
    packages,
    numaNodes,
    caches,
    interconnect: extendInterconnect(description, copies, packages.length),
    // Whole machines side by side have ways that no matrix of one machine tells.
    packageHops: copies === 1 ? cutSquare(description.packageHops, packages.length) : [],
    numaDistances: copies === 1 ? cutDistances(description, nodeNumbers) : [],
  };
}

/** Where each core of the description stands when packages are walked in order. */
function renumber(description: MachineDescription): number[] {
  const places: number[] = [];
  let next = 0;
  for (const { cores } of description.packages) for (const core of cores) places[core] = next++;
  return places;
}

/** The links of every copy, the links between copies, and whatever a cut-off package still needs to reach package 0. */
function extendInterconnect(description: MachineDescription, copies: number, packages: number): Edge[] {
  const size = description.packages.length;
  const edges: Edge[] = [];
  for (let copy = 0; copy < copies; copy++) {
    for (const [a, b] of description.interconnect) edges.push([copy * size + a, copy * size + b]);
    for (let bit = 1; bit < copies; bit *= 2) {
      const other = copy ^ bit;
      if (other < copy) for (let p = 0; p < size; p++) edges.push([other * size + p, copy * size + p]);
    }
  }
  const kept = edges.filter(([a, b]) => a < packages && b < packages);
  for (let p = 1; p < packages; p++) {
    if (hopsFrom(0, adjacency(packages, kept))[p]! < 0) kept.push([0, p]);
  }
  return kept;
}

function cutSquare(matrix: readonly (readonly number[])[], size: number): readonly (readonly number[])[] {
  return matrix.slice(0, size).map((row) => row.slice(0, size));
}

function cutDistances(description: MachineDescription, nodeNumbers: readonly number[]): readonly (readonly number[])[] {
  const stays = (_: unknown, node: number) => nodeNumbers[node] !== undefined;
  return description.numaDistances.filter(stays).map((row) => row.filter(stays));
}
