/**
 * Facts of a machine description, with Barrelfish's names and argument orders (`usr/skb/programs/queries.pl`,
 * `datagatherer`). Ours are those of the last five lines and the last argument of `cache`. Pure.
 *
 *   cpu_thread(Core, Package, CoreInPackage, Thread)       corename(Core, Arch, HwId)
 *   cache(Name, Core, Level, Bytes, SharingCores)          memory_region(Base, SizeBits, Bytes, Type, Node)
 *   memory_affinity(Base, Bytes, Node)                     cpu_affinity(Core, Local, Node)
 *   node_distance(From, To, Distance)                      nr_running_cores(N)
 *   message_cost(Relation, SendNs, LatencyNs, ReceiveNs)   package_hops(From, To, Hops)   link(Package, Package)
 *   nearest_node(Core, Node)      node_hops(From, To, Hops)       numa_node(Node, OsIndex, Subtype, Bytes)
 *   cpu_kind(Core, Kind, Speed)   cpu_group(Type, Index, Name, Core)   memory_cache(Node, Bytes)
 *   facts_left_out(Name, Facts, Most)
 *
 * Relations are same_core, shared_cache, same_package and hop_1, hop_2, … A core may be local to several nodes: its nearest
 * comes first. What nobody told is `unknown`, and has no `memory_region`.
 */
import { known } from '@mk/monitor-proto/assert';
import type { MachineDescription, RelationCosts } from '@mk/machine/description';
import { cacheInstances, linkCount, linksOf } from '@mk/machine/description';
import { Machine } from '@mk/machine/machine';
import type { Fact, FactTerm } from './fact.ts';
import { fact } from './fact.ts';

/**
 * At most this many facts of one name; the rest are left out and reported. The engine takes some 60,000 facts a second,
 * and no rule asks for a million pairs.
 */
export const MOST_FACTS_OF_A_NAME = 66_000;

/** The fact that reports those left out. */
export const LEFT_OUT = 'facts_left_out';

/** Every fact that does not change while the cluster runs. `arch` is what the cores run on: `node` for processes. */
export function machineFacts(description: MachineDescription, arch = 'node'): readonly Fact[] {
  const machine = new Machine(description);
  return [
    ...coreFacts(description, arch),
    ...kindFacts(description),
    ...cacheFacts(description),
    ...memoryFacts(description),
    ...affinityFacts(description, machine),
    ...distanceFacts(description, machine),
    ...costFacts(description, machine),
  ];
}

function coreFacts({ packages, processors, groups }: MachineDescription, arch: string): readonly Fact[] {
  const threads = packages.flatMap(({ cores }, index) =>
    cores.flatMap((core, place) => {
      const { osIndex, core: inPackage, thread } = processors[core] ?? { osIndex: core, core: place, thread: 0 };
      return [
        fact('cpu_thread', core, index, inPackage, thread),
        fact('corename', core, arch, { functor: 'apic', args: [osIndex] }),
      ];
    }),
  );
  const numbers = new Map<string, number>();
  const grouped = groups.flatMap(({ type, name, osIndex, cores }) => {
    const next = numbers.get(type) ?? 0;
    numbers.set(type, next + 1);
    return cores.map((core) => fact('cpu_group', type, osIndex ?? next, name, core));
  });
  return [...threads, ...bounded('cpu_group', grouped.length, () => grouped)];
}

function kindFacts({ coreKinds }: MachineDescription): readonly Fact[] {
  return coreKinds.flatMap(({ name, cores, speed }) => cores.map((core) => fact('cpu_kind', core, name, speed)));
}

function cacheFacts(description: MachineDescription): readonly Fact[] {
  return cacheInstances(description).flatMap(({ level, bytes, cores }) =>
    cores.map((core) => fact('cache', `l${level}_${cores[0]}`, core, level, bytes, cores.length)),
  );
}

/** Nodes lie one after the other in the address space, as firmware lays them out. */
function memoryFacts({ numaNodes, memoryCaches }: MachineDescription): readonly Fact[] {
  let end = 0n;
  const nodes = numaNodes.flatMap(({ memoryBytes, osIndex, subtype }, node) => {
    const itself = fact('numa_node', node, osIndex ?? node, subtype ?? 'unknown', memoryBytes ?? 'unknown');
    if (memoryBytes === null || memoryBytes === 0) return [itself];
    const base = end;
    end += BigInt(memoryBytes);
    const sizeBits = memoryBytes.toString(2).length - 1;
    return [
      itself,
      fact('memory_region', base, sizeBits, memoryBytes, 'ram', node),
      fact('memory_affinity', base, memoryBytes, node),
    ];
  });
  const caches = memoryCaches.flatMap(({ bytes, nodes: behind }) =>
    behind.map((node) => fact('memory_cache', node, bytes === 0 ? 'unknown' : bytes)),
  );
  return [...nodes, ...caches];
}

/** For each core its local nodes, nearest first. */
function affinityFacts({ numaNodes }: MachineDescription, machine: Machine): readonly Fact[] {
  const count = numaNodes.reduce((sum, { cores }) => sum + cores.length, 0);
  const local = Array.from({ length: machine.cores }, (_, core) => {
    const nearest = machine.numaNodeOf(core);
    return nearest < 0 ? [] : [nearest];
  });
  return bounded('cpu_affinity', count, () => {
    numaNodes.forEach(({ cores }, node) => {
      for (const core of cores) if (known(local[core])[0] !== node) known(local[core]).push(node);
    });
    return local.flatMap((nodes, core) => nodes.map((node) => fact('cpu_affinity', core, core, node)));
  }).concat(local.flatMap(([node], core) => (node === undefined ? [] : [fact('nearest_node', core, node)])));
}

function distanceFacts(description: MachineDescription, machine: Machine): readonly Fact[] {
  const nodes = [...description.numaNodes.keys()];
  const packages = [...description.packages.keys()];
  const homes = [...new Set(Array.from({ length: machine.cores }, (_, core) => machine.numaNodeOf(core)))];
  const hops = homes.length ** 2 * Math.min(1, description.hopDistances.length);
  return [
    ...bounded('node_distance', nodes.length ** 2, () =>
      pairs(nodes).map(([a, b]) => fact('node_distance', a, b, machine.numaDistance(a, b))),
    ),
    ...bounded('node_hops', hops, () =>
      pairs(homes).flatMap(([a, b]) => {
        const told = machine.nodeHops(a, b);
        return told === null ? [] : [fact('node_hops', a, b, told)];
      }),
    ),
    ...bounded('package_hops', packages.length ** 2, () =>
      pairs(packages).map(([a, b]) => fact('package_hops', a, b, machine.packageHops(a, b))),
    ),
    ...bounded('link', linkCount(description), () => linksOf(description).map(([a, b]) => fact('link', a, b))),
  ];
}

function costFacts({ costs }: MachineDescription, machine: Machine): readonly Fact[] {
  const { send, latency, receive } = costs;
  const hops = Array.from({ length: machine.mostHops() }, (_, index) => index + 1);
  const row = (relation: string, cost: (costs: RelationCosts) => number): Fact =>
    fact('message_cost', relation, cost(send), cost(latency), cost(receive));
  return [
    row('same_core', (of) => of.sameCore),
    row('shared_cache', (of) => of.sharedCache),
    row('same_package', (of) => of.samePackage),
    ...hops.map((hop) => row(`hop_${hop}`, (of) => of.hops[Math.min(hop, of.hops.length) - 1] ?? 0)),
  ];
}

/** The facts; if there are too many, one that says so. */
function bounded(name: string, count: number, make: () => readonly Fact[]): readonly Fact[] {
  if (count <= MOST_FACTS_OF_A_NAME) return make();
  const args: readonly FactTerm[] = [name, count, MOST_FACTS_OF_A_NAME];
  return [fact(LEFT_OUT, ...args)];
}

function pairs(list: readonly number[]): (readonly [number, number])[] {
  return list.flatMap((a) => list.map((b) => [a, b] as const));
}
