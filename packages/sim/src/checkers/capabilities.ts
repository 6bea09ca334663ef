import { auditCapabilities } from '@mk/node-kernel/capability/audit';
import type { Kernel } from '@mk/node-kernel/kernel';
import type { Simulation } from '../simulation.ts';
import { CapabilityModel, type CoreView } from './capability-model.ts';
import type { Checker } from './checker.ts';

/** Between two audits of whole snapshots, in steps: they check the step-by-step model and the relation bits. */
const AUDIT_EVERY = 500;

/**
 * C1, C2, C5 after every step (capabilities.md); whole audits now and then and at the end. C3 is seen by `revoked.ts`, C6 by
 * the oracle of each caller, C4 shows as C2, C7 is the convergence of the run.
 */
export function capabilityChecker(): Checker {
  const model = new CapabilityModel();
  const kernels = new Map<number, Kernel>();
  let steps = 0;
  const views = (): readonly CoreView[] => [...kernels].map(([core, kernel]) => viewOf(core, kernel));
  return {
    name: 'capabilities',
    afterStep(node, _event, report) {
      const { kernel } = node;
      if (kernel === null || !kernel.cpuDriver.booted) return;
      kernels.set(node.id, kernel);
      model.step(viewOf(node.id, kernel), views, report);
      steps += 1;
      if (steps % AUDIT_EVERY === 0) auditAll(kernels, report);
    },
    atEnd: (_simulation: Simulation, report) => auditAll(kernels, report),
  };
}

function viewOf(core: number, { cpuDriver, monitor }: Kernel): CoreView {
  return { core, state: cpuDriver.state, leaving: monitor.capops.reclaims.ranges(), flying: monitor.capops.transits.capabilities() };
}

function auditAll(kernels: ReadonlyMap<number, Kernel>, report: (invariant: string, text: string) => void): void {
  const snapshots = [...kernels.values()].map((kernel) => kernel.monitor.capops.snapshot());
  for (const { invariant, what, cores, detail } of auditCapabilities(snapshots).slice(0, 5)) report(invariant, `${what} on cores ${cores.join(', ')}: ${detail}`);
}
