import { isRecord } from '@mk/monitor-proto/guards';
import type { Hmac } from '@mk/monitor-proto/handshake/proof';
import { type CoreId, type Nanos, SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import type { ControlReply } from '@mk/monitor-proto/step';
import { PLAN_KINDS } from '@mk/node-kernel/monitor/agreement/plan';
import type { MachineModel } from '@mk/skb/config';
import type { CheckerFactory, Violation } from '../checkers/checker.ts';
import { isQuiet, leftovers } from '../checkers/leaks.ts';
import { checkersOfPrograms, Checks } from '../checkers/registry.ts';
import {
  EndlessTurn,
  type OutputLine,
  type ProgramEnd,
  type ProgramOptions,
  ProgramRun,
  Stalled,
} from '../programs/program-run.ts';
import type { TurnRecord } from '../programs/sim-programs.ts';
import { applyFault, healAll } from './apply-fault.ts';
import type { Scenario, TimedRequest } from './scenario.ts';
import { survivorOfLostMajority } from './lost-majority.ts';
import { livingCores, Simulation } from './simulation.ts';
import type { SimObserver, SimulationOptions } from './simulation-options.ts';

/** The options of a run besides its scenario. */
export interface RunOptions {
  readonly hmac: Hmac;
  machineOf(scenario: Scenario): MachineModel;
  readonly checkers?: readonly CheckerFactory[];
  readonly observers?: readonly SimObserver[];
  /** Plants a bug: how tests prove that the checkers see it. */
  readonly wrap?: NonNullable<SimulationOptions['wrap']>;
  /** Called when the simulation is made, before anything runs. */
  readonly prepare?: (simulation: Simulation) => void;
  /** Observes the run besides its steps and lines. */
  readonly listener?: RunListener;
  /** The program that the scenario names. */
  readonly program?: ProgramOptions;
  /** Receives the turns of programs, for comparing runs. */
  readonly turns?: TurnRecord[];
  /** Numbers of turns that did not end; all runs of the same scenario share it. */
  readonly endless?: Set<number>;
}

interface RunListener {
  /** Boot is complete: faults and load begin. */
  booted(at: Nanos): void;
  /** A request of the load has ended: `ok`, or the error's name. */
  answered(request: TimedRequest, outcome: string, askedAt: Nanos, at: Nanos): void;
}

export interface RunResult {
  readonly scenario: Scenario;
  readonly violations: readonly Violation[];
  /** Null: the run went as planned; otherwise why it proves nothing (it did not boot). */
  readonly inconclusive: string | null;
  readonly hash: string;
  readonly steps: number;
  readonly frames: number;
  readonly dropped: number;
  readonly virtualNs: Nanos;
  /** Requests of the load by outcome. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Turns of programs. */
  readonly turns: number;
  readonly output: readonly OutputLine[];
  readonly ends: readonly ProgramEnd[];
}

const BOOT_LIMIT: Nanos = 60 * SECOND;
/**
 * How soon after the last fault the mesh must be whole again: longer than any deadline and back-off of the protocols.
 */
const HEAL_LIMIT: Nanos = 90 * SECOND;
/**
 * How soon after the last answer nothing may be left on a sound network: shorter than any deadline that might be
 * forgotten.
 */
const QUIET_LIMIT: Nanos = 3 * SECOND;
/** Short compared with heartbeats, which are a second apart and settle within a twentieth of that. */
const LOOK_EVERY: Nanos = SECOND / 100;
/** How long an operator waits for the cores to agree by themselves before declaring a majority lost for good. */
const OPERATOR_PATIENCE: Nanos = 10 * SECOND;
/** In a run with a program, steps between two checks that the run is not stuck: some milliseconds of wall time. */
const PIECE_STEPS = 500;
/** Endless turns that a run looks for: each costs a bound of wall time. */
const ENDLESS_MOST = 8;
/** How often a host may stall for seconds before we suspect ourselves. */
const STALLS_MOST = 5;

/** Runs a scenario to its end: boot, faults and load, heal, converge, final rounds, checks. Pure except for `hmac`. */
export function runScenario(scenario: Scenario, options: RunOptions): RunResult {
  const endless = options.endless ?? new Set<number>();
  for (let stalls = 0; ;) {
    try {
      return new Run(scenario, options, endless).run();
    } catch (error) {
      if (error instanceof Stalled && (stalls += 1) <= STALLS_MOST) continue;
      // The same run reaches the same turn again; this time the core recognises it and kills the dispatcher (P3).
      if (!(error instanceof EndlessTurn) || endless.size >= ENDLESS_MOST) throw error;
      endless.add(error.turn.number);
    }
  }
}

/** A wait; `at`: when it next checks, after everything that happens at that time; null: now. */
type Look = { readonly until: Nanos; readonly condition: () => boolean; at: Nanos | null };

class Run {
  private readonly simulation: Simulation;
  private readonly checks: Checks;
  private readonly outcomes: Record<string, number> = {};
  private pending = 0;
  private operatorAt: Nanos = Infinity;
  private readonly program: ProgramRun | null = null;
  constructor(
    private readonly scenario: Scenario,
    private readonly options: RunOptions,
    endless: ReadonlySet<number>,
  ) {
    this.simulation = new Simulation({
      seed: scenario.seed,
      cores: scenario.cores,
      machine: options.machineOf(scenario),
      hmac: options.hmac,
      logLevel: 'debug',
      ...(scenario.leaseMs !== undefined && { leaseMs: scenario.leaseMs }),
      ...(options.wrap && { wrap: options.wrap }),
      ...(options.program && { programs: options.program.world }),
    });
    this.simulation.programs.suspects = endless;
    if (options.turns !== undefined) this.simulation.programs.record = options.turns;
    this.checks = new Checks(this.simulation, options.checkers ?? checkersFor(scenario));
    if (scenario.program !== undefined && options.program !== undefined)
      this.program = new ProgramRun(
        this.simulation,
        scenario.program,
        options.program,
        (checker, invariant, text) => this.checks.report(checker, invariant, text),
        scenario.faults.length > 0,
      );
    for (const observer of options.observers ?? []) this.simulation.observe(observer);
    options.prepare?.(this.simulation);
  }

  run(): RunResult {
    const { simulation, checks } = this;
    simulation.start();
    const failed = (): boolean => checks.failed;
    this.waitFor(BOOT_LIMIT, () => failed() || this.meshWhole());
    if (!this.meshWhole() && !failed()) return this.result('the cores did not find one another');
    if (!failed()) this.disturb(failed);
    if (!failed()) this.converge(failed);
    if (!failed()) checks.atEnd();
    return this.result(null);
  }

  /**
   * Runs until the condition holds, for at most `limitNs`; returns whether it does. Checks at intervals of the clock:
   * checks after every step would cost more than the steps, and whatever it waits for lasts until the next heartbeats.
   */
  private waitFor(limitNs: Nanos, condition: () => boolean): boolean {
    const { simulation, program } = this;
    const until = simulation.now + limitNs;
    if (program !== null) {
      const look: Look = { until, condition, at: null };
      while (simulation.now < until || look.at !== null)
        if (program.bounded((tired) => this.piece(look, tired))) return true;
      return condition();
    }
    while (simulation.now < until) {
      if (condition()) return true;
      simulation.run(simulation.now + LOOK_EVERY, () => this.checks.failed);
    }
    return condition();
  }

  /** Some of a wait's steps, in a run with a program; returns whether the condition holds. */
  private piece(look: Look, tired: () => boolean): boolean {
    const { simulation, checks } = this;
    const most = simulation.steps + PIECE_STEPS;
    const over = (): boolean => simulation.steps >= most || tired();
    while (!over()) {
      if (look.at === null) {
        if (simulation.now >= look.until) return false;
        if (look.condition()) return true;
        look.at = simulation.now + LOOK_EVERY;
      }
      const stopped = simulation.run(look.at, () => checks.failed || over());
      if (!stopped || checks.failed) look.at = null;
    }
    return false;
  }

  private disturb(failed: () => boolean): void {
    const { simulation, scenario } = this;
    const begin = simulation.now;
    this.options.listener?.booted(begin);
    this.program?.begin();
    for (const { atNs, action } of scenario.faults) {
      if (atNs < scenario.faultsForNs) simulation.call(begin + atNs, () => applyFault(simulation, action));
    }
    for (const request of scenario.load) simulation.call(begin + request.atNs, () => this.ask(request));
    if (this.program === null) simulation.run(begin + scenario.faultsForNs, failed);
    else this.waitFor(scenario.faultsForNs, failed);
    if (failed()) return;
    healAll(simulation);
    this.operatorAt = simulation.now + OPERATOR_PATIENCE;
  }

  /** Faults have stopped: everybody finds everybody again, operations end, and agreement works. */
  private converge(failed: () => boolean): void {
    const { simulation, checks, program } = this;
    if (program !== null && !this.programEnded(program)) return;
    const settled = this.waitFor(
      HEAL_LIMIT,
      () => failed() || this.operate() || (this.pending === 0 && this.meshWhole() && isQuiet(simulation)),
    );
    if (!settled) return this.reportUnsettled();
    for (const plan of failed() ? [] : PLAN_KINDS) {
      for (const phases of [1, 2]) this.finalRound(plan, phases);
    }
    simulation.run(simulation.now + HEAL_LIMIT, () => failed() || this.pending === 0);
    this.waitFor(QUIET_LIMIT, () => failed() || isQuiet(simulation));
    if (this.pending > 0 && !failed()) checks.report('convergence', 'C0', `${this.pending} final rounds did not end`);
  }

  /** Waits for the program; returns whether the run can go on. */
  private programEnded(program: ProgramRun): boolean {
    const over = (): boolean => this.checks.failed || this.operate() || program.ended;
    this.waitFor(this.scenario.program?.limitNs ?? 0, over);
    if (!program.ended && !this.checks.failed) program.reportOpen();
    program.clear();
    return !this.checks.failed;
  }

  /**
   * What operators do: restart cores that ended by themselves, so that an excluded one comes back as a new incarnation;
   * and, when a view's majority is dead, tell a survivor to begin a new epoch.
   */
  private operate(): false {
    const { simulation } = this;
    for (const node of simulation.nodes.values()) if (node.machine === null) simulation.startNode(node.id);
    if (simulation.now < this.operatorAt) return false;
    this.operatorAt = simulation.now + OPERATOR_PATIENCE;
    const survivor = survivorOfLostMajority(simulation);
    if (survivor !== null) simulation.control(survivor, 'view_force', {}, () => undefined);
    return false;
  }

  private finalRound(plan: string, phases: number): void {
    const { simulation } = this;
    const core = livingCores(simulation)[0] ?? 0;
    this.pending += 1;
    simulation.control(core, 'round', { plan, phases }, (reply) => {
      this.pending -= 1;
      const cores = reply.ok && isRecord(reply.value) ? reply.value['cores'] : 0;
      if (!reply.ok)
        this.checks.report(
          'convergence',
          'C0',
          `a ${phases}-phase ${plan} round after healing ended in ${reply.error}: ${reply.text}`,
        );
      else if (cores !== this.scenario.cores)
        this.checks.report(
          'convergence',
          'C0',
          `a ${plan} round after healing reached ${cores} of ${this.scenario.cores} cores`,
        );
    });
  }

  private ask(request: TimedRequest): void {
    const { core, verb, args } = request;
    const askedAt = this.simulation.now;
    this.pending += 1;
    this.simulation.control(core, verb, args, (reply) => {
      this.pending -= 1;
      const outcome = reply.ok ? 'ok' : reply.error;
      this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
      this.options.listener?.answered(request, outcome, askedAt, this.simulation.now);
      const fault = reply.ok && verb === 'flood' ? floodFault(reply) : null;
      if (fault !== null) this.checks.report('urpc', 'U1', `core ${core}: ${fault}`);
    });
  }

  /** Every core is bound to every other one, takes part in global operations and has a lease. */
  private meshWhole(): boolean {
    const { simulation, scenario } = this;
    for (let core: CoreId = 0; core < scenario.cores; core++) {
      const context = simulation.node(core).kernel?.monitor.context;
      if (context === undefined || context.fenced || context.members.length !== scenario.cores - 1) return false;
    }
    return simulation.node(SKB_PEER).skb?.registry.meshComplete ?? false;
  }

  private reportUnsettled(): void {
    const { simulation, checks, scenario } = this;
    if (this.pending > 0) checks.report('convergence', 'C0', `${this.pending} requests were never answered`);
    for (const node of simulation.nodes.values()) {
      const name = node.id === SKB_PEER ? 'the SKB' : `core ${node.id}`;
      const members = node.kernel?.monitor.context.members.length;
      if (members !== undefined && members < scenario.cores - 1)
        checks.report(
          'convergence',
          'C0',
          `core ${node.id} takes part with ${members} of ${scenario.cores - 1} others`,
        );
      for (const row of leftovers(node)) checks.report('leaks', 'L1', `${name} is left with ${row}`);
    }
    if (!checks.failed) checks.report('convergence', 'C0', 'the SKB does not think that the mesh is whole');
  }

  private result(inconclusive: string | null): RunResult {
    const { simulation, checks, scenario, outcomes } = this;
    const { frames, dropped } = simulation.network.counters;
    const violations = checks.violations.slice(0, 20);
    return {
      scenario,
      violations,
      inconclusive,
      hash: simulation.hash?.digest() ?? '',
      steps: simulation.steps,
      frames,
      dropped,
      virtualNs: simulation.now,
      outcomes,
      turns: simulation.programs.turns,
      output: this.program?.output ?? [],
      ends: this.program?.ends ?? [],
    };
  }
}

function checkersFor({ program, faults }: Scenario): readonly CheckerFactory[] | undefined {
  return program === undefined ? undefined : checkersOfPrograms(faults.length > 0);
}

function floodFault(reply: Extract<ControlReply, { ok: true }>): string | null {
  const { sent, received, lost, doubled, reordered } = reply.value as {
    sent: number;
    received: number;
    lost: number;
    doubled: number;
    reordered: number;
  };
  if (received === sent && lost + doubled + reordered === 0) return null;
  return `of ${sent} flooded messages ${received} came, ${lost} were lost, ${doubled} duplicated, ${reordered} reordered`;
}
