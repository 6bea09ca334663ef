import type { CoreId, Incarnation, InstanceId, Nanos } from '@mk/monitor-proto/ids';
import type { Hmac } from '@mk/monitor-proto/handshake/proof';
import type { LogLevel } from '@mk/monitor-proto/log-events';

/** A core's configuration at its start; it learns the rest from the registry. */
export interface KernelConfig {
  readonly cluster: string;
  readonly secret: Uint8Array;
  /** Random name of this process. */
  readonly instance: InstanceId;
  /** The id to ask for; null: any. */
  readonly wantedCore: CoreId | null;
  readonly skbAddress: string;
  /** How long it tries to become a member; absent: the limit `joinDeadlineNs`. */
  readonly joinDeadlineNs?: Nanos;
  /** The address at which this core’s monitor listens. */
  readonly address: string;
  /** The host's name, the same for all cores there; absent: unknown. */
  readonly host?: string;
  /** The source of nonces. */
  readonly entropy: Uint8Array;
  readonly hmac: Hmac;
  readonly logLevel: LogLevel | 'off';
  readonly version?: number;
  /**
   * The reading of the host's monotonic clock at this process's time 0; absent: 0. Processes of one host use it to send
   * heartbeats together.
   */
  readonly hostClockNs?: Nanos;
  /** Dispatchers run in their own processes, which share no memory with this one. Absent: they share it. */
  readonly separateMemory?: boolean;
  /** The clock that times steps. Absent: steps take no time. */
  readonly stopwatch?: () => Nanos;
  /** Our own failure in a control request becomes INTERNAL. Absent, as in the simulator: it is thrown. */
  readonly guarded?: boolean;
}

/** A core's registration, from the SKB. */
export interface Registration {
  readonly core: CoreId;
  readonly incarnation: Incarnation;
  /** The machine description, as JSON text. */
  readonly machine: string;
  /** The cluster's settings, as JSON text: `ClusterSettings`. */
  readonly settings: string;
}
