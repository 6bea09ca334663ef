import type { CoreId, Incarnation, InstanceId, Nanos } from '@mk/monitor-proto/ids';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';

/** One core as the registry knows it. */
export interface Member {
  readonly core: CoreId;
  readonly incarnation: Incarnation;
  readonly instance: InstanceId;
  readonly address: string;
  /** Its host's name; empty if it did not name one. */
  readonly host: string;
  readonly peer: Peer;
  initialised: boolean;
  links: number;
  downSince: Nanos | null;
}
