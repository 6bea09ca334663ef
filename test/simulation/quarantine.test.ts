import { describe, expect, jest, test } from '@jest/globals';
import { SECOND } from '@mk/monitor-proto/ids';
import type { Route } from '@mk/monitor-proto/messages/fields';
import { ROGUE_BEHAVIOUR_NAMES } from '@mk/monitor-proto/rogue-behaviours';
import { PHASES, ROUND_ACTIONS } from '@mk/node-kernel/monitor/agreement/round-actions';
import { accusersNeeded, Quarantine } from '@mk/node-kernel/monitor/views/quarantine';
import { fastMac } from '@mk/sim/engine/fast-mac';
import { type ChurnRunResult, runChurn } from '@mk/sim/workloads/churn';
import { quickSimulation } from '../support/quick-simulation.ts';

/** The gate runs a few; docs/TESTING.md says how to run hundreds. */
const SEEDS = Number(process.env['MK_QUARANTINE_SEEDS'] ?? 4);

/**
 * As many rogues as a view bears, all of them accusing everybody, while the others work and links break; one proven
 * offence suffices to accuse.
 */
function churnBesideRogues(seed: number): ChurnRunResult {
  const cores = 4 + (seed % 4);
  const from = seed % ROGUE_BEHAVIOUR_NAMES.length;
  const ways = [...ROGUE_BEHAVIOUR_NAMES.slice(from), ...ROGUE_BEHAVIOUR_NAMES.slice(0, from)];
  return runChurn({
    seed,
    operations: 100,
    cores,
    rogue: ['forge', ...ways.slice(0, 3)],
    rogues: accusersNeeded(cores) - 1,
    quarantine: 1,
    faultsPerSecond: 2,
    hmac: fastMac,
  });
}

describe('a core that keeps to the protocol is never put out for what others say of it', () => {
  test(`QV3, and C1–C7 on the others, in ${SEEDS} seeds`, () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { violations, ok } = churnBesideRogues(seed);
      expect({ seed, violations }).toEqual({ seed, violations: [] });
      expect(ok).toBeGreaterThan(20);
    }
  });

  test('is seen to be broken where one accuser counts twice', () => {
    const { accuse } = Quarantine.prototype;
    const planted = jest.spyOn(Quarantine.prototype, 'accuse').mockImplementation(function (
      this: Quarantine,
      by,
      members,
    ) {
      const once = accuse.call(this, by, members);
      return accuse.call(this, -1 - by, members) || once;
    });
    try {
      expect(churnBesideRogues(4).violations.map(({ invariant }) => invariant)).toContain('QV3');
    } finally {
      planted.mockRestore();
    }
  });
});

const NOOP = ROUND_ACTIONS.noop.ordinal;

/** Four members, the last a rogue: it makes core 0 pass on a round that it has made up. */
function passesOn(op: string, below: readonly Route[]): readonly string[] {
  const simulation = quickSimulation({
    seed: 1,
    cores: 4,
    logLevel: 'off',
  });
  const contextOf = (core: number) => simulation.node(core).kernel!.monitor.context;
  simulation.start();
  simulation.run(30 * SECOND, () =>
    [0, 1, 2, 3].every((core) => simulation.node(core).kernel?.monitor.context.takesPart),
  );
  simulation.control(3, 'ping', { core: 0, count: 1 }, () => undefined);
  simulation.run(simulation.now + SECOND);
  const { view } = contextOf(0);
  const payload = new Uint8Array();
  contextOf(3).send(0, { type: 'round_request', op, view, phase: PHASES.commit, kind: NOOP, below, payload });
  simulation.control(3, 'ping', { core: 0, count: 1 }, () => undefined);
  simulation.run(simulation.now + SECOND);
  return [0, 1, 2].flatMap((core) =>
    contextOf(core)
      .offences.rows()
      .map(({ peer, offence, proof }) => `${core} caught ${peer} at ${offence}${proof ? ', proven' : ''}`),
  );
}

describe('a sound core that passes on what a rogue has made up is caught at nothing', () => {
  const OTHERS: readonly Route[] = [
    [1, []],
    [2, []],
  ];

  test.each(['0.999.1', '00.1.1', '1e0.1.1'])('in the name %s', (op) => {
    expect(passesOn(op, OTHERS)).toEqual(['0 caught 3 at unsealed']);
  });

  test('over a tree that names a core twice', () => {
    expect(passesOn('3.1.1000000', [[1, [[1, []]]]])).toEqual([]);
  });
});

describe('who misbehaves towards one core alone', () => {
  test('is examined by the others when that one accuses it, and put out', () => {
    const simulation = quickSimulation({ seed: 1, cores: 5, logLevel: 'off', leaseMs: 600 });
    const cores = [0, 1, 2, 3, 4];
    const membersOf = (core: number): readonly number[] =>
      simulation.node(core).kernel?.services.views.agreement?.view?.members.map((member) => member.core) ?? [];
    simulation.start();
    simulation.run(30 * SECOND, () => cores.every((core) => membersOf(core).length === cores.length));
    simulation.control(4, 'rogue', { behaviour: 'lie', rate: 1, seed: 1 }, () => undefined);
    // Nobody but core 2 asks it anything.
    for (let n = 0; n < 60; n += 1) {
      simulation.control(2, 'round', { plan: 'unicast' }, () => undefined);
      simulation.run(simulation.now + 10 * 1_000_000);
    }
    simulation.run(simulation.now + 10 * SECOND, () => [0, 1, 2, 3].every((core) => membersOf(core).length < 5));
    expect([0, 1, 2, 3].map(membersOf)).toEqual([0, 1, 2, 3].map(() => [0, 1, 2, 3]));
    for (const core of [0, 1, 2, 3])
      expect(
        simulation
          .node(core)
          .kernel?.monitor.context.offences.rows()
          .map(({ peer }) => peer),
      ).toEqual([4]);
  });
});
