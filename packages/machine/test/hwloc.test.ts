import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { coreCount } from '../src/description.ts';
import type { MachineDescription } from '../src/description.ts';
import { parseHwloc } from '../src/hwloc.ts';
import { loadMachine } from '../src/io/load.ts';
import { Machine } from '../src/machine.ts';
import { forCores } from '../src/resize.ts';

function data(name: string): string {
  return readFileSync(new URL(`data/${name}.xml`, import.meta.url), 'utf8');
}

function load(name: string): MachineDescription {
  const parsed = parseHwloc(data(name), name);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

function refusal(text: string): string {
  const parsed = parseHwloc(text, 'm.xml');
  if (parsed.ok) throw new Error('was taken');
  expect(parsed.error).toMatch(/^m\.xml: [^\n]+$/);
  return parsed.error;
}

/** A machine of one package around some elements. */
function around(inside: string, after = ''): string {
  const objects = `<object type="Machine"><object type="Package" os_index="0">${inside}</object></object>`;
  return `<topology version="2.0">${objects}${after}</topology>`;
}

const PU = (index: number) => `<object type="PU" os_index="${index}"/>`;

describe('real and synthetic machines load', () => {
  // name, cores, packages, NUMA nodes
  test.each([
    ['hwloc/16amd64-4distances', 16, 8, 8],
    ['hwloc/16em64t-4s2c2t', 16, 4, 1],
    ['hwloc/32em64t-2n8c2t-pci-noio', 32, 2, 2],
    ['hwloc/96em64t-4n4d3ca2co-pci', 96, 16, 4],
    ['hwloc/fakecpukinds', 4, 1, 1],
    ['generated/8pack-4core', 32, 8, 8],
    ['generated/8pack-4core-v1', 32, 8, 8],
    ['generated/2pack-2die-l3-smt', 16, 2, 4],
    ['generated/2pack-l3-smt-v1', 16, 2, 2],
    ['generated/4pack-2numa-v1', 16, 4, 8],
    ['generated/4numa-1pack-v1', 8, 4, 4],
    ['generated/4core', 4, 1, 1],
    ['generated/64pack-4core', 256, 64, 64],
    ['generated/old-distances', 8, 4, 4],
  ])('%s', (name, cores, packages, nodes) => {
    const description = load(name);
    const found = [coreCount(description), description.packages.length, description.numaNodes.length];
    expect(found).toEqual([cores, packages, nodes]);
    const everyCore = Array.from({ length: cores }, (_, core) => core);
    expect(description.packages.flatMap((p) => p.cores).sort((a, b) => a - b)).toEqual(everyCore);
    expect(description.numaNodes.flatMap((n) => n.cores).sort((a, b) => a - b)).toEqual(everyCore);
    const machine = new Machine(description);
    for (const b of everyCore) expect(machine.oneWayNs(0, b)).toBeGreaterThanOrEqual(b === 0 ? 0 : 1);
    expect(coreCount(forCores(description, cores + 3))).toBe(cores + 3);
    expect(coreCount(forCores(description, cores - 1))).toBe(cores - 1);
  });

  test('both generations of the format give the same machine', () => {
    expect(load('generated/8pack-4core-v1')).toEqual(load('generated/8pack-4core'));
  });

  test('loadMachine knows XML by its name', () => {
    const path = fileURLToPath(new URL('data/hwloc/fakecpukinds.xml', import.meta.url));
    expect(loadMachine(path, '/nowhere')).toMatchObject({ ok: true, value: { name: 'fakecpukinds' } });
  });
});

describe('what a file says comes through', () => {
  test('memory, caches, clock', () => {
    const description = load('hwloc/16amd64-4distances');
    expect(description.numaNodes[0]!.memoryBytes).toBe(8589934592);
    expect(description.caches.map(({ level, bytes, groups }) => [level, bytes, groups.length])).toEqual([
      [1, 65536, 16],
      [2, 1048576, 16],
    ]);
    expect(load('generated/old-distances')).toMatchObject({ ghz: 2.8, caches: [{ level: 2, groups: [[0], [1]] }] });
  });

  test('the distances between packages become hops, and farther costs more', () => {
    const machine = new Machine(load('hwloc/16amd64-4distances'));
    // The row of the first package, in the order of the file's packages: 10 20 80 40 80 80 40 80.
    const relations = ['same_core', 'hop_1', 'hop_3', 'hop_2', 'hop_3', 'hop_3', 'hop_2', 'hop_3'];
    expect([0, 2, 4, 6, 8, 10, 12, 14].map((core) => machine.relation(0, core))).toEqual(relations);
    expect(machine.oneWayNs(0, 4)).toBeGreaterThan(machine.oneWayNs(0, 6));
    expect(machine.oneWayNs(0, 6)).toBeGreaterThan(machine.oneWayNs(0, 2));
    expect(machine.numaDistance(0, 1)).toBe(20);
  });

  test('a latency matrix of hwloc 1', () => {
    const machine = new Machine(load('generated/old-distances'));
    expect([machine.numaDistance(0, 0), machine.numaDistance(0, 1), machine.numaDistance(0, 3)]).toEqual([10, 16, 22]);
    expect([machine.packageHops(0, 1), machine.packageHops(0, 3)]).toEqual([1, 2]);
  });

  test('packages that share a NUMA node are nearer than others', () => {
    const machine = new Machine(load('hwloc/96em64t-4n4d3ca2co-pci'));
    expect([machine.packageHops(0, 1), machine.packageHops(0, 4)]).toEqual([1, 2]);
    expect([machine.numaNodeOf(0), machine.numaNodeOf(95)]).toEqual([0, 3]);
  });

  test('threads of one core share a cache even where the file has none', () => {
    expect(new Machine(load('hwloc/fakecpukinds')).relation(0, 1)).toBe('shared_cache');
    expect(new Machine(load('hwloc/fakecpukinds')).relation(0, 2)).toBe('same_package');
  });

  test('a slower kind of core is busy with a message for longer', () => {
    const description = load('hwloc/fakecpukinds');
    const machine = new Machine(description);
    const byOsIndex = [0, 1, 2, 3].map((index) => description.processors.findIndex(({ osIndex }) => osIndex === index));
    expect(byOsIndex.map((core) => machine.speedOf(core))).toEqual([0.5, 0.5, 1, 1]);
    const [slow, , fast] = byOsIndex as [number, number, number];
    expect(machine.sendOccupancyNs(slow, fast)).toBe(2 * machine.sendOccupancyNs(fast, slow));
    expect(machine.receiveOccupancyNs(fast, slow)).toBe(2 * machine.receiveOccupancyNs(slow, fast));
    expect(machine.latencyNs(slow, fast)).toBe(machine.latencyNs(fast, slow));
  });

  test('nodes of one package that are apart cost more than one node, and no more than another package', () => {
    const machine = new Machine(load('cases/two-nodes-per-package'));
    const cost = (to: number) => machine.oneWayNs(0, to);
    expect(cost(2)).toBeGreaterThan(cost(1));
    expect(cost(4)).toBe(cost(2));
    expect(cost(6)).toBeGreaterThan(cost(4));
  });

  test('memory without cores is a node of its own', () => {
    const text = around(`<object type="NUMANode" os_index="0" cpuset="0x3" local_memory="5"/><object type="NUMANode"
      os_index="1" cpuset="0x0" local_memory="7"/>${PU(0)}${PU(1)}`);
    expect(parseHwloc(text)).toMatchObject({
      ok: true,
      value: {
        numaNodes: [
          { memoryBytes: 5, cores: [0, 1] },
          { memoryBytes: 7, cores: [] },
        ],
      },
    });
  });
});

describe('refusals name the element', () => {
  test.each([
    ['', /the file is empty/],
    ['plain text', /not well-formed XML at line 1/],
    ['<topology><object></topology>', /not well-formed XML at line 1/],
    ['<html></html>', /root element is <html>/],
    ['<topology version="9.0"><object type="Machine"/></topology>', /<topology version="9.0">/],
    ['<topology></topology>', /root element|holds 0 object elements/],
    ['<topology version="2.0"><info name="a" value="b"/></topology>', /holds 0 object elements/],
    ['<topology><object os_index="1"/></topology>', /object element in <topology> has no type/],
    [around('<object os_index="1"/>'), /object element in Package os_index="0" has no type/],
    [around(''), /there is no PU element/],
    [around(Array.from({ length: 1025 }, (_, i) => PU(i)).join('')), /1025 PU elements that may be used; at most 1024/],
    [around(PU(1) + PU(1)), /PU os_index="1" appears twice/],
    [
      around(`${PU(0)}<object type="Package" os_index="9">${PU(1)}</object>`),
      /Package os_index="9" lies within Package os_index="0"/,
    ],
    [`<topology><object type="Machine" allowed_cpuset="0x4">${PU(1)}</object></topology>`, /none of the 1 PU elements/],
    [
      around(`<object type="NUMANode" os_index="0" cpuset="nine"/>${PU(1)}`),
      /has cpuset="nine", which is not a bitmap/,
    ],
    [
      around('<object type="PU" os_index="1" cpuset="0x1"/>'),
      /PU os_index="1" has cpuset="0x1", where it is not itself/,
    ],
    [
      around(`<object type="NUMANode" os_index="4" local_memory="lots"/>${PU(0)}${PU(1)}`),
      /NUMANode os_index="4" has local_memory="lots"/,
    ],
    ['<!DOCTYPE t [<!ENTITY a "b">]><topology>&a;</topology>', /<!ENTITY> is not allowed/],
  ])('%#', (text, error) => {
    expect(refusal(text)).toMatch(error);
  });

  const matrix = (inside: string, count = 1) =>
    around(
      `<object type="NUMANode" os_index="0"/>${PU(0)}${PU(1)}`,
      `<distances2 type="NUMANode" nbobjs="${count}" kind="5" indexing="os">${inside}</distances2>`,
    );

  test.each([
    ['<indexes>0</indexes><u64values>10 20</u64values>', /<distances2 type="NUMANode"> has 2 values; 1 objects need 1/],
    ['<indexes>0 1</indexes><u64values>10</u64values>', /has 2 indexes for nbobjs="1"/],
    ['<indexes>6</indexes><u64values>10</u64values>', /names os_index="6", which no NUMANode element has/],
    ['<indexes>0</indexes><u64values>ten</u64values>', /"ten" in the u64values of <distances2/],
    ['', /has 0 indexes/],
  ])('distances: %s', (inside, error) => {
    expect(refusal(matrix(inside))).toMatch(error);
  });

  test('distances of hwloc 1 with a value missing', () => {
    const text = data('generated/old-distances').replace('<latency value="2.200000"/>', '');
    expect(refusal(text)).toMatch(/<distances nbobjs="4"> has 15 values; 4 objects need 16/);
  });

  test('a file cut off anywhere', () => {
    const text = data('hwloc/fakecpukinds');
    for (let length = 200; length < text.length - 15; length += 97) {
      expect(refusal(text.slice(0, length))).toMatch(/not well-formed XML at line \d+/);
    }
  });

  test('elements nested a thousand deep', () => {
    const deep = '<object type="Group">'.repeat(1000) + '</object>'.repeat(1000);
    expect(refusal(around(deep))).toMatch(/nested/i);
  });

  test('no damage makes it throw', () => {
    const text = data('hwloc/fakecpukinds');
    const damage = fc.array(fc.tuple(fc.nat(text.length), fc.nat(20), fc.string()), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(damage, (cuts) => {
        const damaged = cuts.reduce((all, [at, length, put]) => all.slice(0, at) + put + all.slice(at + length), text);
        expect(() => parseHwloc(damaged)).not.toThrow();
      }),
      { numRuns: 500 },
    );
  });
});
