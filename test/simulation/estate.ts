import { MILLISECOND, type Nanos, SECOND } from '@mk/monitor-proto/ids';
import { type Capability, isCopy } from '@mk/node-kernel/capability/model/capability';
import { lookup } from '@mk/node-kernel/capability/store/cspace';
import type { CopyGroup } from '@mk/node-kernel/capability/store/slot';
import { Kernel } from '@mk/node-kernel/kernel';
import type { SimulationOptions } from '@mk/sim/engine/simulation-options';
import type { Simulation } from '@mk/sim/engine/simulation';
import { quickSimulation } from '../support/quick-simulation.ts';

const CORES = 6;

/** The answers of the verbs used here: an address, or the number of a domain. */
type Answer = { readonly address: number } & { readonly domain: number };
/** Plants a bug in a kernel as it boots. */
export type Plant = (kernel: Kernel) => void;

/**
 * Capabilities of core 0, each with copies on the cores of one row: what becomes of them when their owners die. RO1 is
 * checked after every step.
 */
export class Estate {
  readonly simulation: Simulation;
  readonly broken: string[] = [];
  private readonly left: Capability[] = [];
  private readonly domains: readonly number[];

  constructor(seed: number, holders: readonly (readonly number[])[], plant?: Plant) {
    const wrap: SimulationOptions['wrap'] = (machine) => {
      if (plant !== undefined && machine instanceof Kernel) plant(machine);
      return machine;
    };
    this.simulation = quickSimulation({
      seed,
      cores: CORES,
      logLevel: 'off',
      wrap,
    });
    this.simulation.start();
    this.until(() => this.living().every(({ monitor }) => monitor.context.members.length === CORES - 1));
    this.domains = Array.from({ length: CORES }, (_, core) => this.ask(core, 'domain_create').domain);
    for (const row of holders) this.bequeath(row);
    this.simulation.observe({ step: () => this.check() });
  }

  /** Every running life, by core. */
  living(): Kernel[] {
    return [...this.simulation.nodes.values()].flatMap(({ kernel }) => kernel ?? []);
  }

  until(condition: () => boolean, limit: Nanos = 30 * SECOND): void {
    const end = this.simulation.now + limit;
    while (!condition()) {
      if (this.simulation.now > end) throw new Error(`not within ${limit / SECOND} s`);
      this.simulation.run(this.simulation.now + MILLISECOND);
    }
  }

  /** Runs until nobody looks for an owner any more. */
  settle(crashed: number): void {
    this.until(() =>
      this.living().every(
        ({ monitor, services }) =>
          monitor.context.members.length === CORES - 1 - crashed && services.capops.recovery.size === 0,
      ),
    );
    this.simulation.run(this.simulation.now + SECOND);
  }

  /** By capability: the owner that all holders name, or what they say instead; none: nobody holds it. */
  owners(): readonly (number | null | string)[] {
    return this.left.map((capability) => {
      const shares = this.sharesOf(capability);
      const named = shares.map(({ group }) => `${group.owner}${group.locked ? ' locked' : ''}`);
      const different = new Set(named);
      if (different.size === 0) return null;
      if (different.size > 1) return named.join(' and ');
      const owner = Number(named[0]);
      return shares.some(({ kernel }) => kernel.monitor.context.core === owner) ? owner : `${owner}, which holds none`;
    });
  }

  /** A domain of a core does something with the first capability; nobody waits for it. */
  begin(core: number, verb: string): void {
    this.simulation.control(core, verb, { domain: this.domains[core], target: this.addressOn(core) }, () => undefined);
  }

  /** Where a core has the first capability. */
  private addressOn(core: number): number {
    const { cpuDriver } = this.simulation.node(core).kernel!;
    const root = cpuDriver.domains.get(this.domains[core]!)!;
    const found = [...cpuDriver.domains.slotsOf(cpuDriver.state, root)].find(({ slot }) =>
      isCopy(slot.capability, this.left[0]!),
    );
    if (found === undefined) throw new Error(`core ${core} holds no copy`);
    return found.address;
  }

  private bequeath(holders: readonly number[]): void {
    const [domain] = this.domains;
    const { address } = this.ask(0, 'cap_alloc', { domain, bytes: 4096 });
    const { cpuDriver } = this.simulation.node(0).kernel!;
    const slot = lookup(cpuDriver.state, cpuDriver.domains.get(domain!)!.root, { address });
    if (!slot.ok || slot.value.capability === null) throw new Error('nothing was allocated');
    for (const core of holders) this.ask(0, 'cap_send', { domain, source: address, core, to: this.domains[core] });
    this.left.push(slot.value.capability);
  }

  /** The cores that believe they own the first capability: at most one. */
  ownersNow(): readonly number[] {
    return this.sharesOf(this.left[0]!)
      .filter(({ kernel, group }) => !kernel.cpuDriver.state.isForeign(group))
      .map(({ group }) => group.owner);
  }

  private sharesOf(capability: Capability): { readonly kernel: Kernel; readonly group: CopyGroup }[] {
    return this.living().flatMap((kernel) => {
      const group = kernel.cpuDriver.booted ? kernel.cpuDriver.state.database.find(capability) : undefined;
      return group !== undefined && isCopy(group.capability, capability) ? [{ kernel, group }] : [];
    });
  }

  /** RO1. */
  private check(): void {
    for (const capability of this.left) {
      const owners = this.sharesOf(capability).filter(({ kernel, group }) => !kernel.cpuDriver.state.isForeign(group));
      if (owners.length > 1) this.broken.push(`RO1: owned by ${owners.map(({ group }) => group.owner).join(' and ')}`);
    }
  }

  private ask(core: number, verb: string, args: object = {}): Answer {
    let value: unknown;
    this.simulation.control(core, verb, { ...args }, (reply) => {
      if (!reply.ok) throw new Error(`${verb}: ${reply.error} ${reply.text}`);
      value = reply.value ?? {};
    });
    this.until(() => value !== undefined);
    return value as Answer;
  }
}
