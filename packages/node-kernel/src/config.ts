import type { CoreId, Incarnation, InstanceId, Nanos } from '@mk/monitor-proto/ids';
import type { Hmac } from '@mk/monitor-proto/handshake/proof';
import type { LogLevel } from '@mk/monitor-proto/log-events';

/** What a core is given before it starts: the SKB's address and the secret; the registry tells it the rest. */
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
  /** Where this core’s monitor listens. */
  readonly address: string;
  /** The host's name, the same for all cores there; absent: unknown. */
  readonly host?: string;
  /** The source of nonces. */
  readonly entropy: Uint8Array;
  readonly hmac: Hmac;
  readonly logLevel: LogLevel | 'off';
  readonly version?: number;
  /** The host's monotonic clock at this process's time 0; absent: 0. Processes of one host use it to beat together. */
  readonly hostClockNs?: Nanos;
  /** Dispatchers run in processes of their own, which share no memory with this one. Absent: they share it. */
  readonly separateMemory?: boolean;
  /** The clock that times steps. Absent: a step takes no time. */
  readonly stopwatch?: () => Nanos;
  /** A failure of ours in a control request becomes INTERNAL. Absent, as in the simulator: it is thrown. */
  readonly guarded?: boolean;
}

/** What the registry told a core. */
export interface Registration {
  readonly core: CoreId;
  readonly incarnation: Incarnation;
  /** The machine description, as JSON text. */
  readonly machine: string;
  /** The cluster's settings, as JSON text: `ClusterSettings`. */
  readonly settings: string;
}
