import { type CoreId, isCore } from '@mk/monitor-proto/ids';
import { noneOf } from '@mk/node-kernel/capability/audit/audit';
import type { Kernel } from '@mk/node-kernel/kernel';
import type { Checker, Report } from './checker.ts';

/**
 * C3 over all cores: when a revoke succeeds, before its caller hears of it, nothing of its target is in any slot of any
 *    core or in flight, except the slot that survives.
 */
export function revokedChecker(): Checker {
  const kernels = new Map<number, Kernel>();
  return {
    name: 'revoked',
    afterStep(node, _event, report) {
      const { kernel } = node;
      if (kernel === null || !isCore(node.id) || !kernel.cpuDriver.booted || kernels.get(node.id) === kernel) return;
      kernels.set(node.id, kernel);
      watchRevokes(node.id, kernel, kernels, report);
    },
    died(node) {
      kernels.delete(node.id);
    },
  };
}

function watchRevokes(core: CoreId, kernel: Kernel, kernels: ReadonlyMap<number, Kernel>, report: Report): void {
  const { revokes } = kernel.services.capops;
  const run = revokes.run.bind(revokes);
  revokes.run = function* (op, slot) {
    const target = slot.capability;
    const result = yield* run(op, slot);
    if (target === null) return result;
    const snapshots = [...kernels.values()].map(({ services }) => services.capops.snapshot());
    for (const { invariant, what, cores, detail } of noneOf(target, snapshots, { core, slot: slot.address }))
      report(invariant, `${what} on core ${cores.join(', ')} is ${detail} (${op})`);
    return result;
  };
}
