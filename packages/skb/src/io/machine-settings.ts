import type { CoreId } from '@mk/monitor-proto/ids';
import { coreCount, type MachineDescription } from '@mk/machine/description';
import { Machine } from '@mk/machine/machine';
import { dearestMessageNs } from '@mk/machine/occupancy';
import type { MachineModel } from '../config.ts';
import type { SkbSettings } from './settings.ts';

/**
 * The least that a message costs a real process to send or receive: a system call and a wake-up on the host, far more
 * than any modelled machine charges. Without it, plans would treat a process's sends as free.
 */
const HOST_MESSAGE_NS = 20_000;

/** Cores to a package without a description: all are alike. */
const CORES_PER_PACKAGE = 4;

/**
 * The machine as plans see it when its cores are processes: modelled times by the time scale, with the host's costs as
 * a floor.
 */
export function machineModel(settings: SkbSettings): MachineModel {
  const { timeScale, occupancy = false } = settings;
  const described = settings.machine === null ? null : new Machine(settings.machine);
  const wayNs = (machine: Machine, from: CoreId, to: CoreId): number =>
    occupancy ? Math.round(machine.latencyNs(from, to) * timeScale) : machine.wallDelayNs(from, to, timeScale);
  const floor = (modelled: number): number => Math.max(HOST_MESSAGE_NS, modelled * timeScale);
  return {
    isAssumed: described === null,
    packageOf: (core) => described?.packageOf(core) ?? Math.floor(core / CORES_PER_PACKAGE),
    // Without occupancy, a link's delay stands for a message's whole way, sending and receiving included.
    latencyNs: (from, to) => (settings.links.delayNs ?? 0) + (described === null ? 0 : wayNs(described, from, to)),
    sendOccupancyNs: (from, to) => floor(described?.sendOccupancyNs(from, to) ?? 0),
    receiveOccupancyNs: (from, to) => floor(described?.receiveOccupancyNs(from, to) ?? 0),
  };
}

/**
 * What each core is told of its links: everyone's settings, and the added delay to each core. What is the same for all cores, such as a
 * lease that looks at every pair of them, is computed once.
 */
export function coreSettings(settings: SkbSettings, model: MachineModel): (core: CoreId) => unknown {
  const base = settings.links.delayNs ?? 0;
  const { seed, links, skbSilenceMs, quarantine } = settings;
  const leaseMs = settings.leaseMs ?? leaseMsOf(settings);
  const occupancyOf = occupancies(settings);
  return (core) => ({
    seed,
    base: links,
    delaysNs: Array.from({ length: settings.maxCores }, (_, to) =>
      to === core ? 0 : Math.round(model.latencyNs(core, to) - base),
    ),
    leaseMs,
    skbSilenceMs,
    ...(quarantine === undefined ? {} : { quarantine }),
    ...occupancyOf(core),
  });
}

/**
 * How long messages to and from each core occupy this one: the machine's costs by the time scale; nothing without
 * occupancy.
 */
function occupancies({ machine, maxCores, timeScale, occupancy }: SkbSettings): (core: CoreId) => object {
  if (occupancy !== true || machine === null || timeScale === 0) return () => ({});
  const described = new Machine(machine);
  return (core) => {
    const others = (cost: (other: CoreId) => number): number[] =>
      Array.from({ length: maxCores }, (_, other) => (other === core ? 0 : Math.round(cost(other) * timeScale)));
    return {
      sendNs: others((to) => described.sendOccupancyNs(core, to)),
      receiveNs: others((from) => described.receiveOccupancyNs(from, core)),
    };
  };
}

/**
 * The lease must outlast the time that a busy host takes to give each of so many processes its turn (decision 0129),
 * and the time that a beacon waits behind messages of all other cores (decision 0178).
 */
export function leaseMsOf(settings: SkbSettings): number {
  const { expectedCores } = settings;
  const queuedMs = (LEASE_MESSAGES * expectedCores * dearestWallNs(settings)) / 1e6;
  return Math.round(LEASE_MS * Math.max(1, expectedCores / LEASE_CORES) + queuedMs);
}

/** The longest that a message occupies both its ends together, in wall time; 0 without occupancy. */
function dearestWallNs({ machine, expectedCores, timeScale, occupancy }: SkbSettings): number {
  return occupancy !== true || machine === null ? 0 : dearestMessageNs(machine, expectedCores) * timeScale;
}

/**
 * Messages per other core that may queue in a core's two serialisers at once: a page read by all, unmapped, read again.
 */
const LEASE_MESSAGES = 100;
const LEASE_MS = 15_000;
const LEASE_CORES = 64;

/** What every core is told of the machine: its name and size. The rest is in the knowledge base. */
export function machineSummary(machine: MachineDescription | null): string {
  if (machine === null) return '{}';
  return JSON.stringify({ name: machine.name, cores: coreCount(machine), packages: machine.packages.length });
}
