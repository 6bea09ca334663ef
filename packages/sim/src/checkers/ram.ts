import { known } from '@mk/monitor-proto/assert';
import { type CoreId, isCore, type PeerId } from '@mk/monitor-proto/ids';
import { intersectRanges, subtractRanges, totalBytes } from '@mk/node-kernel/capability/model/ranges';
import type { Range } from '@mk/node-kernel/capability/model/capability';
import type { Kernel } from '@mk/node-kernel/kernel';
import type { SimNode } from '../engine/sim-node.ts';
import type { Checker, Report } from './checker.ts';

/**
 * C5 of free memory, after every step that changed an allocator or the members, whoever dies:
 *
 *   a core's free memory is its own, or lent to it by a core that it knows;
 *   LO1: what a core has lent is its own, lent once, and not free there;
 *   so no byte is free twice, and no more is free than there is, on all cores that know one another.
 */
export function ramChecker(): Checker {
  const nodes = new Map<PeerId, SimNode>();
  const seen = new Map<PeerId, string>();
  return {
    name: 'ram',
    afterStep(node, _event, report) {
      if (!isCore(node.id)) return;
      nodes.set(node.id, node);
      const { kernel } = node;
      if (kernel === null || !kernel.cpuDriver.booted) return;
      const { ram, loans } = kernel.cpuDriver.state;
      const now = `${node.life} ${ram.changes} ${loans.changes} ${kernel.monitor.context.memberChanges}`;
      if (seen.get(node.id) === now) return;
      seen.set(node.id, now);
      checkLoans(node.id, kernel, report);
      checkFree(node.id, kernel, nodes, report);
    },
  };
}

function checkLoans(core: CoreId, { cpuDriver: { state } }: Kernel, report: Report): void {
  const { loans, memory, ram } = state;
  const away = [
    ...loans.lent.flatMap(({ to }) => loans.of(to)),
    ...[...loans.departing.values()].map(({ range }) => range),
  ];
  if (away.length === 0) return;
  const foreign = subtractRanges(away, [memory]);
  if (foreign.length > 0) report('LO1', `core ${core} has lent ${textOf(foreign)}, which it did not bring`);
  const free = intersectRanges(ram.freeRanges(), away);
  if (free.length > 0) report('LO1', `core ${core} has lent ${textOf(free)}, which are free there`);
  const sum = totalBytes(away);
  if (totalBytes(subtractRanges([memory], subtractRanges([memory], away))) < sum)
    report('LO1', `core ${core} has lent something twice`);
}

function checkFree(core: CoreId, kernel: Kernel, nodes: ReadonlyMap<PeerId, SimNode>, report: Report): void {
  const { memory, ram } = kernel.cpuDriver.state;
  for (const range of subtractRanges(ram.freeRanges(), [memory])) {
    for (let { address } = range; address < range.address + range.size; address = (homeAt(address) + 1) * memory.size) {
      const home = homeAt(address);
      const part = known(intersectRanges([range], [{ address: home * memory.size, size: memory.size }])[0]);
      checkBorrowed(core, kernel, part, home, nodes.get(home)?.kernel ?? null, report);
    }
  }

  function homeAt(address: number): CoreId {
    return Math.floor(address / memory.size);
  }
}

function checkBorrowed(
  core: CoreId,
  { monitor }: Kernel,
  part: Range,
  home: CoreId,
  lender: Kernel | null,
  report: Report,
): void {
  const known = monitor.context.monitors.get(home);
  if (known === undefined)
    return report('C5', `${textOf([part])} are free on core ${core}, brought by core ${home}, which it knows as gone`);
  // A lender that is gone, or has given this core up, is not asked: one of them will hear of the other's end.
  if (lender?.monitor.context.incarnation !== known.incarnation) return;
  if (lender.monitor.context.monitors.get(core)?.incarnation !== monitor.context.incarnation) return;
  const { loans } = lender.cpuDriver.state;
  const departing = [...loans.departing.values()].filter(({ to }) => to === core).map(({ range }) => range);
  const never = subtractRanges([part], [...loans.of(core), ...departing]);
  if (never.length > 0)
    report('C5', `${textOf(never)} are free on core ${core}, and core ${home}, which brought them, has not lent them`);
}

function textOf(ranges: readonly Range[]): string {
  return ranges.map(({ address, size }) => `0x${address.toString(16)}+${size}`).join(', ');
}
