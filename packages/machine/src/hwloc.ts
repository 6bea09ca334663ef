import { known } from '@mk/monitor-proto/assert';
import type { MachineDescription, Package } from './description.ts';
import { readMatrices } from './hwloc-distances.ts';
import { assumedCosts, readNearness } from './hwloc-hops.ts';
import { readMemoryCaches, readNodes } from './hwloc-memory.ts';
import { readCaches, readClock, readCoreKinds, readGroups, readPackages, readProcessors } from './hwloc-parts.ts';
import { parseTopology } from './hwloc-tree.ts';
import type { Topology } from './hwloc-tree.ts';
import { Refusal } from './hwloc-xml.ts';
import { nearestNodes } from './nearest-node.ts';
import { refuse, type Result, succeed } from '@mk/monitor-proto/result';
import { counted } from './counted.ts';

/** Modelled messages take about 300 ns: this stretches them to about 3 ms between processes, well above the noise. */
const TIME_SCALE = 10_000;

/**
 * Reads the output of `lstopo --of xml`, hwloc 0.9 to 3.0: usable processing units become cores, in the file's order.
 * The interconnect follows from the distance matrices; message costs are those of amd-8x4, in cycles.
 * docs/reference/machines.md lists what is read and what is not. The error is one line that names the element.
 */
export function parseHwloc(text: string, what = 'hwloc XML', name = 'hwloc'): Result<MachineDescription, string> {
  try {
    return succeed(build(parseTopology(text), name));
  } catch (error) {
    if (error instanceof Refusal) return refuse(`${what}: ${error.message}`);
    throw error;
  }
}

function build(topology: Topology, name: string): MachineDescription {
  const { objects, pus } = topology;
  const { nodes, objects: nodeObjects } = readNodes(topology);
  const nearest = nearestNodes(nodes, pus.length);
  const packages = readPackages(topology);
  const matrices = readMatrices(topology);
  const { factors, ...nearness } = readNearness(matrices, nodes, nodeObjects, packages, nearest);
  const ghz = readClock(objects);
  return {
    name,
    doc: `${counted(pus.length, 'processing unit')} in ${counted(packages.length, 'package')}, as hwloc saw them; costs are assumed.`,
    ghz,
    packages: packages.map((cores): Package => ({ cores, numaNode: nearest[known(cores[0])] ?? null })),
    processors: readProcessors(topology, packages),
    numaNodes: [...nodes],
    ...nearness,
    caches: readCaches(objects),
    memoryCaches: readMemoryCaches(topology, nodeObjects),
    groups: readGroups(objects),
    coreKinds: readCoreKinds(topology),
    costs: assumedCosts(ghz, factors),
    timeScale: TIME_SCALE,
  };
}
