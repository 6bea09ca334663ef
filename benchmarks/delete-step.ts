/** The longest that one delete step holds the core while a CNode tree of 10,000 slots is emptied; target 5 ms. */
import { performance } from 'node:perf_hooks';
import { makeCapability } from '@mk/node-kernel/capability/capability';
import { Outcome } from '@mk/node-kernel/capability/changes';
import { deleteStep } from '@mk/node-kernel/capability/delete-step';
import { bootCapabilities } from '@mk/node-kernel/capability/local-capabilities';
import { deleteLast } from '@mk/node-kernel/capability/monitor-primitives';
import { place } from '@mk/node-kernel/capability/placement';
import type { Slot } from '@mk/node-kernel/capability/slot';

const SLOTS = 10_000;
const TARGET_MS = 5;
const MIB = 2 ** 20;
const PAGE = 4096;

const state = bootCapabilities({ core: 0, memory: { address: 0, size: 256 * MIB }, homeOf: () => 0 });

function put(slot: Slot, type: 'L1CNode' | 'L2CNode' | 'Frame', bytes: number): number {
  const { address } = state.ram.allocate(bytes)!;
  place(state, slot, makeCapability(type, address, bytes), { owner: 0, relations: 0 }, new Outcome());
  return address;
}

const root = state.kernelSlots.freeSlot()!;
const l1 = state.containers.get(put(root, 'L1CNode', 4 * PAGE))!;
for (let i = 0; i < SLOTS; i += 1) {
  const cnodeSlot = l1.slot(Math.floor(i / 256));
  if (i % 256 === 0) put(cnodeSlot, 'L2CNode', 4 * PAGE);
  put(state.containers.get(cnodeSlot.capability!.address)!.slot(i % 256), 'Frame', PAGE);
}

let longestMs = 0;
let steps = 0;
const begun = performance.now();
deleteLast(state, root);
for (let last = 'more'; last === 'more'; steps += 1) {
  const start = performance.now();
  last = deleteStep(state).state;
  longestMs = Math.max(longestMs, performance.now() - start);
}
const totalMs = performance.now() - begun;
const leaked = state.ram.freeBytes !== 256 * MIB;
console.log(`${SLOTS} slots deleted in ${steps} steps, ${totalMs.toFixed(1)} ms in all`);
console.log(`longest step ${longestMs.toFixed(2)} ms (target ${TARGET_MS} ms: ${longestMs <= TARGET_MS ? 'met' : 'MISSED'})`);
if (leaked) console.log('memory leaked');
if (leaked || longestMs > TARGET_MS) process.exitCode = 1;
