/** Who asks Octopus, and what a request comes to. */
import type { OctopusReply } from '@mk/monitor-proto/octopus/requests';
import type { OctopusChange } from './change.ts';
import type { AddressedNotification } from './telling.ts';

/** The asker: a connection, and the owner (a core's incarnation) whose transient records go with it. */
export interface OctopusCaller {
  readonly client: string;
  readonly owner: string;
}

export interface OctopusAnswer {
  readonly reply: OctopusReply;
  /** Changes that must be on disk before the reply, or any notification of them, leaves. */
  readonly changes: readonly OctopusChange[];
}

export interface OctopusStep extends OctopusAnswer {
  readonly notifications: readonly AddressedNotification[];
}
