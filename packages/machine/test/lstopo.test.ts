/**
 * The loader and hwloc's own tools read the same files; their results must agree. Debian's hwloc-nox has the tools; CI
 * installs it and sets MK_REQUIRE_LSTOPO; elsewhere the suite is skipped with a message when they are missing.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MachineDescription } from '../src/description.ts';
import { loadMachine } from '../src/io/load.ts';
import { Machine } from '../src/machine.ts';

const DATA = fileURLToPath(new URL('data/', import.meta.url));
const LSTOPO = 'lstopo-no-graphics';

/** Synthetic machines, in hwloc's notation. */
const SYNTHETIC = [
  'pack:2 [numa] core:4 pu:1',
  'pack:2 core:4 pu:2',
  '[numa] pack:2 [numa] core:2 pu:1',
  'pack:2 [numa] [numa] l3:2 core:2 pu:2',
  'pack:2 numa:2 l3:2 l2:2 l1:2 core:1 pu:2',
  'pack:1 die:2 [numa] l3:1 core:4 pu:2',
  'group:2 pack:2 [numa(memory=8GB)] l3:1(size=4MB) core:2 pu:1',
  '[numa(memory=64GB)] pack:4 [numa(memory=16GB)] core:2 pu:4',
  'pack:64 [numa] core:4 pu:1',
  'pack:2 [numa] core:100 pu:2',
  'pack:200 core:1 pu:1',
];

function tool(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 64 << 20 });
}

function hasTools(): boolean {
  try {
    tool(LSTOPO, ['--version']);
    tool('hwloc-calc', ['--version']);
    return true;
  } catch {
    return false;
  }
}

/** What both must agree on about a file. By OS index throughout, since the two may number objects differently. */
interface Said {
  readonly pus: readonly number[];
  readonly packages: number;
  readonly cores: number;
  /** By OS index: the memory, and the OS indexes of the local PUs. */
  readonly nodes: Readonly<Record<number, { readonly kib: number; readonly pus: readonly number[] }>>;
  /** Level and size, and how many. */
  readonly caches: Readonly<Record<string, number>>;
  /** From node to node, by OS indexes; null without a matrix. */
  readonly distances: Readonly<Record<string, number>> | null;
}

/** lstopo prints sizes in whole KiB. */
const KIB = 1024;
const UNITS: Readonly<Record<string, number>> = { '': 1 / KIB, KB: 1, MB: KIB, GB: KIB ** 2 };

function lstopoSays(file: string): Said {
  const lines = tool(LSTOPO, ['-v', '--if', 'xml', '-i', file, '--of', 'console']).split('\n');
  const calc = (...args: string[]): number[] => {
    const text = tool('hwloc-calc', ['--if', 'xml', '-i', file, '--pi', '--po', ...args]).trim();
    return text === '' ? [] : text.split(',').map(Number);
  };
  const nodes: Record<number, { kib: number; pus: number[] }> = {};
  const caches: Record<string, number> = {};
  for (const line of lines) {
    const node = /^\s*NUMANode.* L#\d+ \(P#(\d+)(?: local=(\d+)(KB|MB|GB)?)?/.exec(line);
    if (node !== null) {
      const kib = Number(node[2] ?? 0) * UNITS[node[3] ?? '']!;
      nodes[Number(node[1])] = { kib, pus: sorted(calc('-I', 'pu', `numanode:${node[1]}`)) };
    }
    const cache = /^\s*L(\d)d?(?:Cache)?(?:\([^)]*\))? L#\d+ \((?:P#\d+ )?(?:size=(\d+)(KB|MB|GB)?)?/.exec(line);
    if (cache !== null) count(caches, `L${cache[1]} ${Number(cache[2] ?? 0) * UNITS[cache[3] ?? '']!}`);
  }
  return {
    pus: sorted(calc('-I', 'pu', 'all')),
    packages: calc('-N', 'package', 'all')[0]!,
    cores: calc('-N', 'core', 'all')[0]!,
    nodes,
    caches,
    distances: lstopoDistances(file),
  };
}

/** The first matrix of nodes that `lstopo --distances` prints. */
function lstopoDistances(file: string): Said['distances'] {
  const text = tool(LSTOPO, ['-p', '--distances', '--if', 'xml', '-i', file]);
  const found = /latency matrix[^\n]*between \d+ NUMANodes[^\n]*\n\s*index ([^\n]*)\n([\s\d]*)/.exec(text);
  if (found === null) return null;
  const numbers = (line: string): number[] => line.trim().split(/\s+/).map(Number);
  const columns = numbers(found[1]!);
  const distances: Record<string, number> = {};
  for (const line of found[2]!.split('\n').slice(0, columns.length)) {
    const [row, ...values] = numbers(line);
    values.forEach((value, at) => (distances[`${row}-${columns[at]}`] = value));
  }
  return distances;
}

function loaderSays(file: string): Said {
  const loaded = loadMachine(file, '/nowhere');
  if (!loaded.ok) throw new Error(loaded.error);
  const description = loaded.value;
  const os = (core: number): number => description.processors[core]!.osIndex;
  const caches: Record<string, number> = {};
  for (const { level, bytes, groups } of description.caches) {
    // The L1 that the loader assumes for a core's threads is in no file.
    if (bytes > 0) caches[`L${level} ${Math.floor(bytes / KIB)}`] = groups.length;
  }
  return {
    pus: sorted(description.processors.map(({ osIndex }) => osIndex)),
    packages: description.packages.length,
    cores: new Set(
      description.packages.flatMap(({ cores }, index) =>
        cores.map((core) => `${index} ${description.processors[core]!.core}`),
      ),
    ).size,
    nodes: Object.fromEntries(
      description.numaNodes.map(({ osIndex, memoryBytes, cores }, place) => [
        osIndex ?? place,
        { kib: Math.floor((memoryBytes ?? 0) / KIB), pus: sorted(cores.map(os)) },
      ]),
    ),
    caches,
    distances: loaderDistances(description),
  };
}

function loaderDistances(description: MachineDescription): Said['distances'] {
  if (description.numaDistances.length === 0) return null;
  const machine = new Machine(description);
  const index = description.numaNodes.map(({ osIndex }, place) => osIndex ?? place);
  return Object.fromEntries(
    index.flatMap((a, i) => index.map((b, j) => [`${a}-${b}`, machine.numaDistance(i, j)] as const)),
  );
}

function sorted(list: readonly number[]): number[] {
  return [...list].sort((a, b) => a - b);
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

const present = hasTools();
if (!present) {
  if (process.env['MK_REQUIRE_LSTOPO'] === '1') throw new Error('lstopo is required here and not installed');
  console.warn('lstopo is not installed (Debian: hwloc-nox): the suite that compares with it is skipped');
}

(present ? describe : describe.skip)('the loader and lstopo say the same of', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'mk-lstopo-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const expectAgreement = (file: string): void => expect(loaderSays(file)).toEqual(lstopoSays(file));

  test.each(readdirSync(join(DATA, 'hwloc')).filter((name) => name.endsWith('.xml')))('the public file %s', (name) => {
    // hwloc 2 rejects the version number of hwloc 3, but reads its elements.
    const text = readFileSync(join(DATA, 'hwloc', name), 'utf8').replace(
      '<topology version="3.0">',
      '<topology version="2.0">',
    );
    const copy = join(folder, name);
    writeFileSync(copy, text);
    expectAgreement(copy);
    const old = join(folder, `old-${name}`);
    tool(LSTOPO, ['--if', 'xml', '-i', copy, '--of', 'xml', '--export-xml-flags', 'v1', '-f', old]);
    const [said, again] = [loaderSays(copy), loaderSays(old)];
    expect({ ...again, caches: said.caches }).toEqual(said);
  });

  test.each(SYNTHETIC)('an export of %s', (synthetic) => {
    const file = join(folder, 'export.xml');
    tool(LSTOPO, ['-i', synthetic, '--of', 'xml', '-f', file]);
    expectAgreement(file);
  });

  test('this very host', () => {
    const file = join(folder, 'host.xml');
    tool(LSTOPO, ['--of', 'xml', '-f', file]);
    expectAgreement(file);
  });

  test.each(['lstopo-node-outside.xml', 'lstopo-two-nodes-a-package.xml', 'lstopo-smt.xml'])('the case %s', (name) =>
    expectAgreement(join(DATA, 'cases', name)),
  );

  test('processing units and nodes that are not allowed', () => {
    const file = join(folder, 'export.xml');
    tool(LSTOPO, ['-i', 'pack:2 [numa] core:2 pu:2', '--of', 'xml', '-f', file]);
    const text = readFileSync(file, 'utf8');
    const some = text.replace('allowed_cpuset="0x000000ff"', 'allowed_cpuset="0x0000005b"');
    writeFileSync(file, some.replace('allowed_nodeset="0x00000003"', 'allowed_nodeset="0x00000002"'));
    expectAgreement(file);
    expect(loaderSays(file)).toMatchObject({ pus: [0, 1, 3, 4, 6], nodes: { 1: { pus: [4, 6] } } });
  });
});
