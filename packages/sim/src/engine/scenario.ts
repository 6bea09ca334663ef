import { describeAction } from '@mk/machine/describe-fault';
import type { FaultAction } from '@mk/machine/fault-plan';
import { type CoreId, type Nanos, type PeerId, peerName } from '@mk/monitor-proto/ids';

/** A fault: what a plan file can express, or what only the simulator can do to a link. */
export type SimFault = FaultAction | { readonly type: 'reset'; readonly from: PeerId; readonly to: PeerId };

/** A fault at its time, counted from the end of boot. */
export interface TimedFault {
  readonly atNs: Nanos;
  readonly action: SimFault;
}

/** A request to a core's control port: the load. */
export interface TimedRequest {
  readonly atNs: Nanos;
  readonly core: CoreId;
  readonly verb: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** The program that a run is about: its actions are the load. */
export interface ProgramLoad {
  /** As on the command line: a file, or the name of a shipped program. */
  readonly program: string;
  readonly args: readonly string[];
  /** Cores of the run, which the program reads from `mk.env.CORES`. */
  readonly cores: readonly CoreId[];
  /** A domain on each of these. */
  readonly on: readonly CoreId[];
  /** Virtual time in which it must end once faults have stopped. */
  readonly limitNs: Nanos;
}

/** Everything that makes up a run: the same scenario gives the same trace. */
export interface Scenario {
  readonly seed: number | string;
  readonly cores: number;
  /** Name of the machine; see machines.ts. */
  readonly machine: string;
  readonly faults: readonly TimedFault[];
  readonly load: readonly TimedRequest[];
  /** When faults stop: everything is healed. */
  readonly faultsForNs: Nanos;
  readonly program?: ProgramLoad;
  /** How long a core may act without word from a majority; absent: for ever, unless its death is proven. */
  readonly leaseMs?: number;
}

/** One line for people. */
export function describeFault(action: SimFault): string {
  return action.type === 'reset'
    ? `reset of the link ${peerName(action.from)} <-> ${peerName(action.to)}`
    : describeAction(action);
}
