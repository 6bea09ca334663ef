/**
 * The mapping database with 100,000 capabilities on one core: look-ups, inserts, removals and queries per second of
 * processor time (what one core can do, whatever else the machine is doing), with wall-clock figures beside them.
 */
import { makeCapability } from '@mk/node-kernel/capability/model/capability';
import type { Capability } from '@mk/node-kernel/capability/model/capability';
import { MappingDatabase } from '@mk/node-kernel/capability/store/mapping-database';
import { full, SlotContainer } from '@mk/node-kernel/capability/store/slot';
import { keep, median, spread, timed } from './report.ts';

const RUNS = 5;
const COUNT = 100_000;
const PAGE = 4096;
const TARGETS: Readonly<Record<string, number>> = { 'look-up': 300_000, insert: 100_000 };
const SHARED = { owner: 0, relations: 0 };

/** The same order on every run: a full-period walk over 0 … COUNT-1. */
function shuffled(count: number, step: number): number[] {
  return Array.from({ length: count }, (_, i) => (i * step) % count);
}

const frames: readonly Capability[] = shuffled(COUNT, 61_803).map((i) => makeCapability('Frame', i * PAGE, PAGE));
const order = shuffled(COUNT, 70_711);
const cpu = new Map<string, number[]>();
const wall = new Map<string, number[]>();

function measure(name: string, count: number, work: () => void): void {
  const { cpuMs, wallMs } = timed(work);
  for (const [rates, ms] of [
    [cpu, cpuMs],
    [wall, wallMs],
  ] as const)
    rates.set(name, [...(rates.get(name) ?? []), Math.round((count / ms) * 1000)]);
}

function run(): void {
  const database = new MappingDatabase();
  const container = new SlotContainer('kernel', 0, COUNT);
  measure('insert', COUNT, () => frames.forEach((frame, i) => database.insert(container.slot(i), frame, SHARED)));
  measure('look-up', 10 * COUNT, () => {
    for (let round = 0; round < 10; round += 1) {
      for (const i of order) if (!database.find(frames[i]!)) throw new Error('lost');
    }
  });
  measure('range query', COUNT, () => order.forEach((i) => database.queryRange(frames[i]!)));
  measure('descendants', COUNT, () => order.forEach((i) => database.hasDescendants(frames[i]!)));
  measure('remove', COUNT, () => order.forEach((i) => database.remove(full(container.slot(i)))));
}

for (let i = 0; i < RUNS; i += 1) run();
const rows = [...cpu].map(([name, perCpuSecond]) => {
  const target = TARGETS[name] ?? null;
  return {
    name,
    target,
    met: target === null ? null : median(perCpuSecond) >= target,
    perCpuSecond,
    perWallSecond: wall.get(name)!,
  };
});
for (const { name, target, met, perCpuSecond, perWallSecond } of rows) {
  const verdict = target === null ? '' : `  (target ${target.toLocaleString('en')}: ${met ? 'met' : 'MISSED'})`;
  console.log(
    `${name.padEnd(12)} ${spread(perCpuSecond)} per second of processor time, ${spread(perWallSecond)} by the wall clock, ${RUNS} runs${verdict}`,
  );
}
keep('mapping-database', { capabilities: COUNT, rows });
if (rows.some(({ met }) => met === false)) process.exitCode = 1;
