import { SECOND } from '@mk/monitor-proto/ids';
import { createPrng, type Prng } from '@mk/monitor-proto/prng';
import { capabilityChecker } from '@mk/sim/checkers/capabilities';
import type { Violation } from '@mk/sim/checkers/checker';
import { honestPeersChecker } from '@mk/sim/checkers/honest-peers';
import { leakChecker } from '@mk/sim/checkers/leaks';
import { memoryChecker } from '@mk/sim/checkers/memory';
import { programChecker } from '@mk/sim/checkers/programs';
import { Checks } from '@mk/sim/checkers/registry';
import { applyFault } from '@mk/sim/engine/apply-fault';
import { livingCores, type Simulation } from '@mk/sim/engine/simulation';
import type { SimulationOptions } from '@mk/sim/engine/simulation-options';
import { scenarioOf } from '@mk/sim/nemesis/nemesis';
import { VmPrograms } from '@mk/sim/programs/io/vm-programs';
import { GIVEN_UP } from './chaos-end.ts';
import { context, ProgramSimulation } from '../../packages/sim/test/programs/program-simulation.ts';
import { loadEverywhere, settleChaos } from '../../packages/sim/test/programs/chaos-settle.ts';

const FAULTS_FOR = 3 * SECOND;
const PROGRAMS = 6;

export interface MemoryChaos {
  readonly violations: readonly Violation[];
  /** Domains by how they ended, as their homes logged it. */
  readonly ends: Readonly<Record<string, number>>;
  /** Failed assertions of programs. */
  readonly asserted: readonly string[];
  /** Counts of events, so that a run in which nothing happened is noticed. */
  readonly events: Readonly<Record<string, number>>;
}

export interface ChaosOptions {
  readonly crashes: boolean;
  readonly cores?: number;
  readonly wrap?: NonNullable<SimulationOptions['wrap']>;
  /**
   * The faults are those of programs: they are killed at any moment, fail, and leave in the middle of what they do;
   * links and cores are sound.
   */
  readonly kills?: boolean;
}

/** Programs that hardly pause are in the middle of something whenever they are killed. */
const KILLS_FOR = SECOND / 5;
const KILLS = 40;

/**
 * Programs that use memory at random, on all cores, under the faults of a seed; then everything is healed and killed,
 * and nothing may be left.
 */
export function runMemoryChaos(seed: number, text: string, options: ChaosOptions): MemoryChaos {
  const { cores = 4, crashes, wrap, kills = false } = options;
  const weights = crashes ? { skb_loss: 0, crash: 5 } : { crash: 0, skb_loss: 0, restart: 0 };
  const scenario = scenarioOf(seed, { cores, faultsForNs: FAULTS_FOR, weights });
  const s = new ProgramSimulation({ seed, cores, ...(wrap && { wrap }) }, new VmPrograms(context));
  const { simulation } = s;
  const checkers = [programChecker, honestPeersChecker, leakChecker, memoryChecker];
  // A crash loses what was under way, which the models of capabilities rely on.
  const checks = new Checks(simulation, crashes ? checkers : [...checkers, capabilityChecker]);
  loadEverywhere(simulation, 'memory-chaos', text);
  const prng = createPrng(seed).split('memory chaos');
  const begin = simulation.now;
  const faults = kills ? [] : scenario.faults;
  for (const { atNs, action } of faults) simulation.call(begin + atNs, () => applyFault(simulation, action));
  const during = kills ? KILLS_FOR : FAULTS_FOR;
  const environment = kills ? { RESTLESS: '1' } : {};
  for (let n = 0; n < (kills ? 2 : 1) * PROGRAMS; n += 1) {
    const [core, at] = [prng.nextInt(cores), begin + prng.nextInt(during / 1000) * 1000];
    const args = { program: 'memory-chaos', args: [String(cores), '0'], core: prng.nextInt(cores), environment };
    simulation.call(at, () => simulation.control(core, 'domain_spawn', args, () => undefined));
  }
  for (let n = 0; kills && n < KILLS; n += 1)
    simulation.call(begin + prng.nextInt(during), () => killOne(simulation, prng));
  simulation.run(begin + FAULTS_FOR, () => checks.failed);
  settleChaos(simulation, checks);
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
    const onPurpose = cause === 'UNCAUGHT' && text.includes(GIVEN_UP);
    if (['ASSERTION_FAILED', 'UNCAUGHT', 'INVARIANT'].includes(cause) && !onPurpose) asserted.push(`${cause}: ${text}`);
  }
  return { ends, events, asserted };
}

/** Kills any domain, by any core. */
function killOne(simulation: Simulation, prng: Prng): void {
  const running = [...simulation.nodes.values()].flatMap((node) =>
    [...(node.kernel?.services.programs.homes.all() ?? [])].filter(({ finished }) => !finished),
  );
  const cores = livingCores(simulation);
  const one = running[prng.nextInt(Math.max(1, running.length))];
  const by = cores[prng.nextInt(cores.length)];
  if (one !== undefined && by !== undefined)
    simulation.control(by, 'domain_kill', { domain: one.spec.domain }, () => undefined);
}
