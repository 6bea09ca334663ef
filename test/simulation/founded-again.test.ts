/*
 * The SKB and all cores end, and begin again in a later life of the SKB: the last view that earlier lives knew decides
 * whether fewer than MK_CORES cores begin a machine (decision 0200).
 */

import { describe, expect, test } from '@jest/globals';
import { type CoreId, type Nanos, SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import type { Kernel } from '@mk/node-kernel/kernel';
import type { Simulation } from '@mk/sim/engine/simulation';
import { quickSimulation } from '../support/quick-simulation.ts';

const MK_CORES = 8;
/** Twice the SKB's silence of 20 s and a dial of 20 s. */
const BOUND = 60;

/** Logs the SKB's lines about waiting. */
class Machine {
  readonly simulation: Simulation = quickSimulation({ seed: 1, cores: MK_CORES, logLevel: 'warn' });
  readonly waits: string[] = [];

  constructor(cores: readonly CoreId[]) {
    this.simulation.observe({
      line: (line) => {
        if (line.event === 'founding_waits') this.waits.push(String(line['text']));
      },
    });
    this.begin(cores);
    this.until(() => this.isView(cores));
  }

  /** A new life of the SKB, with these cores. */
  begin(cores: readonly CoreId[]): void {
    for (const id of [SKB_PEER, ...cores]) this.simulation.startNode(id);
  }

  /** Everything ends at once, without a word. */
  end(): void {
    for (const { id, machine } of this.simulation.nodes.values()) if (machine !== null) this.simulation.crash(id);
  }

  isView(cores: readonly CoreId[]): boolean {
    const members = this.kernels.map(({ services }) => services.views.agreement?.view?.members.map(({ core }) => core));
    return members.length === cores.length && members.every((row) => row?.join(' ') === cores.join(' '));
  }

  until(condition: () => boolean, limit: Nanos = 30 * SECOND): void {
    if (!this.simulation.run(this.simulation.now + limit, condition)) throw new Error(`not within ${limit / SECOND} s`);
  }

  private get kernels(): readonly Kernel[] {
    return [...this.simulation.nodes.values()].flatMap(({ kernel }) => kernel ?? []);
  }
}

describe('a machine of eight that had shrunk to four', () => {
  const before = [0, 1, 2, 3];

  test('begins again with four, and takes in who comes later', () => {
    const machine = new Machine(before);
    machine.end();
    machine.begin(before);
    machine.until(() => machine.isView(before), 5 * SECOND);
    machine.simulation.startNode(5);
    machine.until(() => machine.isView([...before, 5]));
    expect(machine.waits).toEqual([]);
  });

  test('begins again with three when nobody else has come for as long as a living core takes to find the SKB', () => {
    const machine = new Machine(before);
    machine.end();
    machine.begin([0, 1]);
    machine.simulation.run(machine.simulation.now + 10 * SECOND);
    machine.simulation.startNode(3);
    machine.simulation.run(machine.simulation.now + (BOUND - 1) * SECOND);
    expect(machine.isView([0, 1, 3])).toBe(false);
    machine.until(() => machine.isView([0, 1, 3]), 3 * SECOND);
    expect(machine.waits).toEqual([
      '2 of 8 cores are here, and the last view had 4: set MK_CORES to how many there are, or start more',
      '3 of 8 cores are here, and the last view had 4: they begin without the others 60 s after the last of them came',
    ]);
  });

  test('does not begin with two: the other two may be a machine that the SKB does not reach', () => {
    const machine = new Machine(before);
    machine.end();
    machine.begin([0, 1]);
    machine.simulation.run(machine.simulation.now + 10 * BOUND * SECOND);
    expect(machine.isView([0, 1])).toBe(false);
    expect(machine.waits).toHaveLength(1);
  });

  test('is not founded beside a core that is in its view still: that one is heard, and takes the others in', () => {
    const machine = new Machine(before);
    for (const id of [SKB_PEER, 3]) machine.simulation.crash(id);
    machine.begin([3]);
    machine.until(() => machine.isView(before), 2 * BOUND * SECOND);
    expect(machine.waits).toEqual([]);
  });
});

test('a machine of which everybody ends while the SKB lives begins again with fewer', () => {
  const machine = new Machine([0, 1, 2, 3]);
  for (const core of [0, 1, 2, 3]) machine.simulation.crash(core);
  for (const core of [0, 1, 2, 3]) machine.simulation.startNode(core);
  machine.until(() => machine.isView([0, 1, 2, 3]), 5 * SECOND);
  expect(machine.waits).toEqual([]);
});
