import type { PlanKind } from '../agreement/plan.ts';
import type { Nanos } from '@mk/monitor-proto/ids';

/** The report of a round. */
export interface ShootdownReport {
  readonly plan: PlanKind;
  readonly cores: number;
  readonly messages: number;
  /** When the system call was accepted, when the requests were sent, and when the last core had answered. */
  readonly takenNs: Nanos;
  readonly sentNs: Nanos;
  readonly endedNs: Nanos;
  /** The longest wait of a core for its dispatchers to be past their last access. */
  readonly quiesceNs: Nanos;
  readonly elapsedNs: Nanos;
}
