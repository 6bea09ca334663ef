import type { SkbAnswers } from './control/verb-answers.ts';
import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { LogLevel } from '@mk/monitor-proto/log-events';
import type { Endpoint } from '@mk/monitor-proto/endpoint/endpoint';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import type { Knowledge } from './knowledge/knowledge.ts';
import type { Registry } from './registry/registry.ts';
import type { Measurement } from './topology/measurement.ts';
import type { Plans } from './topology/plans.ts';

/** The SKB as message handlers and control verbs see it: its parts, and what it does with all of them. */
export interface SkbParts {
  readonly endpoint: Endpoint;
  readonly outbox: { logFrom(level: LogLevel | 'off'): void };
  readonly registry: Registry;
  readonly measurement: Measurement;
  readonly plans: Plans;
  status(): SkbAnswers['status'];
  packageOf(core: CoreId): number;
  linkChanged(from: CoreId, to: CoreId, roundTripNs: Nanos): void;
  client(peer: Peer, now: Nanos): Knowledge;
  clientLeaves(peer: Peer, now: Nanos): void;
}
