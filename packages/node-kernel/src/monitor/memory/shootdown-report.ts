import type { PlanKind } from '../agreement/plan.ts';
import type { Nanos } from '@mk/monitor-proto/ids';

/** How a round went. */
export interface ShootdownReport {
  readonly plan: PlanKind;
  readonly cores: number;
  readonly messages: number;
  /** When the system call was taken, when the requests had been made, and when the last core had answered. */
  readonly takenNs: Nanos;
  readonly sentNs: Nanos;
  readonly endedNs: Nanos;
  /** The longest wait of a core for its dispatchers to be past their last access. */
  readonly quiesceNs: Nanos;
  readonly elapsedNs: Nanos;
}
