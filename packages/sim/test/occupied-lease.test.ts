import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { must } from '@mk/sim/commands/options';
import { loadMachine } from '@mk/machine/io/load';
import { checkOccupancy } from '@mk/machine/occupancy';
import { coreSettings, leaseMsOf, machineModel } from '@mk/skb/io/machine-settings';

const machines = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'launcher', 'machines');
const machine = must('machine', loadMachine('amd-8x4', machines));

/** The lease of so many cores at a time scale, in seconds. */
function leaseS(expectedCores: number, timeScale: number, occupancy = true): number {
  const settings = { machine, expectedCores, maxCores: expectedCores, timeScale, occupancy };
  return leaseMsOf(settings as unknown as Parameters<typeof leaseMsOf>[0]) / 1000;
}

test('a lease grows with what messages occupy their ends: cores and time scale, and not without occupancy', () => {
  expect(leaseS(32, 60_000, false)).toBe(15);
  expect(leaseS(128, 60_000, false)).toBe(30);
  expect(leaseS(32, 0)).toBe(15);
  const [slow, fast, few] = [leaseS(32, 60_000), leaseS(32, 20_000), leaseS(8, 60_000)].map((s) => s - 15);
  expect(slow! / fast!).toBeCloseTo(3, 2);
  expect(slow!).toBeGreaterThan(4 * few!);
  // A hundred messages with each other core, at the machine's longest occupancy: some 20 ms each at this scale.
  expect(slow!).toBeGreaterThan(30);
  expect(slow!).toBeLessThan(300);
});

test('what is the same for all cores is computed once, not at each core’s start', () => {
  let looks = 0;
  const counted = {
    ...machine,
    get costs() {
      looks += 1;
      return machine.costs;
    },
  };
  const links = { delayNs: 0 };
  const settings = { machine: counted, expectedCores: 32, maxCores: 32, timeScale: 20_000, occupancy: true, links };
  const told = settings as unknown as Parameters<typeof machineModel>[0];
  const toldTo = coreSettings(told, machineModel(told));
  const before = looks;
  const each = Array.from({ length: 32 }, (_, core) => toldTo(core) as { leaseMs: number; sendNs: number[] });
  expect(looks).toBe(before);
  expect(new Set(each.map(({ leaseMs }) => leaseMs))).toEqual(new Set([leaseMsOf(told)]));
  // A core in the same package is nearer than one of another.
  expect(each[5]!.sendNs[4]!).toBeLessThan(each[5]!.sendNs[31]!);
});

test('a scale at which a core would be taken for dead is refused before the boot, with one that is not', () => {
  expect(checkOccupancy(machine, 32, 20_000)).toBeNull();
  expect(checkOccupancy(machine, 8, 60_000)).toBeNull();
  const refused = checkOccupancy(machine, 32, 60_000);
  expect(refused).toMatch(
    /^a message to each of 31 others and one back would occupy a core for up to 0\.\d s at a time scale of 60000/,
  );
  const [, allowed] = /take at most (\d+)/.exec(refused ?? '') ?? [];
  expect(Number(allowed)).toBeGreaterThan(20_000);
  expect(checkOccupancy(machine, 32, Number(allowed))).toBeNull();
  expect(checkOccupancy(machine, 32, Number(allowed) * 1.1)).not.toBeNull();
});
