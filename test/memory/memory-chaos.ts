import { SECOND } from '@mk/monitor-proto/ids';
import { createPrng } from '@mk/monitor-proto/prng';
import { capabilityChecker } from '@mk/sim/checkers/capabilities';
import type { Violation } from '@mk/sim/checkers/checker';
import { honestPeersChecker } from '@mk/sim/checkers/honest-peers';
import { isQuiet, leakChecker, leftovers } from '@mk/sim/checkers/leaks';
import { memoryChecker } from '@mk/sim/checkers/memory';
import { programChecker } from '@mk/sim/checkers/programs';
import { Checks } from '@mk/sim/checkers/registry';
import { applyFault, healAll } from '@mk/sim/engine/apply-fault';
import { livingCores, type Simulation } from '@mk/sim/engine/simulation';
import type { SimulationOptions } from '@mk/sim/engine/simulation-options';
import { scenarioOf } from '@mk/sim/nemesis/nemesis';
import { VmPrograms } from '@mk/sim/programs/io/vm-programs';
import { context, ProgramSimulation } from '../../packages/sim/test/programs/program-simulation.ts';

const FAULTS_FOR = 3 * SECOND;
const SETTLE = 120 * SECOND;
const PROGRAMS = 6;

export interface MemoryChaos {
  readonly violations: readonly Violation[];
  /** Domains by how they ended, as their homes logged it. */
  readonly ends: Readonly<Record<string, number>>;
  /** Assertions of programs that did not hold. */
  readonly asserted: readonly string[];
  /** What happened, so that a run in which nothing did is seen. */
  readonly events: Readonly<Record<string, number>>;
}

export interface ChaosOptions {
  readonly crashes: boolean;
  readonly cores?: number;
  readonly wrap?: NonNullable<SimulationOptions['wrap']>;
}

/** Programs that use memory by chance, on all cores, under the faults of a seed; then all is healed and killed, and nothing may be left. */
export function runMemoryChaos(seed: number, text: string, options: ChaosOptions): MemoryChaos {
  const { cores = 4, crashes, wrap } = options;
  const weights = crashes ? { skb_loss: 0, crash: 5 } : { crash: 0, skb_loss: 0, restart: 0 };
  const scenario = scenarioOf(seed, { cores, faultsForNs: FAULTS_FOR, weights });
  const s = new ProgramSimulation({ seed, cores, ...(wrap && { wrap }) }, new VmPrograms(context));
  const { simulation } = s;
  const checkers = [programChecker, honestPeersChecker, leakChecker, memoryChecker];
  // A crash loses what was under way, and with it what the models of capabilities count on.
  const checks = new Checks(simulation, crashes ? checkers : [...checkers, capabilityChecker]);
  const encoded = Buffer.from(text).toString('base64');
  const load = (core: number): void =>
    simulation.control(core, 'program_load', { name: 'memory-chaos', text: encoded }, () => undefined);
  for (const core of livingCores(simulation)) load(core);
  simulation.observe({ line: ({ event }, node) => void (event === 'core_ready' && load(node.id)) });
  const prng = createPrng(seed).split('memory chaos');
  const begin = simulation.now;
  for (const { atNs, action } of scenario.faults) simulation.call(begin + atNs, () => applyFault(simulation, action));
  for (let n = 0; n < PROGRAMS; n += 1) {
    const [core, at] = [prng.nextInt(cores), begin + prng.nextInt(FAULTS_FOR / 1000) * 1000];
    const args = { program: 'memory-chaos', args: [String(cores), '0'], core: prng.nextInt(cores) };
    simulation.call(at, () => simulation.control(core, 'domain_spawn', args, () => undefined));
  }
  const failed = (): boolean => checks.failed;
  simulation.run(begin + FAULTS_FOR, failed);
  healAll(simulation);
  for (const until = simulation.now + SETTLE; simulation.now < until && !failed() && !isQuiet(simulation);) {
    killAll(simulation);
    simulation.run(simulation.now + SECOND, failed);
  }
  if (!failed()) checks.atEnd();
  if (!failed())
    for (const node of simulation.nodes.values())
      for (const row of leftovers(node)) checks.report('leaks', 'L1', `node ${node.id} is left with ${row}`);
  return { violations: checks.violations, ...told(s) };
}

function told({ lines }: ProgramSimulation): Omit<MemoryChaos, 'violations'> {
  const ends: Record<string, number> = {};
  const events: Record<string, number> = {};
  const asserted: string[] = [];
  for (const line of lines) {
    const { event, cause, text } = line as unknown as { event: string; cause: string; text: string };
    events[event] = (events[event] ?? 0) + 1;
    if (event !== 'domain_finished') continue;
    ends[cause] = (ends[cause] ?? 0) + 1;
    if (['ASSERTION_FAILED', 'UNCAUGHT', 'INVARIANT'].includes(cause)) asserted.push(`${cause}: ${text}`);
  }
  return { ends, events, asserted };
}

function killAll(simulation: Simulation): void {
  for (const node of simulation.nodes.values()) {
    if (node.machine === null && node.ended !== null) simulation.startNode(node.id);
    for (const { spec, finished } of node.kernel?.services.programs.homes.all() ?? [])
      if (!finished) simulation.control(node.id, 'domain_kill', { domain: spec.domain }, () => undefined);
  }
}
