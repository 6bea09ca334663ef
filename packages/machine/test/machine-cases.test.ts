import { describe, expect, test } from '@jest/globals';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { coreCount } from '../src/description.ts';
import type { MachineDescription } from '../src/description.ts';
import { loadMachine } from '../src/io/load.ts';
import { Machine } from '../src/machine.ts';

const CASES = fileURLToPath(new URL('data/cases/', import.meta.url));

/** The expected outcome of a case: the line that refuses it, or facts of its description. */
type Expected = RegExp | Partial<Summary>;

interface Summary {
  readonly cores: number;
  readonly packages: readonly (readonly number[])[];
  /** Of each node: its bytes, cores, OS name and subtype. */
  readonly nodes: readonly (readonly unknown[])[];
  /** OS index, core in package, thread. */
  readonly threads: readonly (readonly number[])[];
  readonly distances: readonly (readonly number[])[];
  /** The relation of core 0 to each core. */
  readonly relations: readonly string[];
  readonly kinds: readonly (readonly unknown[])[];
  readonly ghz: number;
  readonly memory: number;
  readonly caches: readonly (readonly unknown[])[];
}

function summaryOf(description: MachineDescription): Summary {
  const machine = new Machine(description);
  const nodes = [...description.numaNodes.keys()];
  return {
    cores: coreCount(description),
    packages: description.packages.map(({ cores }) => cores),
    nodes: description.numaNodes.map(({ memoryBytes, cores, osIndex, subtype }, place) => {
      return [memoryBytes, cores, osIndex ?? place, ...(subtype === undefined ? [] : [subtype])];
    }),
    threads: description.processors.map(({ osIndex, core, thread }) => [osIndex, core, thread]),
    distances: nodes.map((a) => nodes.map((b) => machine.numaDistance(a, b))),
    relations: Array.from({ length: machine.cores }, (_, core) => machine.relation(0, core)),
    kinds: description.coreKinds.map(({ name, cores, speed }) => [name, cores, speed]),
    ghz: description.ghz,
    memory: description.numaNodes.reduce((sum, { memoryBytes }) => sum + (memoryBytes ?? 0), 0),
    caches: description.caches.map(({ level, bytes, groups }) => [level, bytes, groups.length]),
  };
}

const TWO_PLAIN = { cores: 2, nodes: [[10, [0, 1], 0]] };
const SMT_THREADS = [
  [0, 0, 0],
  [2, 0, 1],
  [1, 1, 0],
  [3, 1, 1],
];
const SMT = { packages: [[0, 1, 2, 3]], threads: SMT_THREADS, nodes: [[10, [0, 1, 2, 3], 0]] };

const XML: Readonly<Record<string, Expected>> = {
  // Nodes and their cores.
  'memory-node-at-root-first.xml': {
    nodes: [
      [100, [0, 1, 2, 3], 4, 'CXL'],
      [10, [0, 1], 0, 'DRAM'],
      [20, [2, 3], 1, 'DRAM'],
    ],
    distances: [
      [10, 13, 13],
      [13, 10, 16],
      [13, 16, 10],
    ],
    relations: ['same_core', 'same_package', 'hop_1', 'hop_1'],
  },
  'v1-memoryless-cpus-steal.xml': {
    nodes: [
      [10, [], 0],
      [20, [0, 1], 1],
    ],
  },
  'hbm-beside-dram.xml': {
    nodes: [
      [100, [0, 1], 0, 'DRAM'],
      [10, [0, 1], 1, 'HBM'],
    ],
  },
  'hbm-two-packages-no-matrix.xml': {
    nodes: [
      [100, [0, 1], 0, 'DRAM'],
      [10, [0, 1], 2, 'HBM'],
      [100, [2, 3], 1, 'DRAM'],
      [10, [2, 3], 3, 'HBM'],
    ],
    distances: [
      [10, 10, 16, 16],
      [10, 10, 16, 16],
      [16, 16, 10, 10],
      [16, 16, 10, 10],
    ],
  },
  'memoryless-node-among-others.xml': {
    nodes: [
      [8e9, [0, 1], 0],
      [null, [2, 3], 1],
    ],
    memory: 8e9,
  },
  'pu-local-to-no-node.xml': {
    cores: 4,
    packages: [
      [0, 1],
      [2, 3],
    ],
    nodes: [[10, [0, 1], 0]],
  },
  'pu-outside-packages.xml': { packages: [[0, 1], [2]], nodes: [[10, [0, 1, 2], 0]] },
  'threadripper-unpopulated-node.xml': {
    cores: 16,
    nodes: [[16736944128, [0, 1, 2, 3, 4, 5, 6, 7], 0]],
    memory: 16736944128,
  },
  'lstopo-node-outside.xml': {
    packages: [
      [0, 1],
      [2, 3],
    ],
    nodes: [[null, [0, 1], 0]],
  },
  'lstopo-node-outside-v1.xml': {
    packages: [
      [0, 1],
      [2, 3],
    ],
    nodes: [[null, [0, 1], 0]],
  },
  'lstopo-root-node-first.xml': {
    nodes: [
      [null, [0, 1, 2, 3], 2],
      [null, [0, 1], 0],
      [null, [2, 3], 1],
    ],
  },
  'lstopo-root-node-first-v1.xml': { nodes: [[null, [0, 1, 2, 3], 2]] },
  'lstopo-two-nodes-a-package.xml': {
    nodes: [
      [null, [0, 1], 0],
      [null, [0, 1], 1],
      [null, [2, 3], 2],
      [null, [2, 3], 3],
    ],
  },
  // Processing units.
  'pus-257.xml': { cores: 257 },
  'pus-1.xml': { cores: 1, nodes: [[10, [0], 0]] },
  'disallowed-pus.xml': TWO_PLAIN,
  'offline-pus-v1.xml': TWO_PLAIN,
  'smt.xml': SMT,
  'bom.xml': SMT,
  'utf16.xml': { cores: 4 },
  'lstopo-smt.xml': {
    cores: 4,
    threads: [
      [0, 0, 0],
      [1, 0, 1],
      [2, 1, 0],
      [3, 1, 1],
    ],
  },
  'duplicate-os-index.xml': /PU os_index="0" appears twice$/,
  'pu-without-os-index.xml': /PU number 1 of the file has no os_index$/,
  'pu-os-index-word.xml': /PU os_index="one" has os_index="one", which is not a whole number$/,
  'pu-zero-padded.xml': /PU os_index="00" appears twice$/,
  'pu-in-pu.xml': /PU os_index="1" lies within PU os_index="0"$/,
  'newline-in-index.xml': /PU os_index="7\\x0asecond line" .* not a whole number$/,
  'escape-in-index.xml': /PU os_index="\\x1b\[31mred" .* not a whole number$/,
  'cpukinds.xml': {
    kinds: [
      ['IntelCore', [0, 1], 1],
      ['IntelAtom', [2, 3], 0.76],
    ],
  },
  // Distances.
  'v1-relative-depth.xml': {
    distances: [
      [10, 21],
      [21, 10],
    ],
  },
  'snc-in-one-package.xml': {
    packages: [[0, 1, 2, 3]],
    distances: [
      [10, 16],
      [16, 10],
    ],
    relations: ['same_core', 'same_package', 'hop_1', 'hop_1'],
  },
  'two-nodes-per-package.xml': {
    relations: ['same_core', 'same_package', 'hop_1', 'hop_1', 'hop_1', 'hop_1', 'hop_2', 'hop_2'],
  },
  'duplicate-node-os-index.xml': /NUMANode os_index="0" appears twice$/,
  'distances-too-few.xml': /<distances2 type="NUMANode"> has 3 values; 2 objects need 4$/,
  'distance-infinite.xml': /"1e400" in the u64values of <distances2 type="NUMANode"> is not a whole number/,
  'distance-u64max.xml': /"18446744073709551615" in the u64values of <distances2 type="NUMANode">/,
  'distance-not-decimal.xml': /"0x10" in the u64values of <distances2 type="NUMANode">/,
  'distance-zero-apart.xml': /says 0 from os_index="0" to os_index="1", nearer than local \(10\)/,
  'distance-all-zero.xml': /says 0 from os_index="0" to os_index="1", nearer than local \(0\) or nothing$/,
  'distance-255.xml': {
    distances: [
      [255, 255],
      [255, 255],
    ],
    relations: ['same_core', 'hop_1'],
  },
  'distance-asymmetric.xml': {
    distances: [
      [10, 254],
      [21, 10],
    ],
    relations: ['same_core', 'hop_2'],
  },
  // Amounts.
  'local-memory-huge.xml': /NUMANode os_index="0" has local_memory="9{23}", which is too large$/,
  'local-memory-fraction.xml': /has local_memory="1.5", which is not a whole number$/,
  'local-memory-exp.xml': /has local_memory="1e3", which is not a whole number$/,
  'local-memory-blank.xml': /has local_memory="", which is not a whole number$/,
  'local-memory-negative.xml': /has local_memory="-5", which is not a whole number$/,
  'cache-size-infinite.xml': /L2Cache has cache_size="1e400", which is not a whole number$/,
  'cache-size-negative.xml': /L2Cache has cache_size="-4096", which is not a whole number$/,
  'cache-size-word.xml': /L2Cache has cache_size="big", which is not a whole number$/,
  'clock-tiny.xml': { ...TWO_PLAIN, ghz: 2 },
  'clock-huge.xml': { ...TWO_PLAIN, ghz: 2 },
  // No topology, or more than one.
  'empty.xml': /the file is empty$/,
  'binary.xml': /is not text: there is a zero byte at 0/,
  'gz.xml': /is compressed \(gzip\); unpack it first$/,
  'gz.xml.gz': /is compressed \(gzip\); unpack it first$/,
  'truncated.xml': /not well-formed XML at line 3/,
  'laughs.xml': /<!ENTITY> is not allowed/,
  'xxe.xml': /<!ENTITY> is not allowed/,
  'xxe-dtd.xml': TWO_PLAIN,
  'entity-in-comment.xml': TWO_PLAIN,
  'comment-first-no-extension': TWO_PLAIN,
  'type-constructor.xml': TWO_PLAIN,
  'unknown-type.xml': TWO_PLAIN,
  'proto.xml': TWO_PLAIN,
  'two-machines.xml': /there are 2 Machine elements under System; one machine is wanted$/,
  'version-2.xml': /<topology version="2"> is not known/,
  'namespace.xml': /the root element is <h:topology>, not <topology>$/,
};

const UNKNOWN_MEMORY = [
  [null, [0, 1], 0],
  [null, [2, 3], 1],
];

const YAML: Readonly<Record<string, Expected>> = {
  'y-anchor-bomb.yaml': /alias count/,
  'y-alias-self.yaml': /packages.cores: expected number/,
  'y-tag-js.yaml': /tag: tag:yaml.org,2002:js\/function at line 1/,
  'y-tag-binary.yaml': /doc: expected string/,
  'y-tag-unknown.yaml': /tag: !foo at line 1/,
  'y-unknown-key.yaml': /unknown key "nummer"; did you mean name\?$/,
  'y-cores-per-package.yaml': /unknown key "cores_per_package"; known: count, cores$/,
  'y-cores-1e9.yaml': /packages.cores: .*1024$/,
  'y-count-1024x1024.yaml': /packages: 1048576 cores; at most 1024/,
  'y-negative.yaml': /packages.count: /,
  'y-nan.yaml': /ghz: .*NaN$/,
  'y-inf-cost.yaml': /costs.latency.same_package: .*Infinity$/,
  'y-ghz-tiny.yaml': /ghz: .*0.001$/,
  'y-ghz-1e-9.yaml': /ghz: .*0.001$/,
  'y-timescale-huge.yaml':
    /costs: a message would take up to 1.00e\+21 ns at a time scale of 1000000000; at most 60 s$/,
  'y-memory-huge.yaml': /numa.memory: "9999999999999TiB" is too large$/,
  'y-memory-negative.yaml': /numa.memory: "-1" is not a size/,
  'y-memory-nan.yaml': /numa.memory: .*NaN$/,
  'y-memory-float.yaml': /numa.memory: "1.5" is not a whole number of bytes$/,
  'y-memory-zero.yaml': {
    memory: 0,
    nodes: [
      [0, [0, 1], 0],
      [0, [2, 3], 1],
    ],
  },
  'y-per-huge.yaml': /numa.per: .*1024$/,
  'y-empty-package.yaml': /packages\[1\]: /,
  'y-core-missing.yaml': /packages\[1\]: there is no core 4; they are numbered 0 to 3$/,
  'y-cache-overlap.yaml': { relations: ['same_core', 'same_package', 'shared_cache', 'hop_1'] },
  'y-proto.yaml': /unknown key "__proto__"/,
  'y-merge.yaml': /packages: unknown key "<<"/,
  'y-dup-key.yaml': /key "name" appears twice at line 2/,
  'y-two-docs.yaml': /there are several documents, the second at line 3/,
  'y-empty.yaml': /the file is empty$/,
  'y-comment-only.yaml': /the file is empty$/,
  'y-list.yaml': /expected object, received array$/,
  'y-deep-flow-1000.yaml': /nested too deeply at line \d+: 200 levels/,
  'y-many-packages-200.yaml': { cores: 200 },
  'y-many-packages-1024.yaml': { cores: 1024 },
  'y-packages-170.yaml': { cores: 170 },
  'y-distances-string.yaml': /distances\[0\]\[1\]: expected number, received string$/,
  'y-tab.yaml': /Tabs are not allowed .* line 3/,
  'y-latin1.yaml': /name: must be letters/,
  'y-name-colon.yaml': /name: must be letters/,
  'y-octal.yaml': {
    packages: [
      [0, 1],
      [2, 3],
    ],
    nodes: UNKNOWN_MEMORY,
  },
  'y-string-number.yaml': /packages.count: expected number, received string$/,
};

/** One line that begins with the file's name, without control characters, short enough for a terminal. */
function expectOneLine(error: string, path: string): void {
  expect(error.startsWith(`${path}: `)).toBe(true);
  expect(error).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  expect(error.length - path.length).toBeLessThan(400);
}

function check(path: string, expected: Expected): void {
  const loaded = loadMachine(path, '/nowhere');
  if (expected instanceof RegExp) {
    if (loaded.ok) throw new Error(`was taken: ${JSON.stringify(loaded.value).slice(0, 300)}`);
    expectOneLine(loaded.error, path);
    expect(loaded.error).toMatch(expected);
  } else {
    if (!loaded.ok) throw new Error(loaded.error);
    expect(summaryOf(loaded.value)).toMatchObject(expected);
  }
}

const ALL = { ...XML, ...YAML };

test.each(Object.entries(ALL))('%s', (file, expected) => check(join(CASES, file), expected));

test('every file of the folder is in the table', () => {
  expect(readdirSync(CASES).sort()).toEqual(Object.keys(ALL).sort());
});

describe('large inputs', () => {
  const nested = (depth: number) => Array.from({ length: depth }, (_, i) => `${' '.repeat(i)}a:\n`).join('');
  const numa = (count: number) =>
    Array.from({ length: count }, (_, i) => `<object type="NUMANode" os_index="${i}" cpuset="0x0" local_memory="1"/>`);
  const machine = (inside: string) => `<topology version="2.0"><object type="Machine">${inside}</object></topology>`;
  const pus = (count: number) => Array.from({ length: count }, (_, i) => `<object type="PU" os_index="${i}"/>`);
  const packages = (count: number) =>
    pus(count).map((pu, i) => `<object type="Package" os_index="${i}">${pu}</object>`);
  const keys = (count: number) => Array.from({ length: count }, (_, i) => `key${i}: 1\n`).join('');
  const sound = 'name: m\npackages: { count: 2, cores: 2 }\n';

  test.each<[string, string, Expected]>([
    [
      'many-nodes.xml',
      machine(numa(2000).join('') + pus(2).join('')),
      /there are 2000 NUMANode elements; at most 1024$/,
    ],
    ['nodes-1024.xml', machine(numa(1024).join('') + pus(2).join('')), { cores: 2 }],
    ['400pu.xml', machine(pus(400).join('')), { cores: 400 }],
    ['1024pu.xml', machine(pus(1024).join('')), { cores: 1024 }],
    ['200pack.xml', machine(packages(200).join('')), { cores: 200 }],
    [
      'deep-flow.yaml',
      `name: m\ndoc: ${'['.repeat(20_000)}${']'.repeat(20_000)}\n`,
      /nested too deeply at line \d+: 200 levels/,
    ],
    ['deep-block.yaml', `${nested(1500)}${' '.repeat(1500)}1\n`, /nested too deeply at line \d+: 200 levels/],
    ['many-keys.yaml', sound + keys(60_000), /unknown key "key0"; known: /],
    ['name-long.yaml', `name: ${'a'.repeat(300_000)}\npackages: { count: 2, cores: 2 }\n`, /name: .*100 characters$/],
    ['utf16be.xml', `\ufeff${machine(pus(2).join(''))}`, { cores: 2 }],
  ])('%s', (file, text, expected) => {
    const folder = mkdtempSync(join(tmpdir(), 'mk-machines-'));
    try {
      const path = join(folder, file);
      writeFileSync(path, file.startsWith('utf16be') ? Buffer.from(text, 'utf16le').swap16() : text);
      check(path, expected);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('eight times the keys do not take sixty-four times as long', () => {
    const folder = mkdtempSync(join(tmpdir(), 'mk-machines-'));
    try {
      const path = join(folder, 'keys.yaml');
      const spent = (count: number): number => {
        writeFileSync(path, sound + keys(count));
        const before = process.cpuUsage();
        loadMachine(path, '/nowhere');
        const { user, system } = process.cpuUsage(before);
        return user + system;
      };
      spent(5000);
      // Quadratic work would take 64 times as long for 8 times the keys.
      expect(spent(40_000)).toBeLessThan(32 * spent(5000));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
