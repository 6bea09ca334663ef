import { domainOf } from './domain-answer.ts';
import { known } from '@mk/monitor-proto/assert';
import type { Hmac } from '@mk/monitor-proto/handshake/proof';
import { type CoreId, MILLISECOND, type Nanos, SECOND } from '@mk/monitor-proto/ids';
import { createPrng, type Prng } from '@mk/monitor-proto/prng';
import type { RogueBehaviour } from '@mk/monitor-proto/rogue-behaviours';
import type { ControlReply } from '@mk/monitor-proto/step';
import type { ChurnReport } from '@mk/node-kernel/control/verb-answers';
import { capabilityChecker, survivorsChecker } from '../checkers/capabilities.ts';
import { ramChecker } from '../checkers/ram.ts';
import type { CheckerFactory, Violation } from '../checkers/checker.ts';
import { honestPeersChecker } from '../checkers/honest-peers.ts';
import { isQuiet, leftovers } from '../checkers/leaks.ts';
import { Checks } from '../checkers/registry.ts';
import { revokedChecker } from '../checkers/revoked.ts';
import { flatMachine } from '../engine/machines.ts';
import { disturbLinks } from './disturb-links.ts';
import { applyFault, healAll } from '../engine/apply-fault.ts';
import { Simulation } from '../engine/simulation.ts';
import type { SimObserver, SimulationOptions } from '../engine/simulation-options.ts';

/** One run of random capability operations on every core, all of it derived from the seed. */
export interface ChurnRunOptions {
  readonly seed: number | string;
  readonly hmac: Hmac;
  /** By default 4 to 16, by the seed. */
  readonly cores?: number;
  /** Operations of all cores together. */
  readonly operations: number;
  /** How the last core misbehaves, one way after the other. It has no domain: nobody gives it anything. */
  readonly rogue?: readonly RogueBehaviour[];
  /** How many cores die at some time: the last ones; those that live are a majority. */
  readonly crashes?: number;
  /** The dead cores start again a while later, as new incarnations. */
  readonly restarts?: boolean;
  /** How many cores misbehave at the same time: the last ones; 1 if absent. */
  readonly rogues?: number;
  /** How many proven offences suffice to accuse; absent: as in a real cluster. */
  readonly quarantine?: number;
  /** Link faults per second of virtual time; 0: none. */
  readonly faultsPerSecond?: number;
  readonly checkers?: readonly CheckerFactory[];
  readonly observers?: readonly SimObserver[];
  /** Plants a bug in each kernel as it boots. */
  readonly wrap?: NonNullable<SimulationOptions['wrap']>;
  readonly hash?: boolean;
}

export interface ChurnRunResult {
  readonly seed: number | string;
  readonly cores: number;
  readonly violations: readonly Violation[];
  readonly operations: number;
  readonly ok: number;
  readonly kinds: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly steps: number;
  readonly virtualNs: Nanos;
  readonly hash: string;
}

const DOMAINS_PER_CORE = 2;
const RAM_BYTES = 4 << 20;
/** Links besides the faults, and how many capabilities there are: few enough that operations interfere. */
const NETWORKS = [
  { delayMs: 0, slowLinks: 0, pauseUs: 20, keep: 90 },
  { delayMs: 0, slowLinks: 0, pauseUs: 5, keep: 5 },
  { delayMs: 0, slowLinks: 1, pauseUs: 1_000, keep: 8 },
  { delayMs: 0, slowLinks: 2, pauseUs: 3_000, keep: 5 },
  { delayMs: 1, slowLinks: 1, pauseUs: 2_000, keep: 90 },
  { delayMs: 5, slowLinks: 0, pauseUs: 5_000, keep: 5 },
] as const;
const BOOT_LIMIT: Nanos = 60 * SECOND;
/** Churn ends by itself: a caller waits at most 20 s for an operation. */
const RUN_LIMIT: Nanos = 240 * SECOND;
const FAULTS_FOR: Nanos = 4 * SECOND;
/** A core dies at one of its first so many steps with a round of its own open. */
const CRASH_WITHIN = 400;
const RESTART_AFTER: Nanos = 300 * MILLISECOND;

/** Boots, churns under link faults, heals, lets everything end, audits. C1–C6 after every step, C7 at the end. */
export function runChurn(options: ChurnRunOptions): ChurnRunResult {
  return new ChurnRun(options).run();
}

class ChurnRun {
  private readonly simulation: Simulation;
  private readonly checks: Checks;
  private readonly cores: number;
  private readonly domains: (readonly [CoreId, number])[] = [];
  private readonly totals: Pick<ChurnReport, 'operations' | 'ok' | 'kinds' | 'errors'> = {
    operations: 0,
    ok: 0,
    kinds: {},
    errors: {},
  };
  private running = 0;
  private readonly dead = new Set<CoreId>();

  constructor(private readonly options: ChurnRunOptions) {
    const { seed, hmac, wrap } = options;
    this.cores = options.cores ?? 4 + createPrng(seed).split('cores').nextInt(13);
    this.simulation = new Simulation({
      seed,
      cores: this.cores,
      machine: flatMachine(),
      hmac,
      logLevel: 'warn',
      hash: options.hash ?? false,
      settings: JSON.stringify({
        ramBytes: RAM_BYTES,
        ...(options.quarantine !== undefined && { quarantine: options.quarantine }),
      }),
      ...(wrap && { wrap }),
    });
    this.checks = new Checks(
      this.simulation,
      options.checkers ?? [
        options.crashes === undefined ? capabilityChecker : survivorsChecker,
        ramChecker,
        revokedChecker,
        honestPeersChecker,
      ],
    );
    for (const observer of options.observers ?? []) this.simulation.observe(observer);
  }

  run(): ChurnRunResult {
    const { simulation, checks } = this;
    const failed = (): boolean => checks.failed;
    simulation.start();
    simulation.run(BOOT_LIMIT, () => failed() || this.meshWhole());
    if (!this.meshWhole()) checks.report('convergence', 'C0', 'the cores did not find one another');
    if (!failed()) this.makeDomains();
    if (!failed()) this.startAll();
    if (!failed()) simulation.run(simulation.now + RUN_LIMIT, () => failed() || this.running === 0);
    if (!failed()) this.settle();
    if (!failed()) checks.atEnd();
    const { steps, now } = simulation;
    return {
      seed: this.options.seed,
      cores: this.cores,
      violations: checks.violations.slice(0, 10),
      ...this.totals,
      steps,
      virtualNs: now,
      hash: simulation.hash?.digest() ?? '',
    };
  }

  /** The cores that misbehave. */
  private get rogues(): readonly CoreId[] {
    const { rogue, rogues = rogue === undefined ? 0 : 1 } = this.options;
    return Array.from({ length: rogues }, (_, n) => this.cores - rogues + n);
  }

  private makeDomains(): void {
    const honest = this.cores - this.rogues.length;
    let left = honest * DOMAINS_PER_CORE;
    for (let n = 0; n < left; n += 1) {
      const core = n % honest;
      this.simulation.control(core, 'domain_create', { cnodes: 1, memory: 512 << 10 }, (reply) => {
        left -= 1;
        if (reply.ok) this.domains.push([core, domainOf(reply.value)]);
        else this.checks.report('churn', 'C7', `no domain on core ${core}: ${reply.error}`);
      });
    }
    const count = left;
    this.simulation.run(this.simulation.now + SECOND, () => left === 0 || this.domains.length === count);
  }

  private startAll(): void {
    const { simulation, options } = this;
    const operations = Math.ceil(options.operations / this.domains.length);
    const peers = this.domains.flat();
    const begin = simulation.now;
    const prng = createPrng(options.seed).split('network');
    const { delayMs, slowLinks, pauseUs, keep } = known(NETWORKS[prng.nextInt(NETWORKS.length)]);
    const slow = (id: string, from: 'all' | readonly CoreId[], to: 'all' | readonly CoreId[], ms: number): void => {
      const settings = { delay_ns: ms * MILLISECOND, jitter_ns: ms * MILLISECOND };
      simulation.faults.add({ kind: 'link', id, from, to, both: from === 'all', settings, for_ns: null }, begin);
    };
    if (delayMs > 0) slow('network', 'all', 'all', delayMs);
    for (let n = 0; n < slowLinks * this.cores; n += 1)
      slow(`slow-${n}`, [prng.nextInt(this.cores)], [prng.nextInt(this.cores)], 1 + prng.nextInt(20));
    // A rogue speaks only for itself: nobody sees what the inner node of a tree withholds (CAVEATS.md).
    if (options.rogue === undefined && prng.nextInt(2) === 0)
      for (let core = 0; core < this.cores; core += 1) this.plantTree(core, prng);
    for (const [core, domain] of this.domains) {
      this.running += 1;
      simulation.control(
        core,
        'churn',
        {
          domain,
          peers,
          operations,
          pause_us: pauseUs,
          keep,
          seed: createPrng(options.seed).split('churn').nextUint32(),
        },
        (reply) => this.ended(core, reply),
      );
    }
    this.turnRogue(begin);
    this.planCrashes();
    const { faultsPerSecond = 3 } = options;
    if (faultsPerSecond === 0) return;
    disturbLinks(simulation, { seed: options.seed, cores: this.cores, forNs: FAULTS_FOR, faultsPerSecond });
    simulation.call(begin + FAULTS_FOR, () => this.heal());
  }

  /**
   * Each victim dies in the middle of a round of its own, at a time drawn from the seed: what can go wrong is that it
   * has told some cores and not others.
   */
  private planCrashes(): void {
    const { simulation, cores, options } = this;
    const prng = createPrng(options.seed).split('crashes');
    for (let n = 1; n <= (options.crashes ?? 0); n += 1) {
      const victim = cores - n;
      let left = 1 + prng.nextInt(CRASH_WITHIN);
      simulation.observe({
        step: ({ id, kernel }) => {
          if (id !== victim || kernel === null || kernel.services.capops.shared.rounds.openRounds.size === 0) return;
          if ((left -= 1) === 0) simulation.call(simulation.now, () => this.crash(victim));
        },
      });
    }
  }

  private crash(core: CoreId): void {
    const { simulation, options } = this;
    this.dead.add(core);
    simulation.crash(core);
    const isDead = (): boolean => simulation.node(core).machine === null;
    if (options.restarts === true)
      simulation.call(simulation.now + RESTART_AFTER, () => isDead() && simulation.startNode(core));
  }

  /** Each way of misbehaving gets its share of the time in which faults happen. */
  private turnRogue(begin: Nanos): void {
    const { rogue = [] } = this.options;
    const forNs = FAULTS_FOR / Math.max(1, rogue.length);
    for (const [i, behaviour] of rogue.entries()) {
      const action = { type: 'rogue', cores: this.rogues, behaviour, forNs } as const;
      this.simulation.call(begin + i * forNs, () => applyFault(this.simulation, action));
    }
  }

  /** Plants a random dissemination tree, as the SKB might push it: rounds then take another way than other messages. */
  private plantTree(core: CoreId, prng: Prng): void {
    const others = Array.from({ length: this.cores }, (_, n) => n).filter((n) => n !== core);
    const below = new Map<CoreId, CoreId[]>([[core, []]]);
    while (others.length > 0) {
      const [next] = others.splice(prng.nextInt(others.length), 1);
      const parents = [...below.keys()];
      known(below.get(known(parents[prng.nextInt(parents.length)]))).push(known(next));
      below.set(known(next), []);
    }
    const flatten = (at: CoreId): readonly number[] => [
      at,
      known(below.get(at)).length,
      ...known(below.get(at)).flatMap(flatten),
    ];
    this.simulation.node(core).kernel?.services.agreement.installPlans(1 << 20, flatten(core), flatten(core));
  }

  private ended(core: CoreId, reply: ControlReply<ChurnReport>): void {
    this.running -= 1;
    if (this.dead.has(core)) return;
    if (!reply.ok)
      return this.checks.report('churn', 'C7', `churn on core ${core} ended in ${reply.error}: ${reply.text}`);
    const { operations, ok, kinds, errors, wrong } = reply.value;
    this.totals.operations += operations;
    this.totals.ok += ok;
    for (const [kind, count] of Object.entries(kinds)) this.totals.kinds[kind] = (this.totals.kinds[kind] ?? 0) + count;
    for (const [error, count] of Object.entries(errors))
      this.totals.errors[error] = (this.totals.errors[error] ?? 0) + count;
    for (const text of wrong) this.checks.report('churn', /\((C\d)\)/.exec(text)?.[1] ?? 'C7', `core ${core}: ${text}`);
  }

  /** C7: with faults over, everything ends. */
  private settle(): void {
    const { simulation, checks } = this;
    if (this.running > 0) return checks.report('churn', 'C7', `${this.running} churns never ended`);
    this.heal();
    const quiet = simulation.run(simulation.now + 120 * SECOND, () => checks.failed || isQuiet(simulation));
    if (quiet || checks.failed) return;
    for (const node of simulation.nodes.values())
      for (const row of leftovers(node)) checks.report('leaks', 'C7', `node ${node.id} is left with ${row}`);
  }

  private heal(): void {
    if (this.dead.size === 0 || this.options.restarts === true) return healAll(this.simulation);
    this.simulation.faultLog.heal('all', this.simulation.now);
    for (const { id } of this.simulation.nodes.values()) this.simulation.resume(id);
  }

  private meshWhole(): boolean {
    for (let core: CoreId = 0; core < this.cores; core += 1) {
      if (this.simulation.node(core).kernel?.monitor.context.members.length !== this.cores - 1) return false;
    }
    return true;
  }
}
