/** How the loader treats each part of an hwloc file: the table of docs/reference/machines.md. */
export interface Coverage {
  readonly part: string;
  /** Its result; null: it is ignored. */
  readonly becomes: string | null;
  readonly facts: string;
  readonly note: string;
}

export const HWLOC_COVERAGE: readonly Coverage[] = [
  {
    part: 'PU, `os_index`',
    becomes: 'a core, in the order of the file; up to 1,024',
    facts: '`cpu_thread`, `corename(_, _, apic(OsIndex))`',
    note: 'Without `os_index`, twice, or within another PU: refused.',
  },
  {
    part: '`allowed_cpuset`, `online_cpuset`, `cpuset` of the Machine and of the PU',
    becomes: 'PUs outside are left out, as lstopo does',
    facts: '',
    note: 'When none is left the file is refused.',
  },
  {
    part: 'Core',
    becomes: 'the core in its package, and the thread of each PU in it',
    facts: '`cpu_thread(Core, Package, CoreInPackage, Thread)`',
    note: 'Its `os_index` is not read. A PU in no Core is thread 0 of a core of its own.',
  },
  {
    part: 'Package, Socket',
    becomes: 'a package',
    facts: '`cpu_thread`, `package_hops`, `link`',
    note: 'PUs outside every Package are one more. Without any, NUMANodes, Dies, Groups or the Machine stand for packages.',
  },
  {
    part: 'NUMANode: `cpuset`, `os_index`, `subtype`, `local_memory`',
    becomes: 'a node with the cores of its cpuset, wherever it stands; several may have the same cores, or none',
    facts: '`numa_node`, `cpu_affinity` (nearest first), `nearest_node`, `memory_region`, `memory_affinity`',
    note: 'Without `local_memory` its size is unknown and it has no region. Outside `allowed_nodeset`: left out, as lstopo does. Up to 1,024.',
  },
  {
    part: 'MemCache',
    becomes: 'a cache in front of its nodes',
    facts: '`memory_cache(Node, Bytes)`',
    note: 'A memory-side L3 that hwloc writes as an L3Cache is an L3.',
  },
  {
    part: 'L1Cache to L5Cache, Cache with `depth`',
    becomes: 'a cache that its PUs share, for the relation shared_cache',
    facts: '`cache(Name, Core, Level, Bytes, SharingCores)`',
    note: 'Data and unified caches; 0 bytes where the size is unknown. Without any cache the threads of a Core share an L1.',
  },
  {
    part: 'Die, Group',
    becomes: 'a group of cores',
    facts: '`cpu_group(Type, Index, Name, Core)`',
    note: 'Messages cost by caches, distances and packages, not by groups.',
  },
  {
    part: 'distances2 (latency) of NUMANode or Package, distances of hwloc 1 by `relative_depth`',
    becomes: 'memory distances, and hops between cores: the rank of the distance between their nearest nodes',
    facts: '`node_distance`, `node_hops`, `package_hops`, `message_cost`',
    note: '`NUMALatency` first, then firmware’s, then a user’s. Whole numbers to 10⁹; nothing may be nearer than local memory.',
  },
  {
    part: 'cpukind: `CoreType`, `LinuxCapacity`, `FrequencyMaxMHz`, `FrequencyBaseMHz`',
    becomes: 'kinds of cores with a speed relative to the fastest; a slow core is busy with a message for longer',
    facts: '`cpu_kind(Core, Kind, Speed)`',
    note: 'By the first of the three that every kind has; `forced_efficiency` is a rank, not a speed.',
  },
  {
    part: '`CPUModel` info',
    becomes: 'the clock, where it ends in `@ 2.70GHz`',
    facts: '',
    note: 'Else 2 GHz. Costs in cycles are those of amd-8x4: hwloc has none.',
  },
  {
    part: 'L1iCache and other instruction caches, `cache_linesize`, `cache_associativity`',
    becomes: null,
    facts: '',
    note: 'They cost a message nothing.',
  },
  {
    part: 'Bridge, PCIDev, OSDev, Misc; memattrs; page_type; other infos and support',
    becomes: null,
    facts: '',
    note: 'Devices and bandwidths are not modelled.',
  },
  {
    part: 'distances of PUs, Cores, caches and devices, bandwidths, distances2hetero',
    becomes: null,
    facts: '',
    note: 'Only nodes and packages are far apart here.',
  },
  {
    part: 'objects of a type that is not listed here',
    becomes: null,
    facts: '',
    note: 'The PUs inside are read as if the object were not there.',
  },
];
