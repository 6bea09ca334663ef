import { SECOND } from '@mk/monitor-proto/ids';
import { isQuiet, leftovers } from '@mk/sim/checkers/leaks';
import type { Checks } from '@mk/sim/checkers/registry';
import { healAll } from '@mk/sim/engine/apply-fault';
import { livingCores, type Simulation } from '@mk/sim/engine/simulation';

const SETTLE = 120 * SECOND;

/** Loads a program on every core that lives, and on those that come back. */
export function loadEverywhere(simulation: Simulation, name: string, text: string): void {
  const encoded = Buffer.from(text).toString('base64');
  const load = (core: number): void =>
    simulation.control(core, 'program_load', { name, text: encoded }, () => undefined);
  for (const core of livingCores(simulation)) load(core);
  simulation.observe({ line: ({ event }, node) => void (event === 'core_ready' && load(node.id)) });
}

/** Heals everything and kills all domains until nothing goes on; whatever is left then is reported as L1. */
export function settleChaos(simulation: Simulation, checks: Checks): void {
  const failed = (): boolean => checks.failed;
  healAll(simulation);
  for (const until = simulation.now + SETTLE; simulation.now < until && !failed() && !isQuiet(simulation);) {
    killAll(simulation);
    simulation.run(simulation.now + SECOND, failed);
  }
  if (!failed()) checks.atEnd();
  if (failed()) return;
  for (const node of simulation.nodes.values())
    for (const row of leftovers(node)) checks.report('leaks', 'L1', `node ${node.id} is left with ${row}`);
}

function killAll(simulation: Simulation): void {
  for (const node of simulation.nodes.values()) {
    if (node.machine === null && node.ended !== null) simulation.startNode(node.id);
    for (const { spec, finished } of node.kernel?.services.programs.homes.all() ?? [])
      if (!finished) simulation.control(node.id, 'domain_kill', { domain: spec.domain }, () => undefined);
  }
}
