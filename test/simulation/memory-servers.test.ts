import { describe, expect, test } from '@jest/globals';
import { ramChecker } from '@mk/sim/checkers/ram';
import { createPrng } from '@mk/monitor-proto/prng';
import { MemoryMachine, PAGE, RAM } from './memory-machine.ts';

describe('memory servers', () => {
  test('one core alone takes the memory of all, then hears that there is none; freed, all of it is back', () => {
    const machine = new MemoryMachine(4, 'exhaust');
    const before = machine.free;
    const held: number[] = [];
    for (;;) {
      const address = machine.allocate(0, 16 * PAGE);
      if (typeof address !== 'number') {
        expect(address).toBe('OUT_OF_MEMORY');
        break;
      }
      held.push(address);
    }
    // The rest is smaller than a piece, on each core; the refusal says so.
    const text = machine.refusal(0, 'allocate', [{ bytes: 16 * PAGE }]);
    expect(text).toContain(`no core has ${16 * PAGE} bytes free in one piece; of ${machine.free} free bytes`);
    expect(text.match(/\d+ on core \d/g)).toHaveLength(4);
    expect(machine.refusal(0, 'allocate', [{ bytes: PAGE, alignment: 1 << 21, from: RAM, to: 2 * RAM }])).toContain(
      'at a multiple of 2097152 from 0x100000 to 0x200000',
    );
    expect(machine.free).toBeLessThan(4 * 16 * PAGE);
    expect(held.length * 16 * PAGE + machine.free).toBe(before);
    machine.settle();
    for (const address of held) machine.call(0, 'invoke', [{ operation: 'delete', target: { address } }]);
    machine.settle();
    expect(machine.free).toBe(before);
  });

  test('alignment, range and home are kept; what cannot be is refused by name', () => {
    const machine = new MemoryMachine(3, 'hints');
    const at = (core: number, address: unknown): number =>
      [...machine.simulation.node(core).kernel!.cpuDriver.state.database.groups()]
        .flatMap((group) => [...group.slots])
        .find(
          (slot) =>
            slot.container.kind === 'L2CNode' &&
            slot.capability?.type === 'RAM' &&
            slot.index === (address as number) % 256,
        )!.capability!.address;
    expect(at(0, machine.allocate(0, PAGE, { alignment: 64 * PAGE })) % (64 * PAGE)).toBe(0);
    const near = at(0, machine.allocate(0, PAGE, { near: 2 }));
    expect(Math.floor(near / RAM)).toBe(2);
    const within = at(0, machine.allocate(0, PAGE, { from: RAM + 100 * PAGE, to: RAM + 108 * PAGE }));
    expect(within).toBeGreaterThanOrEqual(RAM + 100 * PAGE);
    expect(within).toBeLessThan(RAM + 108 * PAGE);
    expect(machine.allocate(0, 0)).toBe('SIZE_ALIGNMENT');
    expect(machine.allocate(0, PAGE, { alignment: 3 })).toBe('OFFSET_ALIGNMENT');
    expect(machine.allocate(0, PAGE, { near: 9 })).toBe('PEER_UNKNOWN');
    expect(machine.allocate(0, PAGE, { from: 10 * RAM, to: 11 * RAM })).toBe('OUT_OF_MEMORY');
    expect(machine.allocate(0, -1)).toBe('BAD_SYSTEM_CALL');
    machine.settle();
  });

  test('a thief that dies: its victims take back what nobody holds', () => {
    const machine = new MemoryMachine(4, 'dead-thief', [ramChecker]);
    for (let i = 0; i < 24; i += 1) expect(typeof machine.allocate(0, 16 * PAGE)).toBe('number');
    const others = (): number =>
      [1, 2, 3].reduce((sum, core) => sum + machine.simulation.node(core).kernel!.cpuDriver.state.ram.freeBytes, 0);
    const full = 3 * RAM - others();
    expect(full).toBeGreaterThan(0);
    machine.simulation.crash(0);
    machine.simulation.run(machine.simulation.now + 20e9, () => others() > 3 * RAM - 3 * 9 * 4 * PAGE - PAGE);
    expect(others()).toBeGreaterThan(3 * RAM - 3 * 200 * 1024);
  });

  test('all cores allocate and free at once: nothing is lost, 12 seeds', () => {
    for (let seed = 0; seed < 12; seed += 1) {
      const prng = createPrng(seed);
      const machine = new MemoryMachine(3 + (seed % 3), seed);
      const before = machine.free;
      const held: number[][] = machine.domains.map(() => []);
      let open = 0;
      for (let i = 0; i < 120; i += 1) {
        const core = prng.nextInt(machine.cores);
        const mine = held[core]!;
        const call = (name: string, args: readonly unknown[], done: (answer: unknown) => void): void => {
          open += 1;
          machine.begin(core, 'cap_call', { domain: machine.domains[core], call: { name, args } }, (answer) => {
            open -= 1;
            done(answer);
          });
        };
        if (prng.nextInt(3) > 0 || mine.length === 0)
          call('allocate', [{ bytes: (1 + prng.nextInt(80)) * PAGE }], (answer) => {
            if (typeof answer === 'number') mine.push(answer);
            else expect(['OUT_OF_MEMORY']).toContain(answer);
          });
        else {
          const [address] = mine.splice(prng.nextInt(mine.length), 1);
          call('invoke', [{ operation: 'delete', target: { address } }], () => undefined);
        }
        machine.simulation.run(machine.simulation.now + prng.nextInt(3_000_000));
      }
      machine.simulation.run(machine.simulation.now + 60e9, () => open === 0);
      expect(open).toBe(0);
      for (const [core, addresses] of held.entries())
        for (const address of addresses) machine.call(core, 'invoke', [{ operation: 'delete', target: { address } }]);
      machine.settle();
      expect([seed, machine.free]).toEqual([seed, before]);
    }
  });

  test('all cores at once, 10,000 times: nothing is lost at any step', () => {
    const machine = new MemoryMachine(4, 'ten thousand');
    const before = machine.free;
    const prng = createPrng('ten thousand');
    let left = 10_000;
    let refused = 0;
    let running = machine.cores;
    const next = (core: number, held: number[]): void => {
      const ends = left <= 0;
      left -= 1;
      const frees = held.length > 0 && (ends || held.length > 20 || prng.nextInt(3) === 0);
      if (ends && !frees) return void (running -= 1);
      const call = frees
        ? {
            name: 'invoke',
            args: [{ operation: 'delete', target: { address: held.splice(prng.nextInt(held.length), 1)[0]! } }],
          }
        : { name: 'allocate', args: [{ bytes: (1 + prng.nextInt(16)) * PAGE }] };
      machine.begin(core, 'cap_call', { domain: machine.domains[core], call }, (answer) => {
        if (typeof answer === 'number') held.push(answer);
        else if (answer === 'OUT_OF_MEMORY') refused += 1;
        else if (!frees) throw new Error(String(answer));
        next(core, held);
      });
    };
    for (let core = 0; core < machine.cores; core += 1) next(core, []);
    machine.simulation.run(machine.simulation.now + 600e9, () => running === 0);
    expect({ running, left: left <= 0 }).toEqual({ running: 0, left: true });
    expect(refused).toBeLessThan(1000);
    machine.settle();
    expect(machine.free).toBe(before);
  });
});
