import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { FaultRule } from '@mk/monitor-proto/link/fault-rule';

/** A fault, of the network or of a process. */
export type FaultAction =
  | { readonly kind: 'rule'; readonly rule: FaultRule }
  | { readonly kind: 'heal'; readonly target: 'all' | { readonly id: string } | { readonly from: CoreId; readonly to: CoreId } }
  | { readonly kind: 'crash'; readonly core: CoreId }
  | { readonly kind: 'restart'; readonly core: CoreId }
  | { readonly kind: 'hang'; readonly core: CoreId; readonly forNs: Nanos | null }
  | { readonly kind: 'resume'; readonly core: CoreId }
  | { readonly kind: 'slow'; readonly core: CoreId; readonly factor: number; readonly forNs: Nanos | null }
  | { readonly kind: 'reset'; readonly from: CoreId; readonly to: CoreId };

/** A fault at its time, counted from the moment at which boot was complete. */
export interface TimedFault {
  readonly atNs: Nanos;
  readonly action: FaultAction;
}

/** A request to a core's control port: the load. */
export interface TimedRequest {
  readonly atNs: Nanos;
  readonly core: CoreId;
  readonly verb: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** Everything that one run consists of: the same scenario gives the same trace. */
export interface Scenario {
  readonly seed: number | string;
  readonly cores: number;
  /** Name of the machine; see machines.ts. */
  readonly machine: string;
  readonly faults: readonly TimedFault[];
  readonly load: readonly TimedRequest[];
  /** Faults stop then: everything is healed. */
  readonly faultsForNs: Nanos;
}

/** One line for people. */
export function describeFault({ kind, ...rest }: FaultAction): string {
  return `${kind} ${JSON.stringify(rest)}`;
}
