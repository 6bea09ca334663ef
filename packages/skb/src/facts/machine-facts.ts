/**
 * Facts of a machine description, with Barrelfish's names and argument orders (`usr/skb/programs/queries.pl`,
 * `datagatherer`). Ours are `message_cost`, `package_hops`, `link` and the last argument of `cache`. Pure.
 *
 *   cpu_thread(Core, Package, CoreInPackage, Thread)       corename(Core, Arch, HwId)
 *   cache(Name, Core, Level, Bytes, SharingCores)          memory_region(Base, SizeBits, Bytes, Type, Node)
 *   memory_affinity(Base, Bytes, Node)                     cpu_affinity(Core, Local, Node)
 *   node_distance(From, To, Distance)                      nr_running_cores(N)
 *   message_cost(Relation, SendNs, LatencyNs, ReceiveNs)   package_hops(From, To, Hops)   link(Package, Package)
 *
 * Relations are same_core, shared_cache, same_package and hop_1, hop_2, …
 */
import type { MachineDescription, RelationCosts } from '@mk/machine/description';
import { cacheInstances } from '@mk/machine/description';
import { Machine } from '@mk/machine/machine';
import type { Fact } from './fact.ts';
import { fact } from './fact.ts';

/** Every fact that does not change while the cluster runs. `arch` is what the cores run on: `node` for processes. */
export function machineFacts(description: MachineDescription, arch = 'node'): readonly Fact[] {
  const machine = new Machine(description);
  return [
    ...coreFacts(description, arch),
    ...cacheFacts(description),
    ...memoryFacts(description),
    ...distanceFacts(description, machine),
    ...costFacts(description, machine),
  ];
}

function coreFacts(description: MachineDescription, arch: string): readonly Fact[] {
  return description.packages.flatMap(({ cores }, index) =>
    cores.flatMap((core, place) => [
      fact('cpu_thread', core, index, place, 0),
      fact('corename', core, arch, { functor: 'apic', args: [core] }),
    ]),
  );
}

function cacheFacts(description: MachineDescription): readonly Fact[] {
  return cacheInstances(description).flatMap(({ level, bytes, cores }) =>
    cores.map((core) => fact('cache', `l${level}_${cores[0]}`, core, level, bytes, cores.length)),
  );
}

/** Nodes lie one after the other in the address space, as firmware lays them out. */
function memoryFacts(description: MachineDescription): readonly Fact[] {
  let base = 0;
  return description.numaNodes.flatMap(({ memoryBytes, cores }, node) => {
    const from = base;
    base += memoryBytes;
    const local = cores.map((core) => fact('cpu_affinity', core, core, node));
    if (memoryBytes === 0) return local;
    const sizeBits = Math.floor(Math.log2(memoryBytes));
    return [
      fact('memory_region', from, sizeBits, memoryBytes, 'ram', node),
      fact('memory_affinity', from, memoryBytes, node),
      ...local,
    ];
  });
}

function distanceFacts(description: MachineDescription, machine: Machine): readonly Fact[] {
  const nodes = [...description.numaNodes.keys()];
  const packages = [...description.packages.keys()];
  return [
    ...nodes.flatMap((a) => nodes.map((b) => fact('node_distance', a, b, machine.numaDistance(a, b)))),
    ...packages.flatMap((a) => packages.map((b) => fact('package_hops', a, b, machine.packageHops(a, b)))),
    ...description.interconnect.map(([a, b]) => fact('link', a, b)),
  ];
}

function costFacts(description: MachineDescription, machine: Machine): readonly Fact[] {
  const { send, latency, receive } = description.costs;
  const packages = [...description.packages.keys()];
  const farthest = packages.reduce(
    (most, a) => packages.reduce((m, b) => Math.max(m, machine.packageHops(a, b)), most),
    0,
  );
  const hops = Array.from({ length: farthest }, (_, index) => index + 1);
  const row = (relation: string, cost: (costs: RelationCosts) => number): Fact =>
    fact('message_cost', relation, cost(send), cost(latency), cost(receive));
  return [
    row('same_core', (costs) => costs.sameCore),
    row('shared_cache', (costs) => costs.sharedCache),
    row('same_package', (costs) => costs.samePackage),
    ...hops.map((hop) => row(`hop_${hop}`, (costs) => costs.hops[Math.min(hop, costs.hops.length) - 1] ?? 0)),
  ];
}
