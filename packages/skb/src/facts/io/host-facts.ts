/**
 * Facts of the host that the processes run on, from `node:os` and, on Linux, `/sys`. Their names begin with `host_`: a
 * core of the cluster is a process, and need not be a core of the host.
 *
 *   host(Name, Platform, Arch, Cpus)      host_memory(Bytes)
 *   host_cpu(Cpu, Package, Core, Node)    host_cache(Name, Cpu, Level, Bytes)    host_node_distance(From, To, Distance)
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import type { Fact } from '../fact.ts';
import { fact } from '../fact.ts';

const UNITS: { readonly [unit: string]: number } = { K: 1_024, M: 1_048_576, G: 1_073_741_824 };

/** Everything that the host reveals; the rest is left out. Never throws. `root` replaces `/sys` in tests. */
export function hostFacts(root = '/sys'): readonly Fact[] {
  const cpus = numbered(join(root, 'devices/system/cpu'), 'cpu');
  return [
    fact('host', os.hostname(), os.platform(), os.arch(), os.availableParallelism()),
    fact('host_memory', os.totalmem()),
    ...cpus.flatMap((cpu) => cpuFacts(root, cpu)),
    ...numbered(join(root, 'devices/system/node'), 'node').flatMap((node) => distanceFacts(root, node)),
  ];
}

function cpuFacts(root: string, cpu: number): readonly Fact[] {
  const folder = join(root, `devices/system/cpu/cpu${cpu}`);
  const placed = number(join(folder, 'topology/physical_package_id'));
  const core = number(join(folder, 'topology/core_id'));
  const node = numbered(folder, 'node')[0] ?? 0;
  const place = placed === undefined || core === undefined ? [] : [fact('host_cpu', cpu, placed, core, node)];
  return [...place, ...numbered(join(folder, 'cache'), 'index').flatMap((index) => cacheFacts(folder, cpu, index))];
}

function cacheFacts(folder: string, cpu: number, index: number): readonly Fact[] {
  const cache = join(folder, `cache/index${index}`);
  const level = number(join(cache, 'level'));
  const size = /^(\d+)([KMG])$/.exec(text(join(cache, 'size')) ?? '');
  const kind = text(join(cache, 'type')) ?? '';
  if (level === undefined || size === null) return [];
  const suffix = kind === 'Data' ? 'd' : kind === 'Instruction' ? 'i' : '';
  const name = `l${level}${suffix}_${text(join(cache, 'shared_cpu_list')) ?? cpu}`;
  return [fact('host_cache', name, cpu, level, Number(size[1]) * (UNITS[size[2] ?? ''] ?? 1))];
}

function distanceFacts(root: string, node: number): readonly Fact[] {
  const row = (text(join(root, `devices/system/node/node${node}/distance`)) ?? '')
    .split(/\s+/)
    .filter((each) => each !== '');
  return row.map((distance, to) => fact('host_node_distance', node, to, Number(distance)));
}

/** The numbers of entries such as `cpu0`, `cpu1`; none if the folder is missing. */
function numbered(folder: string, prefix: string): readonly number[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter(
    (name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)),
  );
  return names.map((name) => Number(name.slice(prefix.length))).sort((a, b) => a - b);
}

function number(path: string): number | undefined {
  const value = Number(text(path) ?? Number.NaN);
  return Number.isInteger(value) ? value : undefined;
}

function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
