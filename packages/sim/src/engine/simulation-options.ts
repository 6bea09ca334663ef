import type { AssertionFailure } from '@mk/monitor-proto/assert';
import type { Hmac } from '@mk/monitor-proto/handshake/proof';
import type { Nanos, PeerId } from '@mk/monitor-proto/ids';
import type { LogLevel } from '@mk/monitor-proto/log-events';
import type { MachineModel } from '@mk/skb/config';
import type { NetworkHost } from '../network/network.ts';
import type { ProgramCosts, ProgramWorld } from '../programs/program-world.ts';
import type { CostModel } from './costs.ts';
import type { SimLogLine } from './sim-log.ts';
import type { AnyEvent, AnyMachine, SimNode } from './sim-node.ts';

export interface SimulationOptions {
  readonly seed: number | string;
  readonly cores: number;
  readonly machine: MachineModel;
  readonly machineText?: string;
  /** The cluster's settings, as JSON text. */
  readonly settings?: string;
  readonly hmac: Hmac;
  readonly logLevel: LogLevel | 'off';
  /** The host of a core; absent: unknown. */
  hostOf?(core: PeerId): string;
  /**
   * How long a core may act without word from a majority; absent: so long that only proof of its death removes a core.
   */
  readonly leaseMs?: number;
  /** When the launcher reports the end of a core's process; absent: after 5 ms; Infinity: there is no launcher. */
  readonly reapNs?: Nanos;
  /** Whether the SKB measures round trips after boot. */
  readonly measure?: boolean;
  readonly costs?: CostModel;
  /** Cores are started one after another with this pause. */
  readonly startPauseNs?: Nanos;
  /** Whether to keep the trace hash; off: nothing of it is computed. */
  readonly hash?: boolean;
  /** The world that programs run in; absent: dispatchers cannot be started. */
  readonly programs?: ProgramWorld;
  /** What a turn and its calls cost; absent: PROGRAM_COSTS. */
  readonly programCosts?: ProgramCosts;
  /** Wraps each state machine as it boots: how a test plants a bug. */
  readonly wrap?: (machine: AnyMachine, node: PeerId) => AnyMachine;
  /**
   * How many waiting events a core handles before another core's turn; default 32. No core's events at different times
   * change their order.
   */
  readonly row?: number;
}

/** Observes every step and log line. */
export interface SimObserver {
  line?(line: SimLogLine, node: SimNode): void;
  /** What the launcher logs: faults that begin and end. */
  faultLine?(line: SimLogLine): void;
  step?(node: SimNode, event: AnyEvent, startedAt: Nanos, endedAt: Nanos): void;
  frame?: NetworkHost['frameFate'];
  died?(node: SimNode, cause: string): void;
  /** An assertion of a node’s machine failed; thrown if no observer handles it. */
  broken?(node: SimNode, failure: AssertionFailure): void;
}
