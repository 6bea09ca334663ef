/*
 * Stolen memory when its thief dies, its home, or both, at rest, in the middle of a theft or while it is given back;
 * they come back or do not. ramChecker watches every step: no byte is free twice, none is free whose home is gone.
 */
import { describe, expect, test } from '@jest/globals';
import { auditCapabilities } from '@mk/node-kernel/capability/audit/audit';
import { totalBytes } from '@mk/node-kernel/capability/model/ranges';
import type { Kernel } from '@mk/node-kernel/kernel';
import { ramChecker } from '@mk/sim/checkers/ram';
import { MILLISECOND, type Nanos, SECOND } from '@mk/monitor-proto/ids';
import { MemoryMachine, PAGE, RAM } from './memory-machine.ts';

const [THIEF, HOME, CORES] = [0, 1, 4];
const PIECE = 16 * PAGE;
const RESTART_AFTER: Nanos = 300 * MILLISECOND;
/** Of the moments within a theft, and within its return. */
const MOMENTS = 12;
/** Later moments are further apart: a theft takes some 20 µs, a return with its rounds more. */
const momentNs = (at: number): Nanos => 2_000 * at * at;

type Moment = 'at rest' | 'during a theft' | 'while it is given back';

/** Core 0 has taken all of its own memory, and its neighbours'; of the last theft most is unused. */
function thief(seed: string): { machine: MemoryMachine; held: number[] } {
  const machine = new MemoryMachine(CORES, seed, [ramChecker]);
  const held: number[] = [];
  while (stolenFrom(machine, HOME) === 0) held.push(machine.allocate(THIEF, PIECE) as number);
  return { machine, held };
}

/** Unused, at the thief. */
function stolenFrom(machine: MemoryMachine, home: number): number {
  const { ram } = machine.simulation.node(THIEF).kernel!.cpuDriver.state;
  return totalBytes(ram.freeRanges().filter(({ address }) => Math.floor(address / RAM) === home));
}

/** Begins what is to be interrupted. */
function begin(machine: MemoryMachine, held: readonly number[], moment: Moment): void {
  const domain = machine.domains[THIEF];
  const call = (core: number, name: string, args: readonly unknown[]): void =>
    machine.begin(core, 'cap_call', { domain: machine.domains[core] ?? domain, call: { name, args } }, () => undefined);
  if (moment === 'during a theft') call(THIEF, 'allocate', [{ bytes: RAM / 2 }]);
  if (moment !== 'while it is given back') return;
  for (const address of held) call(THIEF, 'invoke', [{ operation: 'delete', target: { address } }]);
  // Nobody has so much: every thief is asked to return what it does not use.
  call(2, 'allocate', [{ bytes: RAM }]);
}

const DEATHS = [[THIEF], [HOME], [THIEF, HOME]] as const;
const CASES = DEATHS.flatMap((dead) =>
  (['at rest', 'during a theft', 'while it is given back'] as const).flatMap((moment) =>
    [false, true].map((back) => ({
      name: `${dead.map((core) => (core === THIEF ? 'thief' : 'home')).join(' and ')}, ${moment}, ${back ? 'and comes back' : 'for good'}`,
      dead,
      moment,
      back,
    })),
  ),
);

describe('stolen memory, when death takes its', () => {
  test.each(CASES)('$name', ({ dead, moment, back }) => {
    for (let at = 0; at < (moment === 'at rest' ? 1 : MOMENTS); at += 1) {
      const { machine, held } = thief(`${moment} ${at}`);
      const { simulation } = machine;
      begin(machine, held, moment);
      simulation.run(simulation.now + momentNs(at));
      for (const core of dead) simulation.crash(core);
      if (back) {
        simulation.run(simulation.now + RESTART_AFTER);
        for (const core of dead) simulation.startNode(core);
      }
      machine.rest();
      expect([at, machine.checks.violations]).toEqual([at, []]);
      expect([at, wrong(machine)]).toEqual([at, []]);
      expect(machine.free).toBeLessThanOrEqual(RAM * machine.living().length);
      if (!dead.includes(THIEF as never)) expect(typeof machine.allocate(THIEF, PIECE)).toBe('number');
    }
  });

  test('home: whoever was asking it goes on to the next core', () => {
    for (let at = 0; at < MOMENTS; at += 1) {
      const { machine } = thief(`asked ${at}`);
      const answers: unknown[] = [];
      const call = { name: 'allocate', args: [{ bytes: RAM / 2 }] };
      machine.begin(THIEF, 'cap_call', { domain: machine.domains[THIEF], call }, (answer) => answers.push(answer));
      machine.simulation.run(machine.simulation.now + momentNs(at));
      machine.simulation.crash(HOME);
      machine.simulation.run(machine.simulation.now + 30e9, () => answers.length > 0);
      expect([at, typeof answers[0]]).toEqual([at, 'number']);
    }
  });
});

/** Bugs in lending: what the checker says of a theft, and of the home's death after it. */
const PLANTED: readonly (readonly [name: string, said: RegExp, plant: (kernel: Kernel) => void])[] = [
  [
    'a thief keeps what a dead home lent',
    /C5 .* which it knows as gone/,
    ({ cpuDriver }) => (cpuDriver.state.ram.take = () => []),
  ],
  [
    'a home forgets what it lent',
    /C5 .* has not lent them/,
    ({ cpuDriver: { state } }) => (state.loans.taken = (op) => state.loans.undo(op)),
  ],
  [
    'what came home counts as lent',
    /LO1 .* which are free there/,
    ({ cpuDriver }) => (cpuDriver.state.loans.returned = () => undefined),
  ],
];

test.each(PLANTED)('a planted bug is caught: %s', (_name, said, plant) => {
  const { machine, held } = thief('planted');
  for (const kernel of machine.living()) plant(kernel);
  begin(machine, held, 'during a theft');
  machine.simulation.run(machine.simulation.now + SECOND);
  begin(machine, held, 'while it is given back');
  machine.simulation.run(machine.simulation.now + 5 * SECOND);
  machine.simulation.crash(HOME);
  machine.simulation.run(machine.simulation.now + 5 * SECOND);
  expect(machine.checks.violations.map(({ invariant, text }) => `${invariant} ${text}`).join('\n')).toMatch(said);
});

test('a second word about memory that was lent again since frees nothing', () => {
  const { machine } = thief('second word');
  const { kernel } = machine.simulation.node(THIEF);
  const { ram } = kernel!.cpuDriver.state;
  const unused = ram.freeRanges().filter(({ address }) => Math.floor(address / RAM) === HOME);
  const home = machine.simulation.node(HOME).kernel!;
  const before = home.cpuDriver.state.ram.freeBytes;
  // As a request that was sent twice because its answer was late.
  machine.simulation.call(machine.simulation.now, () => home.services.capops.reclaims.recover(unused));
  machine.rest();
  expect(machine.checks.violations).toEqual([]);
  expect(home.cpuDriver.state.ram.freeBytes).toBe(before);
  expect(ram.freeRanges()).toEqual(expect.arrayContaining(unused));
});

test('what is lent is told exactly: used, unused, returned and lent again', () => {
  const { machine, held } = thief('told');
  machine.rest();
  type Row = { readonly brought: number; readonly free_own: number; readonly free: number; readonly lent: number };
  const told = (core: number): Row => machine.ask(core, 'memory', {}) as Row;
  const home = told(HOME);
  expect(home.lent).toBeGreaterThanOrEqual(PIECE);
  for (const address of held) machine.call(THIEF, 'invoke', [{ operation: 'delete', target: { address } }]);
  machine.call(2, 'allocate', [{ bytes: RAM }]);
  machine.rest();
  expect(told(HOME)).toMatchObject({ lent: 0, lent_to: [], free: home.free + home.lent });
  // Allocated where it belongs, what had been lent is in use there, and not lent.
  while (told(HOME).free_own > PIECE) machine.call(HOME, 'allocate', [{ bytes: PIECE, near: HOME }]);
  expect(told(HOME)).toMatchObject({ lent: 0, lent_to: [] });
});

/** What an audit finds, without the memory of cores that are gone, which others still have capabilities to. */
function wrong(machine: MemoryMachine): readonly string[] {
  const living = machine.living();
  return auditCapabilities(living.map((kernel: Kernel) => kernel.services.capops.snapshot()))
    .filter(({ memory, range }) => memory !== 'foreign' || living.some((kernel) => isHome(kernel, range!.address)))
    .map(({ invariant, what, detail, cores }) => `${invariant} ${what} on ${cores.join()}: ${detail}`);
}

function isHome({ cpuDriver }: Kernel, address: number): boolean {
  const { memory } = cpuDriver.state;
  return address >= memory.address && address < memory.address + memory.size;
}
