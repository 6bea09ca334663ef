import { known } from '@mk/monitor-proto/assert';
import { CpuSet } from './cpuset.ts';
import type { CacheLevel, CoreGroup, CoreKind, Processor } from './description.ts';
import { describeElement, wholeOf } from './hwloc-tree.ts';
import type { HwlocObject, Topology } from './hwloc-tree.ts';
import { attribute, infosOf, listOf, Refusal } from './hwloc-xml.ts';
import { shown } from './one-line.ts';

/** Without packages, the largest of these that exists takes their place. */
const PACKAGE_STAND_INS = ['NUMANode', 'Die', 'Group', 'Machine', 'System'];
const INSTRUCTION_CACHE = '2';
const UNKNOWN_GHZ = 2;
/** A clock outside this range is a typing error in a processor's name. */
const SOUND_GHZ = { min: 0.01, max: 20 };
/**
 * Attributes that show the speed of a kind of core, best first. Linux's capacity includes work per cycle, a clock does
 * not.
 */
const SPEED_INFOS = ['LinuxCapacity', 'FrequencyMaxMHz', 'FrequencyBaseMHz'];

/**
 * The cores of each package; without packages, of whatever comes closest. Cores outside every package form one more.
 */
export function readPackages({ objects, pus }: Topology): (readonly number[])[] {
  const found = objects.filter(({ type, cores }) => type === 'Package' && cores.length > 0);
  if (found.length > 0) return [...found.map(({ cores }) => cores), ...outside(found, pus.length)];
  for (const type of PACKAGE_STAND_INS) {
    const standIns = objects.filter(
      (object) => object.type === type && object.cores.length > 0 && !insideOwnType(object),
    );
    if (standIns.reduce((sum, { cores }) => sum + cores.length, 0) === pus.length) {
      return standIns.map(({ cores }) => cores);
    }
  }
  return [pus.map((_, core) => core)];
}

/** Thread numbers within a Core element; a PU in no Core is a core of its own. */
export function readProcessors(topology: Topology, packages: readonly (readonly number[])[]): Processor[] {
  const { pus, osIndexes } = topology;
  const processors: Processor[] = [];
  for (const cores of packages) {
    const places = new Map<HwlocObject, { readonly place: number; threads: number }>();
    for (const core of cores) {
      const owner = coreAround(known(pus[core]));
      const entry = places.get(owner) ?? { place: places.size, threads: 0 };
      places.set(owner, entry);
      processors[core] = { osIndex: known(osIndexes[core]), core: entry.place, thread: entry.threads++ };
    }
  }
  return processors;
}

/** Data and unified caches; without any, the PUs of one Core element still share its first level. */
export function readCaches(objects: readonly HwlocObject[]): CacheLevel[] {
  const levels = new Map<string, { level: number; bytes: number; groups: (readonly number[])[] }>();
  const add = (level: number, bytes: number, cores: readonly number[]) => {
    const key = `${level} ${bytes}`;
    const entry = levels.get(key) ?? { level, bytes, groups: [] };
    levels.set(key, entry);
    entry.groups.push(cores);
  };
  for (const object of objects) {
    const level = cacheLevel(object);
    if (level !== null && object.cores.length > 0) add(level, cacheBytes(object), object.cores);
  }
  if (levels.size === 0) {
    for (const { type, cores } of objects) if (type === 'Core' && cores.length > 1) add(1, 0, cores);
  }
  return [...levels.values()].sort((a, b) => a.level - b.level || a.bytes - b.bytes);
}

/** Dies and Groups. */
export function readGroups(objects: readonly HwlocObject[]): CoreGroup[] {
  return objects
    .filter(({ type, cores }) => (type === 'Die' || type === 'Group') && cores.length > 0)
    .map((object) => ({
      type: object.type === 'Die' ? 'die' : 'group',
      name: shown(object.attributes['subtype'] ?? object.attributes['name'] ?? object.infos.get('Type') ?? ''),
      osIndex: wholeOf(object, 'os_index'),
      cores: object.cores,
    }));
}

/** `<cpukind>` elements, hwloc 2.4 and later; cores in none, and a file without any, have no kind. */
export function readCoreKinds({ raw, osIndexes }: Topology): CoreKind[] {
  const kinds = listOf(raw, 'cpukind').map((element, place) => {
    const text = attribute(element, 'cpuset') ?? '';
    const set = CpuSet.parse(text);
    if (set === null)
      throw new Refusal(`<cpukind> number ${place + 1} has cpuset="${shown(text)}", which is not a bitmap`);
    const infos = infosOf(element);
    const cores = osIndexes.flatMap((index, core) => (set.has(index) ? [core] : []));
    return { name: shown(infos.get('CoreType') ?? `kind-${place}`), cores, infos };
  });
  const present = kinds.filter(({ cores }) => cores.length > 0);
  refuseOverlap(present);
  const speeds = speedsOf(present.map(({ infos }) => infos));
  return present.map(({ name, cores }, place) => ({ name, cores, speed: known(speeds[place]) }));
}

/** The clock in the processor's name, as in `Xeon E5 @ 2.70GHz`. */
export function readClock(objects: readonly HwlocObject[]): number {
  for (const { infos } of objects) {
    const told = /@ *(\d{1,4}(?:\.\d{1,4})?) *([GM])Hz/i.exec(infos.get('CPUModel') ?? '');
    const ghz = told === null ? 0 : Number(told[1]) / (/g/i.test(known(told[2])) ? 1 : 1000);
    if (ghz >= SOUND_GHZ.min && ghz <= SOUND_GHZ.max) return ghz;
  }
  return UNKNOWN_GHZ;
}

function outside(packages: readonly HwlocObject[], count: number): number[][] {
  const inside = new Set<number>();
  for (const object of packages) {
    for (let up = object.parent; up !== null; up = up.parent) {
      if (up.type === 'Package') throw new Refusal(`${describeElement(object)} lies within ${describeElement(up)}`);
    }
    for (const core of object.cores) inside.add(core);
  }
  const rest = Array.from({ length: count }, (_, core) => core).filter((core) => !inside.has(core));
  return rest.length === 0 ? [] : [rest];
}

function insideOwnType(object: HwlocObject): boolean {
  for (let up = object.parent; up !== null; up = up.parent) if (up.type === object.type) return true;
  return false;
}

function coreAround(pu: HwlocObject): HwlocObject {
  for (let up = pu.parent; up !== null; up = up.parent) if (up.type === 'Core') return up;
  return pu;
}

/** `L2Cache` of hwloc 2, `Cache` with a depth of hwloc 1; null for instruction caches and all else. */
function cacheLevel({ type, attributes }: HwlocObject): number | null {
  if (attributes['cache_type'] === INSTRUCTION_CACHE) return null;
  const level = type === 'Cache' ? attributes['depth'] : /^L([1-5])d?(?:Cache)?$/i.exec(type)?.[1];
  return level === undefined || !/^[1-5]$/.test(level) ? null : Number(level);
}

function cacheBytes(object: HwlocObject): number {
  return wholeOf(object, 'cache_size') ?? (wholeOf(object, 'memory_kB') ?? 0) * 1024;
}

function refuseOverlap(kinds: readonly { readonly name: string; readonly cores: readonly number[] }[]): void {
  const owners = new Map<number, string>();
  for (const { name, cores } of kinds) {
    for (const core of cores) {
      const other = owners.get(core);
      if (other !== undefined) throw new Refusal(`<cpukind> ${name} and ${other} share a processing unit`);
      owners.set(core, name);
    }
  }
}

/** Speeds relative to the fastest, by the first attribute that every kind has; all 1 without one. */
function speedsOf(kinds: readonly ReadonlyMap<string, string>[]): number[] {
  for (const name of SPEED_INFOS) {
    const values = kinds.map((infos) => Number(/^\d{1,9}(?:\.\d{1,9})?$/.exec(infos.get(name) ?? '')?.[0] ?? 0));
    const fastest = Math.max(0, ...values);
    if (values.length > 0 && values.every((value) => value > 0)) return values.map((value) => value / fastest);
  }
  return kinds.map(() => 1);
}
