import type { Hmac } from '@mk/monitor-proto/handshake/proof';
import type { CoreId, InstanceId, Nanos } from '@mk/monitor-proto/ids';
import type { LogLevel } from '@mk/monitor-proto/log-events';
import type { KnowledgeHosting } from './knowledge/knowledge.ts';
import type { Poisoned } from './knowledge/poisoned.ts';
import type { RegistryConfig } from './registry/registry.ts';

/** What the topology service must know of the machine: a `MachineDescription`, or a test's stand-in. */
export interface MachineModel {
  /** Nobody described the machine: packages are assumed, until there are several hosts, which then take their place. */
  readonly isAssumed?: boolean;
  packageOf(core: CoreId): number;
  latencyNs(from: number, to: number): number;
  sendOccupancyNs(from: number, to: number): number;
  receiveOccupancyNs(from: number, to: number): number;
}

/** The SKB's configuration. */
export interface SkbConfig extends RegistryConfig {
  readonly cluster: string;
  readonly secret: Uint8Array;
  readonly instance: InstanceId;
  readonly entropy: Uint8Array;
  readonly hmac: Hmac;
  readonly logLevel: LogLevel | 'off';
  readonly machine: MachineModel;
  /** Whether round trips are measured after boot. */
  readonly measure: boolean;
  /** How long a client may be silent before its session ends; absent: the limit of that name. */
  readonly sessionTimeoutNs?: Nanos;
  /**
   * The host's monotonic clock at this process's time 0; absent: 0. Processes of one host use it to align heartbeats.
   */
  readonly hostClockNs?: Nanos;
  /** What the host runs beside the state machine; absent: queries are refused and records live in memory only. */
  readonly knowledge?: KnowledgeHosting;
  /** A bug of ours in a client's request becomes an answer. Absent, as in the simulator: it is thrown. */
  readonly guarded?: boolean;
  /** Called with each request before it is performed, and with null afterwards. */
  readonly busyWith?: (request: string | null) => void;
  /** Requests that crashed earlier lives of this SKB; absent: none. */
  readonly poisoned?: Poisoned;
}
