/** The mapping database with 100,000 capabilities on one core: look-ups, inserts, removals, queries a second. */
import { performance } from 'node:perf_hooks';
import { makeCapability } from '@mk/node-kernel/capability/capability';
import type { Capability } from '@mk/node-kernel/capability/capability';
import { MappingDatabase } from '@mk/node-kernel/capability/mapping-database';
import { SlotContainer } from '@mk/node-kernel/capability/slot';

const COUNT = 100_000;
const PAGE = 4096;
const TARGETS: Record<string, number> = { 'look-up': 300_000, insert: 100_000 };

/** The same order on every run: a full-period walk over 0 … COUNT-1. */
function shuffled(count: number, step: number): number[] {
  return Array.from({ length: count }, (_, i) => (i * step) % count);
}

function measure(name: string, count: number, work: () => void): void {
  const start = performance.now();
  work();
  const perSecond = Math.round((count / (performance.now() - start)) * 1000);
  const target = TARGETS[name];
  const met = target === undefined || perSecond >= target ? 'met' : 'MISSED';
  const verdict = target === undefined ? '' : ` (target ${target.toLocaleString('en')}: ${met})`;
  console.log(`${name.padEnd(12)} ${perSecond.toLocaleString('en').padStart(12)} per second${verdict}`);
  if (target !== undefined && perSecond < target) process.exitCode = 1;
}

const database = new MappingDatabase();
const container = new SlotContainer('kernel', 0, COUNT);
const frames: Capability[] = shuffled(COUNT, 61_803).map((i) => makeCapability('Frame', i * PAGE, PAGE));
const order = shuffled(COUNT, 70_711);
const shared = { owner: 0, relations: 0 };

measure('insert', COUNT, () => frames.forEach((frame, i) => database.insert(container.slot(i), frame, shared)));
measure('look-up', 10 * COUNT, () => {
  for (let round = 0; round < 10; round += 1) {
    for (const i of order) if (!database.find(frames[i]!)) throw new Error('lost');
  }
});
measure('range query', COUNT, () => order.forEach((i) => database.queryRange(frames[i]!)));
measure('descendants', COUNT, () => order.forEach((i) => database.hasDescendants(frames[i]!)));
measure('remove', COUNT, () => order.forEach((i) => database.remove(container.slot(i))));
