import { known } from '@mk/monitor-proto/assert';
import { z } from 'zod';
import { adjacency, BARE, checkMessageTimes, FREE, hopsFrom, MAX_CORES, MAX_NODES } from './description.ts';
import type { CacheLevel, MachineDescription, NumaNode, RelationCosts } from './description.ts';
import { parseBytes } from './duration.ts';
import { refuse, type Result, succeed } from '@mk/monitor-proto/result';
import { parsedBy, parseStrict } from './strict.ts';

const MAX_NAME = 100;
const MAX_DOC = 1000;
/** At a slower clock, cycles take longer than anyone can wait. */
const MIN_GHZ = 0.001;

/**
 * Reads a machine description in YAML; packages/launcher/machines/flat.yaml explains the format. The error is one line
 * that begins with `what` and names the place, and for an unknown key suggests the nearest known one.
 */
export function parseMachineYaml(text: string, what = 'machine description'): Result<MachineDescription, string> {
  const parsed = parseStrict(text, MACHINE, what);
  if (!parsed.ok) return parsed;
  const built = build(parsed.value);
  return built.ok ? built : refuse(`${what}: ${built.error}`);
}

const cost = z.number().min(0).max(1e12);
const coreList = z
  .array(
    z
      .int()
      .min(0)
      .max(MAX_CORES - 1),
  )
  .min(1);
const bytes = parsedBy(parseBytes).meta({ title: 'bytes (8MiB)' });

const RELATION_COSTS = z.strictObject({
  same_core: cost.optional(),
  shared_cache: cost.optional(),
  same_package: cost,
  hops: z.array(cost).min(1).optional(),
});

/** The machine file. */
export const MACHINE = z.strictObject({
  name: z
    .string()
    .max(MAX_NAME)
    .regex(/^[a-z0-9][a-z0-9._-]*$/i, 'must be letters, digits, dots and dashes')
    .describe('its name for --machine and mkctl'),
  doc: z.string().max(MAX_DOC).default('').describe('one line for people'),
  ghz: z.number().min(MIN_GHZ).max(100).default(1).describe('clock: turns cycles into time'),
  packages: z
    .union([
      z.strictObject({ count: z.int().min(1).max(MAX_CORES), cores: z.int().min(1).max(MAX_CORES) }),
      z.array(coreList).min(1).max(MAX_CORES),
    ])
    .describe('cores by package: how many of how many, or the cores of each'),
  numa: z
    .union([
      z.strictObject({
        per: z.union([z.enum(['package', 'machine']), z.int().min(1).max(MAX_CORES)]),
        memory: bytes.optional(),
      }),
      z
        .array(z.strictObject({ cores: coreList, memory: bytes.optional() }))
        .min(1)
        .max(MAX_NODES),
    ])
    .optional()
    .describe(
      'memory nodes: one for each package, machine or so many cores, or the cores of each; memory is that of each node',
    ),
  distances: z
    .array(z.array(z.number().min(1).max(1e6)))
    .optional()
    .describe('between nodes, as hwloc and ACPI give them; 10 is local'),
  caches: z
    .array(
      z.strictObject({
        level: z.int().min(1).max(5),
        size: bytes,
        shared_by: z.union([z.enum(['core', 'package']), z.int().min(1).max(MAX_CORES), z.array(coreList).min(1)]),
      }),
    )
    .default([])
    .describe('levels, sizes, and who shares one'),
  interconnect: z
    .union([z.enum(['full', 'ring']), z.array(z.array(z.int().min(0)).length(2, 'must be a pair of packages'))])
    .default('full')
    .describe('which packages are next to one another: all, a ring, or pairs'),
  costs: z
    .strictObject({
      unit: z.enum(['cycles', 'ns']),
      send: RELATION_COSTS.optional(),
      receive: RELATION_COSTS.optional(),
      latency: RELATION_COSTS.optional(),
      gap: RELATION_COSTS.optional(),
      lrpc: cost.optional(),
    })
    .optional()
    .describe(
      'what a message costs the sender, on the way and the receiver, by how far apart they are; hops: one, two, … packages away',
    ),
  time_scale: z
    .number()
    .min(0)
    .max(1e9)
    .default(1)
    .describe('factor from modelled to wall-clock time; 0: links are not delayed'),
});

type MachineFile = z.infer<typeof MACHINE>;

function build(file: MachineFile): Result<MachineDescription, string> {
  const cores = Array.isArray(file.packages)
    ? file.packages.reduce((sum, list) => sum + list.length, 0)
    : file.packages.count * file.packages.cores;
  if (cores > MAX_CORES) {
    return refuse(`packages: ${cores} cores; at most ${MAX_CORES} (--cores makes a machine larger)`);
  }
  const packages = Array.isArray(file.packages) ? file.packages : consecutive(file.packages.count, file.packages.cores);
  const edges = interconnect(file, packages.length);
  const nodes = numaNodes(file, packages);
  const caches = file.caches.map(({ level, size, shared_by: by }) => ({
    level,
    bytes: size,
    groups: groups(by, packages),
  }));
  const problem =
    checkCores(packages, cores) ??
    checkCaches(caches, cores) ??
    checkNodes(nodes, cores) ??
    checkDistances(file.distances, nodes.length) ??
    checkInterconnect(edges, packages.length);
  if (problem !== null) return refuse(problem);
  const nodeOf = new Map(nodes.flatMap((node, index) => node.cores.map((core) => [core, index] as const)));
  const scale = file.costs?.unit === 'cycles' ? 1 / file.ghz : 1;
  const description: MachineDescription = {
    ...BARE,
    name: file.name,
    doc: file.doc,
    ghz: file.ghz,
    packages: packages.map((list) => ({ cores: list, numaNode: known(nodeOf.get(known(list[0]))) })),
    numaNodes: nodes,
    numaDistances: file.distances ?? [],
    caches,
    interconnect: edges,
    costs: {
      send: relationCosts(file.costs?.send, scale),
      receive: relationCosts(file.costs?.receive, scale),
      latency: relationCosts(file.costs?.latency, scale),
      gap: relationCosts(file.costs?.gap, scale),
      lrpc: (file.costs?.lrpc ?? 0) * scale,
    },
    timeScale: file.time_scale,
  };
  const slow = checkMessageTimes(description, file.time_scale);
  return slow === null ? succeed(description) : refuse(`costs: ${slow}`);
}

function consecutive(count: number, size: number): number[][] {
  return Array.from({ length: count }, (_, p) => Array.from({ length: size }, (__, i) => p * size + i));
}

function interconnect(file: MachineFile, packages: number): MachineDescription['interconnect'] {
  if (file.interconnect === 'full') return 'full';
  if (typeof file.interconnect !== 'string')
    return file.interconnect.map(([a, b]): [number, number] => [known(a), known(b)]);
  const ring = Array.from({ length: packages - 1 }, (_, p): [number, number] => [p, p + 1]);
  return packages > 2 ? [...ring, [packages - 1, 0]] : ring;
}

function numaNodes(file: MachineFile, packages: readonly number[][]): NumaNode[] {
  if (Array.isArray(file.numa)) return file.numa.map(({ cores, memory = null }) => ({ memoryBytes: memory, cores }));
  const memoryBytes = file.numa?.memory ?? null;
  if (file.numa?.per === 'machine') return [{ memoryBytes, cores: packages.flat() }];
  return groups(file.numa?.per ?? 'package', packages).map((cores) => ({ memoryBytes, cores }));
}

function groups(by: 'core' | 'package' | number | number[][], packages: readonly number[][]): readonly number[][] {
  if (Array.isArray(by)) return by;
  if (by === 'package') return packages;
  const size = by === 'core' ? 1 : by;
  return packages.flatMap((cores) =>
    Array.from({ length: Math.ceil(cores.length / size) }, (_, i) => cores.slice(i * size, (i + 1) * size)),
  );
}

function relationCosts(costs: z.infer<typeof RELATION_COSTS> | undefined, scale: number): RelationCosts {
  if (costs === undefined) return FREE;
  return {
    sameCore: (costs.same_core ?? 0) * scale,
    sharedCache: (costs.shared_cache ?? costs.same_package) * scale,
    samePackage: costs.same_package * scale,
    hops: (costs.hops ?? [costs.same_package]).map((hop) => hop * scale),
  };
}

function checkCores(packages: readonly number[][], cores: number): string | null {
  const seen = new Set<number>();
  for (const [p, list] of packages.entries()) {
    for (const core of list) {
      if (seen.has(core)) return `packages[${p}]: core ${core} is in two packages`;
      if (core >= cores) return `packages[${p}]: there is no core ${core}; they are numbered 0 to ${cores - 1}`;
      seen.add(core);
    }
  }
  return null;
}

function checkCaches(caches: readonly CacheLevel[], cores: number): string | null {
  for (const [i, { groups: lists }] of caches.entries()) {
    const seen = new Set<number>();
    for (const core of lists.flat()) {
      if (core >= cores) return `caches[${i}].shared_by: there is no core ${core}`;
      if (seen.has(core)) return `caches[${i}].shared_by: core ${core} is listed twice`;
      seen.add(core);
    }
  }
  return null;
}

function checkNodes(nodes: readonly NumaNode[], cores: number): string | null {
  const seen = new Set<number>();
  for (const [i, node] of nodes.entries()) {
    for (const core of node.cores) {
      if (core >= cores) return `numa[${i}].cores: there is no core ${core}`;
      if (seen.has(core)) return `numa[${i}].cores: core ${core} is in two nodes`;
      seen.add(core);
    }
  }
  const missing = Array.from({ length: cores }, (_, core) => core).find((core) => !seen.has(core));
  return missing === undefined ? null : `numa: core ${missing} is in no node`;
}

function checkDistances(matrix: readonly (readonly number[])[] | undefined, nodes: number): string | null {
  if (matrix === undefined) return null;
  if (matrix.length !== nodes) return `distances: ${matrix.length} rows for ${nodes} NUMA nodes`;
  for (const [i, row] of matrix.entries()) {
    if (row.length !== nodes) return `distances[${i}]: ${row.length} values for ${nodes} NUMA nodes`;
    const nearer = row.findIndex((distance, j) => j !== i && distance < known(row[i]));
    if (nearer >= 0) return `distances[${i}][${nearer}]: ${row[nearer]} is nearer than the node itself (${row[i]})`;
  }
  return null;
}

function checkInterconnect(edges: MachineDescription['interconnect'], packages: number): string | null {
  if (edges === 'full') return null;
  for (const [i, [a, b]] of edges.entries()) {
    const beyond = Math.max(a, b);
    if (beyond >= packages) return `interconnect[${i}]: there is no package ${beyond}; there are ${packages}`;
    if (a === b) return `interconnect[${i}]: package ${a} is linked to itself`;
  }
  const hops = hopsFrom(0, adjacency(packages, edges));
  const cut = hops.indexOf(-1);
  return cut < 0 ? null : `interconnect: package ${cut} cannot be reached from package 0`;
}
