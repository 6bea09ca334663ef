import type { CoreId } from '@mk/monitor-proto/ids';
import { coreCount, type MachineDescription } from '@mk/machine/description';
import { Machine } from '@mk/machine/machine';
import type { MachineModel } from '../config.ts';
import type { SkbSettings } from './settings.ts';

/**
 * What one message costs a real process to send or to take, at the least: a system call and a wake-up on the host, far above
 * what any modelled machine charges. The plans would otherwise think that a process sends for nothing.
 */
const HOST_MESSAGE_NS = 20_000;

/** Without a description every core stands alike, so many to a package. */
const CORES_PER_PACKAGE = 4;

/** The machine as the plans see it when its cores are processes: modelled times by the time scale, the host's costs below. */
export function machineModel(settings: SkbSettings): MachineModel {
  const { timeScale } = settings;
  const described = settings.machine === null ? null : new Machine(settings.machine);
  const floor = (modelled: number): number => Math.max(HOST_MESSAGE_NS, modelled * timeScale);
  return {
    packageOf: (core) => described?.packageOf(core) ?? Math.floor(core / CORES_PER_PACKAGE),
    latencyNs: (from, to) => (settings.links.delayNs ?? 0) + (described?.wallDelayNs(from, to, timeScale) ?? 0),
    sendOccupancyNs: (from, to) => floor(described?.sendOccupancyNs(from, to) ?? 0),
    receiveOccupancyNs: (from, to) => floor(described?.receiveOccupancyNs(from, to) ?? 0),
  };
}

/** What a core is told of its links: the settings of all, and the added delay to each core. */
export function settingsForCore(settings: SkbSettings, model: MachineModel, core: CoreId): unknown {
  const base = settings.links.delayNs ?? 0;
  const delaysNs = Array.from({ length: settings.maxCores }, (_, to) =>
    to === core ? 0 : Math.round(model.latencyNs(core, to) - base),
  );
  return { seed: settings.seed, base: settings.links, delaysNs, leaseMs: settings.leaseMs ?? leaseMsOf(settings) };
}

/** A lease outlasts what a busy host takes to give each of so many processes its turn (decision 0129). */
function leaseMsOf({ expectedCores }: SkbSettings): number {
  return Math.round(LEASE_MS * Math.max(1, expectedCores / LEASE_CORES));
}
const LEASE_MS = 15_000;
const LEASE_CORES = 64;

/** What every core is told of the machine: its name and size. Whoever wants more asks the knowledge base. */
export function machineSummary(machine: MachineDescription | null): string {
  if (machine === null) return '{}';
  return JSON.stringify({ name: machine.name, cores: coreCount(machine), packages: machine.packages.length });
}
