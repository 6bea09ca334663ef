/** C2 and C5: no incompatible overlap of memory, and none lost. See `audit.ts`. */
import { known } from '@mk/monitor-proto/assert';
import type { CoreId } from '@mk/monitor-proto/ids';
import type { AuditEntry, CoreSnapshot, Violation } from './audit-snapshot.ts';
import { decode } from './audit-snapshot.ts';
import { compareWithinTree, describeCapability, identityOf, isAncestor, overlaps } from '../model/capability.ts';
import type { Capability, Range } from '../model/capability.ts';
import { intersectRanges, subtractRanges, unionRanges } from '../model/ranges.ts';
import { isRamBacked, isWeightless, typeTreeRoot } from '../model/type-rules.ts';

interface Held {
  readonly capability: Capability;
  readonly cores: number[];
}

/** C2 among capabilities, between capabilities and free memory, and among the allocators. */
export function auditOverlap(entries: readonly AuditEntry[], snapshots: readonly CoreSnapshot[]): Violation[] {
  return [...capabilityOverlaps(entries, snapshots), ...freeOverlaps(entries, snapshots)];
}

function capabilityOverlaps(entries: readonly AuditEntry[], snapshots: readonly CoreSnapshot[]): Violation[] {
  const held = heldMemory(entries, snapshots);
  const problems: Violation[] = [];
  const above: Held[] = [];
  for (const next of held) {
    while (above.length > 0 && !overlaps(known(above[above.length - 1]).capability, next.capability)) above.pop();
    const top = above[above.length - 1];
    if (top !== undefined && !isAncestor(top.capability, next.capability)) {
      problems.push({
        invariant: 'C2',
        what: describeCapability(next.capability),
        range: { address: next.capability.address, size: next.capability.size },
        cores: [...top.cores, ...next.cores],
        detail: `overlaps ${describeCapability(top.capability)}, which it does not descend from`,
      });
    }
    above.push(next);
  }
  return problems;
}

/** Each live piece of memory once, in database order, with the cores that hold it. */
function heldMemory(entries: readonly AuditEntry[], snapshots: readonly CoreSnapshot[]): Held[] {
  const found = new Map<string, Held>();
  const add = (capability: Capability, core: CoreId): void => {
    if (typeTreeRoot(capability.type) !== 'PhysAddr' || isWeightless(capability.type)) return;
    const identity = identityOf(capability);
    const known = found.get(identity);
    if (known === undefined) found.set(identity, { capability, cores: [core] });
    else if (!known.cores.includes(core)) known.cores.push(core);
  };
  for (const entry of entries) if (!entry.inDelete) add(entry.capability, entry.core);
  for (const { core, inFlight } of snapshots) for (const wire of inFlight) add(decode(wire), core);
  return [...found.values()].sort((a, b) => compareWithinTree(a.capability, b.capability));
}

function freeOverlaps(entries: readonly AuditEntry[], snapshots: readonly CoreSnapshot[]): Violation[] {
  const held = [
    ...entries.map(({ capability, core }) => ({ capability, core })),
    ...snapshots.flatMap(({ core, inFlight }) => inFlight.map((wire) => ({ capability: decode(wire), core }))),
  ];
  const free = snapshots
    .flatMap(({ core, free: ranges }) => ranges.map((range) => ({ range, core })))
    .sort((a, b) => a.range.address - b.range.address);
  const problems = free.slice(1).flatMap(({ range, core }, i) => {
    const before = known(free[i]);
    return overlaps(before.range, range) ? [doubled(range, before.core, core)] : [];
  });
  const allFree = unionRanges(free.map(({ range }) => range));
  for (const { capability, core } of held) {
    if (!isRamBacked(capability.type)) continue;
    const both = intersectFrom(allFree, capability);
    if (both === undefined) continue;
    const owner = known(free.find(({ range }) => overlaps(range, both))).core;
    problems.push(violation('C2', both, [owner, core], `free, and covered by ${describeCapability(capability)}`));
  }
  return problems;
}

/** The first overlap of `range` with sorted disjoint ranges, or undefined; logarithmic. */
function intersectFrom(sorted: readonly Range[], range: Range): Range | undefined {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (known(sorted[middle]).address + known(sorted[middle]).size <= range.address) low = middle + 1;
    else high = middle;
  }
  const candidate = sorted[low];
  return candidate === undefined ? undefined : intersectRanges([range], [candidate])[0];
}

/**
 * C5: memory is free, covered, on its way home or written off as lost; any other that a core contributed has leaked.
 */
export function auditConservation(entries: readonly AuditEntry[], snapshots: readonly CoreSnapshot[]): Violation[] {
  const flying = snapshots.flatMap(({ inFlight }) => inFlight.map(decode));
  const capabilities = [...entries.map(({ capability }) => capability), ...flying];
  const covered = capabilities.filter(({ type }) => isRamBacked(type));
  const free = snapshots.flatMap((snapshot) => snapshot.free);
  const devices = capabilities.filter(({ type }) => type === 'DevFrame');
  const accounted = unionRanges([...free, ...covered, ...snapshots.flatMap(({ reclaiming }) => reclaiming)]);
  const problems = snapshots.flatMap(({ core, memory }) =>
    subtractRanges(memory, [...accounted, ...devices]).map((range) =>
      memoryViolation('leaked', range, [core], 'leaked: neither free nor covered by a capability'),
    ),
  );
  const brought = snapshots.flatMap(({ memory }) => memory);
  const extra = subtractRanges(accounted, brought);
  return [
    ...problems,
    ...extra.map((range) => memoryViolation('foreign', range, [], 'memory that no core contributed')),
  ];
}

function memoryViolation(
  memory: 'leaked' | 'foreign',
  range: Range,
  cores: readonly number[],
  detail: string,
): Violation {
  return { ...violation('C5', range, cores, detail), memory };
}

function doubled(range: Range, ...cores: readonly CoreId[]): Violation {
  return { ...violation('C2', range, cores, 'free in two allocators'), memory: 'doubled' };
}

function violation(invariant: 'C2' | 'C5', range: Range, cores: readonly number[], detail: string): Violation {
  return { invariant, what: `0x${range.address.toString(16)}+${range.size}`, range, cores, detail };
}
