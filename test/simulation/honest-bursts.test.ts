import { describe, expect, test } from '@jest/globals';
import { MILLISECOND, SECOND } from '@mk/monitor-proto/ids';
import { honestPeersChecker } from '@mk/sim/checkers/honest-peers';
import { Checks } from '@mk/sim/checkers/registry';
import type { Simulation } from '@mk/sim/engine/simulation';
import { domainOf } from '@mk/sim/workloads/domain-answer';
import { quickSimulation } from '../support/quick-simulation.ts';

const CORES = 5;
const EVERYBODY = Array.from({ length: CORES }, (_, core) => core);
/** Retypes that each of four cores asks everybody about, all at once. */
const AT_ONCE = 120;

interface Burst {
  readonly simulation: Simulation;
  readonly checks: Checks;
}

/** Five members, where one proven offence suffices to accuse; four of them ask for a great deal at once. */
function burst(leaseMs: number): Burst {
  const simulation = quickSimulation({
    seed: 1,
    cores: CORES,
    logLevel: 'warn',
    leaseMs,
    settings: JSON.stringify({ quarantine: 1, leaseMs }),
  });
  const checks = new Checks(simulation, [honestPeersChecker]);
  simulation.start();
  simulation.run(30 * SECOND, () => EVERYBODY.every((core) => membersOf(simulation, core) === CORES));
  const domains: number[] = [];
  for (const core of EVERYBODY)
    simulation.control(core, 'domain_create', { cnodes: 16 }, (reply) => {
      if (reply.ok) domains[core] = domainOf(reply.value);
    });
  simulation.run(simulation.now + SECOND, () => EVERYBODY.every((core) => domains[core] !== undefined));
  for (const core of EVERYBODY.slice(1)) {
    const peers = [0, domains[0]];
    simulation.control(core, 'bench_retype', { domain: domains[core], peers, count: AT_ONCE }, () => undefined);
  }
  simulation.run(simulation.now + 30 * SECOND, () => openRounds(simulation, 1) > AT_ONCE / 2);
  expect(openRounds(simulation, 1)).toBeGreaterThan(AT_ONCE / 2);
  return { simulation, checks };
}

function membersOf(simulation: Simulation, core: number): number {
  return simulation.node(core).kernel?.services.views.agreement?.view?.members.length ?? 0;
}

function openRounds(simulation: Simulation, core: number): number {
  return simulation.node(core).kernel?.services.capops.shared.rounds.openRounds.size ?? 0;
}

function offencesOf(simulation: Simulation): readonly string[] {
  return EVERYBODY.flatMap(
    (core) =>
      simulation
        .node(core)
        .kernel?.monitor.context.offences.rows()
        .filter(({ proof }) => proof)
        .map(({ peer, offence }) => `${core} caught ${peer} at ${offence}`) ?? [],
  );
}

describe('much honest work at once is not an offence', () => {
  test('nor is it when a core stands still for longer than an operation may take, and finds beginnings and ends in its queue', () => {
    const { simulation, checks } = burst(60_000);
    for (let time = 0; time < 3; time += 1) {
      simulation.hang(0);
      simulation.run(simulation.now + 12 * SECOND);
      simulation.resume(0);
      simulation.run(simulation.now + 3 * SECOND);
    }
    expect([checks.violations, offencesOf(simulation)]).toEqual([[], []]);
  });

  test('nor when links hold all of it up for as long, and then bring it together', () => {
    const { simulation, checks } = burst(60_000);
    const settings = { delay_ns: 11 * SECOND, jitter_ns: 0 };
    for (const from of [[1], [2]])
      simulation.faults.add(
        { kind: 'link', id: `slow-${from[0]}`, from, to: [0], both: false, settings, for_ns: null },
        simulation.now,
      );
    simulation.run(simulation.now + 40 * SECOND);
    expect([checks.violations, offencesOf(simulation)]).toEqual([[], []]);
  });

  test('nor when who asked dies with all that it has, and joins again', () => {
    const { simulation, checks } = burst(600);
    for (const core of [1, 2]) simulation.crash(core);
    simulation.run(simulation.now + 5 * SECOND);
    for (const core of [1, 2]) simulation.startNode(core);
    simulation.run(simulation.now + 20 * SECOND, () =>
      EVERYBODY.every((core) => membersOf(simulation, core) === CORES),
    );
    simulation.run(simulation.now + 100 * MILLISECOND);
    expect(EVERYBODY.map((core) => membersOf(simulation, core))).toEqual(EVERYBODY.map(() => CORES));
    expect([checks.violations, offencesOf(simulation)]).toEqual([[], []]);
  });
});
