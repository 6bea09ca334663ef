import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import type { MachineDescription } from '@mk/machine/description';
import { parseHwloc } from '@mk/machine/hwloc';
import { forCores } from '@mk/machine/resize';
import { parseMachineYaml } from '@mk/machine/yaml';
import { factText } from '../../src/facts/fact.ts';
import { machineFacts, MOST_FACTS_OF_A_NAME } from '../../src/facts/machine-facts.ts';

function hwloc(name: string): MachineDescription {
  const parsed = parseHwloc(readFileSync(new URL(`../../../machine/test/data/${name}`, import.meta.url), 'utf8'));
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

function yaml(text: string): MachineDescription {
  const parsed = parseMachineYaml(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

/** The facts of these names, as Prolog reads them. */
function told(description: MachineDescription, ...names: readonly string[]): string[] {
  return machineFacts(description)
    .filter(({ name }) => names.includes(name))
    .map(factText);
}

describe('what a machine file says is what the facts say', () => {
  test('threads of cores, and what the OS calls them', () => {
    expect(told(hwloc('cases/smt.xml'), 'cpu_thread', 'corename')).toEqual([
      'cpu_thread(0,0,0,0)',
      'corename(0,node,apic(0))',
      'cpu_thread(1,0,0,1)',
      'corename(1,node,apic(2))',
      'cpu_thread(2,0,1,0)',
      'corename(2,node,apic(1))',
      'cpu_thread(3,0,1,1)',
      'corename(3,node,apic(3))',
    ]);
  });

  test('a core of several nodes is told of its nearest first; the memory of each is told', () => {
    const facts = told(hwloc('cases/memory-node-at-root-first.xml'), 'cpu_affinity', 'nearest_node', 'numa_node');
    expect(facts).toEqual([
      "numa_node(0,4,'CXL',100)",
      "numa_node(1,0,'DRAM',10)",
      "numa_node(2,1,'DRAM',20)",
      ...[0, 1].flatMap((core) => [`cpu_affinity(${core},${core},1)`, `cpu_affinity(${core},${core},0)`]),
      ...[2, 3].flatMap((core) => [`cpu_affinity(${core},${core},2)`, `cpu_affinity(${core},${core},0)`]),
      ...[1, 1, 2, 2].map((node, core) => `nearest_node(${core},${node})`),
    ]);
  });

  test('memory that nobody told is unknown, and has no region', () => {
    expect(told(hwloc('cases/memoryless-node-among-others.xml'), 'numa_node', 'memory_region')).toEqual([
      'numa_node(0,0,unknown,8000000000)',
      'memory_region(0,32,8000000000,ram,0)',
      'numa_node(1,1,unknown,unknown)',
    ]);
  });

  test('a core without a node has no affinity', () => {
    expect(told(hwloc('cases/pu-local-to-no-node.xml'), 'cpu_affinity')).toEqual([
      'cpu_affinity(0,0,0)',
      'cpu_affinity(1,1,0)',
    ]);
  });

  test('kinds of cores, dies and groups', () => {
    expect(told(hwloc('cases/cpukinds.xml'), 'cpu_kind')).toEqual([
      "cpu_kind(0,'IntelCore',1)",
      "cpu_kind(1,'IntelCore',1)",
      "cpu_kind(2,'IntelAtom',0.76)",
      "cpu_kind(3,'IntelAtom',0.76)",
    ]);
    expect(told(hwloc('generated/2pack-2die-l3-smt.xml'), 'cpu_group')).toContain("cpu_group(die,1,'',4)");
  });

  test('nodes of one package and of two are as many hops apart as their distances say', () => {
    const facts = told(hwloc('cases/two-nodes-per-package.xml'), 'node_hops', 'message_cost');
    expect(facts).toContain('node_hops(0,1,1)');
    expect(facts).toContain('node_hops(0,3,2)');
    const cost = (relation: string) =>
      Number(/,([\d.]+),/.exec(facts.find((text) => text.includes(`(${relation},`))!)![1]);
    expect(cost('hop_2')).toBeGreaterThanOrEqual(cost('hop_1'));
    expect(cost('hop_1')).toBeGreaterThan(cost('same_package'));
  });

  test('so many cores as are asked for', () => {
    const two = forCores(hwloc('cases/lstopo-smt.xml'), 2);
    expect(told(two, 'cpu_thread')).toEqual(['cpu_thread(0,0,0,0)', 'cpu_thread(1,0,0,1)']);
  });
});

describe('facts are bounded', () => {
  test('a million pairs are one fact that says so', () => {
    const facts = machineFacts(yaml('name: m\npackages: { count: 1024, cores: 1 }\n'));
    expect(facts.length).toBeLessThan(20_000);
    expect(facts.filter(({ name }) => name === 'facts_left_out').map(factText)).toEqual([
      `facts_left_out(node_distance,1048576,${MOST_FACTS_OF_A_NAME})`,
      `facts_left_out(package_hops,1048576,${MOST_FACTS_OF_A_NAME})`,
      `facts_left_out(link,523776,${MOST_FACTS_OF_A_NAME})`,
    ]);
  });

  test('256 nodes are told pair by pair', () => {
    const facts = machineFacts(yaml('name: m\npackages: { count: 256, cores: 1 }\n'));
    expect(facts.filter(({ name }) => name === 'node_distance')).toHaveLength(65_536);
    expect(facts.some(({ name }) => name === 'facts_left_out')).toBe(false);
  });
});
