import { SECOND } from '@mk/monitor-proto/ids';
import { createPrng } from '@mk/monitor-proto/prng';
import { capabilityChecker } from '@mk/sim/checkers/capabilities';
import type { Violation } from '@mk/sim/checkers/checker';
import { honestPeersChecker } from '@mk/sim/checkers/honest-peers';
import { leakChecker } from '@mk/sim/checkers/leaks';
import { programChecker } from '@mk/sim/checkers/programs';
import { Checks } from '@mk/sim/checkers/registry';
import { applyFault } from '@mk/sim/engine/apply-fault';
import type { SimulationOptions } from '@mk/sim/engine/simulation-options';
import { scenarioOf } from '@mk/sim/nemesis/nemesis';
import { VmPrograms } from '@mk/sim/programs/io/vm-programs';
import { context, ProgramSimulation } from './program-simulation.ts';
import { loadEverywhere, settleChaos } from './chaos-settle.ts';

const FAULTS_FOR = 5 * SECOND;

export interface Chaos {
  readonly violations: readonly Violation[];
  readonly hash: string;
  /** Domains by how they ended, as their homes logged it. */
  readonly ends: Readonly<Record<string, number>>;
}

/**
 * Random programs on all cores under the faults of a seed; then everything is healed and killed, and nothing may be
 * left.
 */
export function runChaos(
  seed: number,
  text: string,
  options: { readonly crashes: boolean; readonly wrap?: NonNullable<SimulationOptions['wrap']> },
): Chaos {
  const weights = options.crashes ? { skb_loss: 0 } : { crash: 0, skb_loss: 0, restart: 0 };
  const scenario = scenarioOf(seed, { cores: 4, faultsForNs: FAULTS_FOR, weights });
  const s = new ProgramSimulation(
    { seed, cores: 4, ...(options.wrap && { wrap: options.wrap }) },
    new VmPrograms(context),
  );
  const { simulation } = s;
  const checkers = [programChecker, honestPeersChecker, leakChecker];
  // A crash loses what was in flight, which the models of capabilities rely on.
  const checks = new Checks(simulation, options.crashes ? checkers : [...checkers, capabilityChecker]);
  loadEverywhere(simulation, 'chaos', text);
  const prng = createPrng(seed).split('chaos');
  const begin = simulation.now;
  for (const { atNs, action } of scenario.faults) simulation.call(begin + atNs, () => applyFault(simulation, action));
  for (let n = 0; n < 12; n++) {
    const [core, at] = [prng.nextInt(4), begin + prng.nextInt(FAULTS_FOR / 1000) * 1000];
    const args = { program: 'chaos', args: ['4', '0'], core: prng.nextInt(4), environment: { N: String(n) } };
    simulation.call(at, () => simulation.control(core, 'domain_spawn', args, () => undefined));
  }
  simulation.run(begin + FAULTS_FOR, () => checks.failed);
  settleChaos(simulation, checks);
  const ends: Record<string, number> = {};
  for (const { event, cause } of s.lines as unknown as { event: string; cause: string }[])
    if (event === 'domain_finished') ends[cause] = (ends[cause] ?? 0) + 1;
  return { violations: checks.violations, hash: simulation.hash!.digest(), ends };
}
