import { domainOf } from './domain-answer.ts';
import { known } from '@mk/monitor-proto/assert';
import type { Hmac } from '@mk/monitor-proto/handshake/proof';
import { type CoreId, type DomainId, type Nanos, SECOND } from '@mk/monitor-proto/ids';
import { createPrng } from '@mk/monitor-proto/prng';
import { capabilityChecker } from '../checkers/capabilities.ts';
import { channelChecker } from '../checkers/channels.ts';
import type { Violation } from '../checkers/checker.ts';
import { honestPeersChecker } from '../checkers/honest-peers.ts';
import { isQuiet, leftovers } from '../checkers/leaks.ts';
import { Checks } from '../checkers/registry.ts';
import { flatMachine } from '../engine/machines.ts';
import { healAll } from '../engine/apply-fault.ts';
import { Simulation } from '../engine/simulation.ts';
import type { SimulationOptions } from '../engine/simulation-options.ts';
import { disturbLinks } from './disturb-links.ts';
import { Puppet } from './puppet.ts';

/** One run of random programs that talk over channels, all of it derived from the seed. */
export interface ChannelTrafficOptions {
  readonly seed: number | string;
  readonly hmac: Hmac;
  /** By default 3 to 6, by the seed. */
  readonly cores?: number;
  /** Actions of all programs together. */
  readonly acts: number;
  readonly faultsPerSecond?: number;
  /** Whether cores crash, too. */
  readonly crashes?: boolean;
  readonly wrap?: NonNullable<SimulationOptions['wrap']>;
  readonly hash?: boolean;
}

export interface ChannelTrafficResult {
  readonly seed: number | string;
  readonly cores: number;
  readonly violations: readonly Violation[];
  readonly counts: Readonly<Record<string, number>>;
  readonly steps: number;
  readonly hash: string;
}

const PUPPETS_PER_CORE = 2;
const BOOT_LIMIT: Nanos = 60 * SECOND;
const FAULTS_FOR: Nanos = 4 * SECOND;

/** Boots, lets programs talk under faults, heals, lets everything end. K1–K7, C1–C5 after every step. */
export function runChannelTraffic(options: ChannelTrafficOptions): ChannelTrafficResult {
  return new Traffic(options).run();
}

class Traffic {
  private readonly simulation: Simulation;
  private readonly checks: Checks;
  private readonly cores: number;
  private readonly prng;
  private puppets: Puppet[] = [];
  private open = 0;

  constructor(private readonly options: ChannelTrafficOptions) {
    const { seed, hmac, wrap } = options;
    this.prng = createPrng(seed).split('traffic');
    this.cores = options.cores ?? 3 + createPrng(seed).split('cores').nextInt(4);
    this.simulation = new Simulation({
      seed,
      cores: this.cores,
      machine: flatMachine(),
      hmac,
      logLevel: 'off',
      hash: options.hash ?? false,
      settings: JSON.stringify({ ramBytes: 4 << 20 }),
      ...(wrap && { wrap }),
    });
    // A crash loses messages under way, on which the capability models rely.
    const capabilities = options.crashes === true ? [] : [capabilityChecker];
    this.checks = new Checks(this.simulation, [channelChecker, honestPeersChecker, ...capabilities]);
    this.simulation.observe({
      died: (node) => {
        this.puppets = this.puppets.filter(({ core }) => core !== node.id);
      },
    });
  }

  run(): ChannelTrafficResult {
    const { simulation, checks } = this;
    const failed = (): boolean => checks.failed;
    simulation.start();
    simulation.run(BOOT_LIMIT, () => failed() || this.meshWhole());
    if (!this.meshWhole()) checks.report('channels', 'C0', 'the cores did not find one another');
    if (!failed()) this.makePuppets();
    if (!failed()) this.talk();
    if (!failed()) this.settle();
    return {
      seed: this.options.seed,
      cores: this.cores,
      violations: checks.violations.slice(0, 10),
      counts: this.totals(),
      steps: simulation.steps,
      hash: simulation.hash?.digest() ?? '',
    };
  }

  private makePuppets(): void {
    const { simulation } = this;
    const wanted = this.cores * PUPPETS_PER_CORE;
    for (let n = 0; n < wanted; n += 1) {
      const core = n % this.cores;
      simulation.control(core, 'domain_create', { cnodes: 1, memory: 512 << 10 }, (reply) => {
        if (!reply.ok) return this.checks.report('channels', 'K7', `no domain on core ${core}: ${reply.error}`);
        this.puppets.push(this.puppetOn(core, domainOf(reply.value)));
      });
    }
    simulation.run(simulation.now + SECOND, () => this.puppets.length === wanted);
    for (const core of new Set(this.puppets.map((puppet) => puppet.core))) this.listen(core);
  }

  private puppetOn(core: CoreId, domain: DomainId): Puppet {
    const { life } = this.simulation.node(core);
    const alive = (): boolean =>
      this.simulation.node(core).life === life && this.simulation.node(core).machine !== null;
    return new Puppet(
      core,
      domain,
      this.prng.split(`puppet ${core}.${domain}`),
      (name, args, then) => {
        this.open += 1;
        this.simulation.control(core, 'cap_call', { domain, call: { name, args } }, (reply) => {
          this.open -= 1;
          if (alive()) then(reply.ok ? null : reply.error, reply.ok ? reply.value : null);
        });
      },
      (invariant, text) => this.checks.report('channels', invariant, `domain ${domain} of core ${core}: ${text}`),
      this.options.crashes !== true,
    );
  }

  /** Upcalls reach a core's programs at once; their reactions are separate events. */
  private listen(core: CoreId): void {
    const { kernel } = this.simulation.node(core);
    known(kernel).receivers = {
      upcall: (domain, upcall) =>
        this.puppets.find((puppet) => puppet.core === core && puppet.domain === domain)?.upcall(upcall),
    };
  }

  private talk(): void {
    const { simulation, options, prng } = this;
    const begin = simulation.now;
    const step = FAULTS_FOR / options.acts;
    for (let n = 0; n < options.acts; n += 1) {
      const at = begin + Math.floor(n * step + prng.nextInt(Math.max(1, Math.floor(step))));
      simulation.call(at, () => this.puppets[prng.nextInt(Math.max(1, this.puppets.length))]?.act());
    }
    for (let n = 0; n < 2; n += 1)
      if (prng.nextInt(2) === 0) simulation.call(begin + prng.nextInt(FAULTS_FOR), () => this.endOne());
    this.disturb();
    simulation.run(begin + FAULTS_FOR, () => this.checks.failed);
    healAll(simulation);
  }

  /** A program's dispatcher ends, without a word. */
  private endOne(): void {
    const [puppet] = this.puppets.splice(this.prng.nextInt(Math.max(1, this.puppets.length)), 1);
    if (puppet === undefined) return;
    const { kernel } = this.simulation.node(puppet.core);
    const domain = kernel?.cpuDriver.domains.get(puppet.domain);
    if (domain !== undefined) known(kernel).services.channels.dispatcherGone(domain, this.simulation.now);
    puppet.retired = true;
    // Its actions take effect at its core's next event.
    this.simulation.control(puppet.core, 'status', {}, () => undefined);
  }

  private disturb(): void {
    const { options, simulation } = this;
    const { faultsPerSecond = 3, crashes = false } = options;
    if (faultsPerSecond === 0) return;
    const crash = crashes ? 1 : 0;
    disturbLinks(simulation, { seed: options.seed, cores: this.cores, forNs: FAULTS_FOR, faultsPerSecond, crash });
  }

  /** Faults are over and everything ends; then the programs take what came, and stop. */
  private settle(): void {
    const { simulation, checks } = this;
    const failed = (): boolean => checks.failed;
    simulation.run(simulation.now + 60 * SECOND, () => failed() || (this.open === 0 && this.meshWhole()));
    if (failed()) return;
    if (this.open > 0) return checks.report('channels', 'K7', `${this.open} calls were never answered`);
    for (let round = 0; round < 3; round += 1) {
      for (const puppet of this.puppets) puppet.takeAll();
      simulation.run(simulation.now + 8 * SECOND, failed);
    }
    if (failed()) return;
    checks.atEnd();
    if (this.options.crashes !== true) for (const puppet of this.puppets) this.compareBooks(puppet);
    for (const puppet of this.puppets) puppet.retire();
    const quiet = (): boolean => failed() || (this.open === 0 && isQuiet(simulation));
    if (failed() || simulation.run(simulation.now + 60 * SECOND, quiet)) return;
    for (const node of simulation.nodes.values())
      for (const row of leftovers(node)) checks.report('leaks', 'K7', `node ${node.id} is left with ${row}`);
  }

  /** K5: a program holds what it made and what it heard of, except what it cannot know. */
  private compareBooks({ core, domain, held, doubtful }: Puppet): void {
    const { cpuDriver } = known(this.simulation.node(core).kernel);
    const found = new Set<number>();
    for (const { address } of cpuDriver.domains.slotsOf(cpuDriver.state, known(cpuDriver.domains.get(domain))))
      if (address > 1) found.add(address);
    const say = (text: string): void =>
      this.checks.report('channels', 'K5', `domain ${domain} of core ${core} ${text}`);
    for (const address of found) if (!held.has(address) && !doubtful.has(address)) say(`was never told of ${address}`);
    for (const address of held) if (!found.has(address) && !doubtful.has(address)) say(`has lost ${address}`);
  }

  private totals(): Readonly<Record<string, number>> {
    const totals: Record<string, number> = {};
    for (const { counts } of this.puppets)
      for (const [name, count] of Object.entries(counts)) totals[name] = (totals[name] ?? 0) + count;
    return totals;
  }

  private meshWhole(): boolean {
    for (let core: CoreId = 0; core < this.cores; core += 1) {
      if (this.simulation.node(core).kernel?.monitor.context.members.length !== this.cores - 1) return false;
    }
    return true;
  }
}
