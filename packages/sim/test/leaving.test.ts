import { describe, expect, test } from '@jest/globals';
import { MILLISECOND, SECOND } from '@mk/monitor-proto/ids';
import { hmacSha256 } from '@mk/sim/io/hmac';
import { flatMachine } from '@mk/sim/engine/machines';
import { Simulation } from '@mk/sim/engine/simulation';

/*
 * Cores that nobody reaps leave the view before they end (containers that are scaled down): each votes until it is out, so any number
 * may leave at once, the leader and more than half among them.
 */

const CORES = 8;

function booted(seed: number): { readonly simulation: Simulation; readonly leader: number } {
  const options = { seed, cores: CORES, machine: flatMachine(), hmac: hmacSha256, logLevel: 'info' } as const;
  // As in containers: a lease of 15 s, and no launcher that tells of deaths.
  const simulation = new Simulation({ ...options, leaseMs: 15_000, reapNs: Infinity });
  simulation.start();
  const inView = (): boolean =>
    Array.from({ length: CORES }, (_, core) => viewOf(simulation, core)).every((members) => members.length === CORES);
  expect(simulation.run(20 * SECOND, inView)).toBe(true);
  simulation.run(simulation.now + SECOND);
  return { simulation, leader: simulation.node(0).kernel!.services.views.agreement!.leader! };
}

const viewOf = (simulation: Simulation, core: number): readonly number[] =>
  simulation.node(core).kernel?.services.views.agreement?.view?.members.map((member) => member.core) ?? [];

function leave(simulation: Simulation, cores: readonly number[], apartNs: number): void {
  cores.forEach((core, i) =>
    simulation.call(simulation.now + i * apartNs, () =>
      simulation.deliver(simulation.now, simulation.node(core), null, { type: 'stop', leaves: true }, 0),
    ),
  );
}

describe.each([
  ['all at once', 0],
  ['one after the other', 40 * MILLISECOND],
  ['slowly', 900 * MILLISECOND],
])('cores leave %s', (_how, apartNs) => {
  test.each([
    ['one', 1],
    ['half', CORES / 2],
    ['most', CORES - 2],
    ['all but one', CORES - 1],
  ])(
    '%s, the leader among them: the others go on in a view of their own, and nobody waits for a lease',
    (_many, count) => {
      for (const seed of [1, 2, 3]) {
        const { simulation, leader } = booted(seed);
        const going = [
          leader,
          ...Array.from({ length: CORES }, (_, core) => core).filter((core) => core !== leader),
        ].slice(0, count);
        const staying = Array.from({ length: CORES }, (_, core) => core).filter((core) => !going.includes(core));
        leave(simulation, going, apartNs);
        const done = (): boolean =>
          going.every((core) => simulation.node(core).machine === null) &&
          staying.every(
            (core) =>
              viewOf(simulation, core).join() === staying.join() &&
              !simulation.node(core).kernel!.services.views.agreement!.isFenced,
          );
        expect(simulation.run(simulation.now + going.length * apartNs + 5 * SECOND, done)).toBe(true);
        const ended = going.map((core) => simulation.node(core).ended);
        expect(ended.map((cause) => String(cause))).toEqual(going.map(() => expect.not.stringContaining('PEER_GONE')));
      }
    },
  );
});

test('everybody leaves: nobody waits longer than a container is given', () => {
  const { simulation } = booted(1);
  leave(
    simulation,
    Array.from({ length: CORES }, (_, core) => core),
    0,
  );
  const ended = (): boolean =>
    Array.from({ length: CORES }, (_, core) => core).every((core) => simulation.node(core).machine === null);
  expect(simulation.run(simulation.now + 4 * SECOND, ended)).toBe(true);
});

test('who asks to leave acts no more', () => {
  const { simulation, leader } = booted(1);
  const core = leader === 1 ? 2 : 1;
  // Cut off, so that it cannot get out of the view: it asks, and is fenced all the same.
  const { kernel } = simulation.node(core);
  leave(simulation, [core], 0);
  simulation.run(simulation.now, () => kernel!.services.views.agreement!.isFenced);
  expect(kernel!.services.views.agreement!.mayAct(simulation.now)).toBe(false);
});
