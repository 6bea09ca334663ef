import { known } from '@mk/monitor-proto/assert';
import { type CoreId, isCore } from '@mk/monitor-proto/ids';
import { auditCapabilities } from '@mk/node-kernel/capability/audit/audit';
import {
  entriesOfCore,
  memoryOf,
  type Violation as CapabilityViolation,
} from '@mk/node-kernel/capability/audit/audit-snapshot';
import { partLosses } from '@mk/node-kernel/capability/audit/losses';
import type { Kernel } from '@mk/node-kernel/kernel';
import type { Simulation } from '../engine/simulation.ts';
import { CapabilityModel, type CoreView } from './capability-model.ts';
import type { Checker, Report } from './checker.ts';

/** Steps between two audits of whole snapshots, which check the incremental model and the relation bits. */
const AUDIT_EVERY = 500;

/**
 * C1, C2, C5 after every step; whole audits now and then and at the end. `revoked.ts` checks C3, each caller's oracle
 * C6; a breach of C4 shows as one of C2, and C7 is the convergence of the run.
 */
export function capabilityChecker(): Checker {
  const model = new CapabilityModel();
  const kernels = new Map<number, Kernel>();
  const views = new Map<number, CoreView>();
  let steps = 0;
  return {
    name: 'capabilities',
    afterStep(node, _event, report) {
      const { kernel } = node;
      if (kernel === null || !isCore(node.id) || !kernel.cpuDriver.booted) return;
      if (kernels.get(node.id) !== kernel) {
        kernels.set(node.id, kernel);
        views.set(node.id, viewOf(node.id, kernel));
      }
      model.step(known(views.get(node.id)), views, report);
      steps += 1;
      if (steps % AUDIT_EVERY === 0) auditStates([...kernels.values()], report);
    },
    // Like `mkctl audit` on a live cluster, over snapshots.
    atEnd: (_simulation: Simulation, report) =>
      reportAll(auditCapabilities([...kernels.values()].map((kernel) => kernel.services.capops.snapshot())), report),
  };
}

/**
 * For runs in which cores die: the findings of `mkctl audit` about those that live, without any that only the dead
 * could explain.
 */
export function survivorsChecker(): Checker {
  return {
    name: 'survivors',
    atEnd({ nodes }, report) {
      const cores = [...nodes.values()].filter(({ id }) => isCore(id));
      const snapshots = cores.flatMap(({ kernel }) => (kernel === null ? [] : [kernel.services.capops.snapshot()]));
      const absent = new Set(cores.filter(({ kernel }) => kernel === null).map(({ id }) => id));
      const reborn = new Map(cores.filter(({ life }) => life > 1).map(({ id, life }) => [id, life]));
      reportAll(partLosses(auditCapabilities(snapshots), snapshots, { absent, reborn }).violations, report);
    },
  };
}

function viewOf(core: CoreId, { cpuDriver, services }: Kernel): CoreView {
  const { reclaims, shared } = services.capops;
  return {
    core,
    state: cpuDriver.state,
    leaving: () => reclaims.ranges(),
    flying: () => shared.transits.capabilities(),
  };
}

/** The audit on the states themselves. */
function auditStates(kernels: readonly Kernel[], report: Report): void {
  const snapshots = kernels.map(({ cpuDriver: { state }, services: { capops } }) => ({
    ...memoryOf(state, capops.shared.transits.capabilities(), capops.reclaims.ranges()),
    slots: [],
  }));
  reportAll(
    auditCapabilities(
      snapshots,
      kernels.flatMap(({ cpuDriver }) => entriesOfCore(cpuDriver.state)),
    ),
    report,
  );
}

function reportAll(violations: readonly CapabilityViolation[], report: Report): void {
  for (const { invariant, what, cores, detail } of violations.slice(0, 5))
    report(invariant, `${what} on cores ${cores.join(', ')}: ${detail}`);
}
