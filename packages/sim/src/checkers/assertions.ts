import { AssertionFailure } from '@mk/monitor-proto/assert';
import type { Checker, Report } from './checker.ts';

/** Runs the protocols' own assertions (`step` in the table of invariants) after every step of every node. */
export function assertionChecker(): Checker {
  return {
    name: 'assertions',
    afterStep({ kernel, skb }, _event, report) {
      asserted(report, () => {
        kernel?.invariants();
        skb?.invariants();
      });
    },
    broken: (_node, { invariant, message }, report) => report(invariant ?? 'H2', message),
  };
}

function asserted(report: Report, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof AssertionFailure)) throw error;
    report(error.invariant ?? 'H2', error.message);
  }
}
