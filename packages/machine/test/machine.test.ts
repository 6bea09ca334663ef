import { describe, expect, test } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { SHIPPED_MACHINES, findMachine } from '../src/catalogue.ts';
import { cacheInstances, coreCount, nsToCycles } from '../src/description.ts';
import type { MachineDescription } from '../src/description.ts';
import { loadMachine } from '../src/io/load.ts';
import { Machine } from '../src/machine.ts';
import { forCores } from '../src/resize.ts';
import { parseMachineYaml } from '../src/yaml.ts';

const machines = fileURLToPath(new URL('../../launcher/machines', import.meta.url));

function shipped(name: string): MachineDescription {
  const loaded = loadMachine(name, machines);
  if (!loaded.ok) throw new Error(loaded.error);
  return loaded.value;
}

/** One-way cycles from core 0 to another. */
function cycles(name: string, to: number): number {
  const machine = new Machine(shipped(name));
  return Math.round(nsToCycles(machine.description, machine.oneWayNs(0, to)));
}

describe('the catalogue', () => {
  test('lists exactly the files that ship', () => {
    const files = readdirSync(machines).map((file) => file.replace('.yaml', ''));
    expect(files.sort()).toEqual(SHIPPED_MACHINES.map(({ name }) => name).sort());
  });

  test.each(SHIPPED_MACHINES.map(({ name }) => name))('%s loads under its own name', (name) => {
    expect(shipped(name).name).toBe(name);
    expect(shipped(name).doc).not.toBe('');
  });

  test('an unknown machine is told the nearest name', () => {
    expect(findMachine('amd-8x5')).toEqual({ ok: false, error: 'unknown machine "amd-8x5"; did you mean amd-8x4?' });
    expect(loadMachine('no/such.yaml', machines)).toEqual({ ok: false, error: 'no/such.yaml: no such file' });
    expect(loadMachine('/', machines)).toEqual({ ok: false, error: '/: is a directory' });
  });
});

describe('the paper’s numbers', () => {
  test('one-way message times, in cycles', () => {
    expect([cycles('amd-8x4', 1), cycles('amd-8x4', 4), cycles('amd-8x4', 12)]).toEqual([538, 613, 618]);
    expect([cycles('amd-4x4', 1), cycles('amd-4x4', 4), cycles('amd-4x4', 12)]).toEqual([448, 545, 558]);
    expect([cycles('amd-2x2', 1), cycles('amd-2x2', 2)]).toEqual([450, 532]);
    expect([cycles('intel-2x4', 1), cycles('intel-2x4', 2), cycles('intel-2x4', 4)]).toEqual([180, 570, 570]);
    expect([cycles('hotos09', 1), cycles('hotos09', 4), cycles('hotos09', 12)]).toEqual([130, 190, 260]);
  });

  test('LRPC', () => {
    const lrpc = ['intel-2x4', 'amd-2x2', 'amd-4x4', 'amd-8x4'].map((name) => {
      const description = shipped(name);
      return Math.round(nsToCycles(description, new Machine(description).lrpcNs));
    });
    expect(lrpc).toEqual([845, 757, 1463, 1549]);
  });

  test('flat adds no delay', () => {
    const machine = new Machine(forCores(shipped('flat'), 64));
    for (let core = 0; core < 64; core++) expect(machine.wallDelayNs(0, core)).toBe(0);
  });
});

describe('Machine', () => {
  const machine = new Machine(shipped('amd-4x4'));

  test('relations', () => {
    expect([0, 1, 4, 12].map((b) => machine.relation(0, b))).toEqual(['same_core', 'shared_cache', 'hop_1', 'hop_2']);
    expect(new Machine(shipped('intel-2x4')).relation(0, 2)).toBe('same_package');
    expect([machine.hops(0, 1), machine.hops(0, 12), machine.packageHops(0, 3)]).toEqual([0, 2, 2]);
  });

  test('packages and nodes', () => {
    expect([machine.packageOf(5), machine.numaNodeOf(5)]).toEqual([1, 1]);
    expect(machine.coresOfPackage(1)).toEqual([4, 5, 6, 7]);
    expect([machine.numaDistance(0, 0), machine.numaDistance(0, 1), machine.numaDistance(0, 3)]).toEqual([10, 16, 22]);
  });

  test('occupancy depends on the distance', () => {
    expect(machine.sendOccupancyNs(0, 12)).toBeGreaterThan(3 * machine.sendOccupancyNs(0, 4));
    expect(machine.wallDelayNs(0, 1)).toBe(2_688_000);
    expect(machine.wallDelayNs(0, 1, 0)).toBe(0);
  });

  test('a core that does not exist is our own bug', () => {
    expect(() => machine.relation(16, 0)).toThrow(/no core 16/);
  });

  test('caches one by one, largest level first', () => {
    const caches = cacheInstances(machine.description);
    expect(caches[0]).toEqual({ level: 3, bytes: 6 * 2 ** 20, cores: [0, 1, 2, 3] });
    expect(caches).toHaveLength(36);
  });
});

describe('forCores', () => {
  test('the same number gives the machine itself', () => {
    const description = shipped('amd-8x4');
    expect(forCores(description, 32)).toBe(description);
  });

  test('256 cores of amd-8x4 are 64 packages, none farther than eight hops', () => {
    const description = forCores(shipped('amd-8x4'), 256);
    const machine = new Machine(description);
    expect([machine.cores, description.packages.length]).toEqual([256, 64]);
    const hops = Array.from({ length: 64 }, (_, p) => machine.packageHops(0, p));
    expect(Math.max(...hops)).toBeLessThanOrEqual(8);
    expect(machine.relation(0, 32)).toBe('hop_1');
  });

  test('a description of 1,024 cores is small enough to travel as one string', () => {
    expect(JSON.stringify(forCores(shipped('amd-8x4'), 1024)).length).toBeLessThan(128 << 10);
  });

  test('a machine cut short keeps the distances of what is left', () => {
    const parsed = parseMachineYaml(`{ name: x, packages: [[0, 2], [1, 3]], distances: [[10, 20], [21, 10]] }`);
    if (!parsed.ok) throw new Error(parsed.error);
    expect(forCores(parsed.value, 3)).toMatchObject({
      packages: [{ cores: [0, 1] }, { cores: [2] }],
      numaDistances: [
        [10, 20],
        [21, 10],
      ],
    });
    expect(forCores(parsed.value, 2)).toMatchObject({ packages: [{ cores: [0, 1] }], numaDistances: [[10]] });
  });

  test('any machine, any size: each core once, everything reachable, all tables whole', () => {
    const names = fc.constantFrom(...SHIPPED_MACHINES.map(({ name }) => name));
    fc.assert(
      fc.property(names, fc.integer({ min: 1, max: 200 }), (name, n) => {
        const description = forCores(shipped(name), n);
        expect(coreCount(description)).toBe(n);
        const expected = Array.from({ length: n }, (_, core) => core);
        expect(description.packages.flatMap(({ cores }) => cores)).toEqual(expected);
        expect(description.numaNodes.flatMap(({ cores }) => cores).sort((a, b) => a - b)).toEqual(expected);
        for (const { cores, numaNode } of description.packages) {
          expect(description.numaNodes[numaNode!]!.cores).toContain(cores[0]);
        }
        const machine = new Machine(description);
        for (let b = 0; b < n; b++) {
          expect(machine.hops(n - 1, b)).toBe(machine.hops(b, n - 1));
          expect(machine.hops(0, b)).toBeLessThan(30);
          expect(machine.latencyNs(0, b)).toBeGreaterThanOrEqual(0);
        }
        expect(forCores(shipped(name), n)).toEqual(description);
      }),
      { numRuns: 60 },
    );
  });

  test('no machine has zero or half a core', () => {
    for (const n of [0, -1, 1.5, Number.NaN]) expect(() => forCores(shipped('flat'), n)).toThrow(RangeError);
  });
});

describe('parseMachineYaml', () => {
  const sound = 'name: x\npackages: { count: 2, cores: 2 }\n';

  test('takes the least there can be', () => {
    const value = {
      name: 'x',
      timeScale: 1,
      interconnect: 'full',
      numaNodes: [{ memoryBytes: null }, { cores: [2, 3] }],
    };
    expect(parseMachineYaml(sound)).toMatchObject({ ok: true, value });
  });

  test.each([
    ['', 'the file is empty'],
    ['name: [', 'Flow sequence'],
    [`${sound}cachse: []`, 'unknown key "cachse"; did you mean caches?'],
    [
      `${sound}costs: { unit: ns, send: { same_pakage: 1 } }`,
      'costs.send: unknown key "same_pakage"; did you mean same_package?',
    ],
    [
      `${sound}costs: { unit: ns, send: { same_package: 1, hop: [1] } }`,
      'costs.send: unknown key "hop"; did you mean hops?',
    ],
    [
      `${sound}caches: [{ level: 1, size: 1KiB, share_by: core }]`,
      'caches[0]: unknown key "share_by"; did you mean shared_by?',
    ],
    [`${sound}costs: { unit: parsecs }`, 'costs.unit: '],
    [`${sound}costs: { unit: ns, latency: { same_package: -1 } }`, 'costs.latency.same_package: '],
    [`${sound}ghz: 0`, 'ghz: '],
    [`${sound}ghz: .nan`, 'ghz: '],
    [`${sound}name: y`, 'keys must be unique'],
    ['name: x\npackages: { count: 0, cores: 2 }', 'packages.count: '],
    ['name: x\npackages: { count: 1000, cores: 2 }', 'packages: 2000 cores; at most 1024'],
    ['name: x\npackages: [[0, 1], [1, 2]]', 'packages[1]: core 1 is in two packages'],
    ['name: x\npackages: [[0, 5]]', 'packages[0]: there is no core 5'],
    ['name: x\npackages: [[0, -5]]', 'packages[0][1]: '],
    [`${sound}numa: { per: package, memory: much }`, 'numa.memory: "much" is not a size'],
    [`${sound}numa: [{ cores: [0, 1], memory: 1GiB }]`, 'numa: core 2 is in no node'],
    [`${sound}distances: [[10]]`, 'distances: 1 rows for 2 NUMA nodes'],
    [`${sound}distances: [[10, 5], [20, 10]]`, 'distances[0][1]: 5 is nearer than the node itself'],
    [`${sound}interconnect: [[0, 2]]`, 'interconnect[0]: there is no package 2'],
    [`${sound}interconnect: [[0, 0]]`, 'interconnect[0]: package 0 is linked to itself'],
    [`${sound}interconnect: []`, 'interconnect: package 1 cannot be reached'],
    [`${sound}time_scale: -1`, 'time_scale: '],
    [`${sound}caches: [{ level: 3, size: 1MiB, shared_by: [[0, 9]] }]`, 'caches[0].shared_by: there is no core 9'],
  ])('refuses %j', (text, error) => {
    const parsed = parseMachineYaml(text, 'm.yaml');
    if (parsed.ok) throw new Error('was taken');
    expect(parsed.error).toContain(error);
    expect(parsed.error).toMatch(/^m\.yaml: /);
    expect(parsed.error).not.toContain('\n');
  });

  test('aliases that would grow without bound are refused', () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefgh'.split('').map((name, i) => {
        const before = 'abcdefgh'[i]!;
        return `${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join(',')}]`;
      }),
    ].join('\n');
    expect(parseMachineYaml(bomb)).toMatchObject({ ok: false });
  });

  test('no text at all makes it throw', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(() => parseMachineYaml(text)).not.toThrow();
      }),
    );
    const json = fc.json().map((text) => `{ "name": "x", "packages": ${text}, "costs": ${text} }`);
    fc.assert(
      fc.property(json, (text) => {
        expect(() => parseMachineYaml(text)).not.toThrow();
      }),
    );
  });
});
