import { type PeerId, SKB_PEER } from '@mk/monitor-proto/ids';
import type { Kernel } from '@mk/node-kernel/kernel';
import type { SimNode } from '../engine/sim-node.ts';
import type { Checker, Report } from './checker.ts';

/**
 * Dispatchers and domains, after every step of a core (P1, P4) and across cores (P5, P7):
 *
 *   P1  at most one dispatcher of a core is in a turn;
 *   P4  a dispatcher in the table has a part of a domain, a cspace, and a bounded queue;
 *   P5  a finished domain has no part on a living core;
 *   P7  at the end no core has a dispatcher, a part or an unfinished domain (with the leak checker).
 */
export function programChecker(): Checker {
  const nodes = new Map<PeerId, SimNode>();
  return {
    name: 'programs',
    afterStep(node, _event, report) {
      const { kernel } = node;
      nodes.set(node.id, node);
      if (kernel === null) return;
      const { dispatchers, programs } = kernel.services;
      if (dispatchers.dispatchers.size > 0) checkCore(node.id, kernel, report);
      if (programs.homes.all().length > 0) checkFinished(kernel, nodes, report);
    },
    atEnd(simulation, report) {
      for (const { id, kernel } of simulation.nodes.values()) {
        if (kernel === null || id === SKB_PEER) continue;
        const { size } = kernel.services.dispatchers.dispatchers;
        const parts = kernel.services.programs.parts.all().length;
        if (size > 0 || parts > 0)
          report('P7', `core ${id} is left with ${size} dispatchers and ${parts} parts of domains`);
        if (kernel.cpuDriver.booted && orphans(kernel) > 0)
          report('P7', `core ${id} is left with ${orphans(kernel)} cspaces of no domain`);
      }
    },
  };
}

/** Root CNodes without a domain. */
function orphans({ cpuDriver }: Kernel): number {
  const roots = new Set(cpuDriver.domains.all().map(({ root }) => root));
  return [...cpuDriver.state.kernelSlots.occupiedSlots()].filter(
    (slot) => slot.capability?.type === 'L1CNode' && !roots.has(slot),
  ).length;
}

function checkCore(core: PeerId, kernel: Kernel, report: Report): void {
  const all = kernel.services.dispatchers.dispatchers.all();
  const running = all.filter(({ state }) => state === 'running');
  if (running.length > 1)
    report('P1', `dispatchers ${running.map(({ id }) => id).join(' and ')} of core ${core} both run`);
  for (const { id } of all) {
    if (kernel.services.programs.parts.ofCspace(id) === undefined)
      report('P4', `dispatcher ${id} of core ${core} has no domain`);
    if (kernel.cpuDriver.domains.get(id) === undefined) report('P4', `dispatcher ${id} of core ${core} has no cspace`);
  }
}

function checkFinished(kernel: Kernel, nodes: ReadonlyMap<PeerId, SimNode>, report: Report): void {
  for (const { spec, finished, parts } of kernel.services.programs.homes.all()) {
    if (!finished) continue;
    for (const core of parts.keys()) {
      if (partOn(nodes.get(core), spec.domain))
        report('P5', `${spec.domain} has finished, and core ${core} still has a part of it`);
    }
  }
}

function partOn(node: SimNode | undefined, domain: string): boolean {
  return node?.kernel?.services.programs.parts.of(domain) !== undefined;
}
