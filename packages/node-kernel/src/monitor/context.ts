import type { ErrorName } from '@mk/monitor-proto/errors';
import type { CoreId, Incarnation, Nanos, PeerId } from '@mk/monitor-proto/ids';
import type { Endpoint } from '@mk/monitor-proto/endpoint/endpoint';
import { isCorePeer, type Peer } from '@mk/monitor-proto/endpoint/peer';
import type { Message } from '@mk/monitor-proto/messages/table';
import type { Outbox } from '@mk/monitor-proto/outbox';
import type { KernelEffect } from '../effects.ts';
import { EarlyEnds } from './conduct/early-ends.ts';
import { Offences } from './conduct/offences.ts';
import { OperationRunner } from './operations.ts';
import { isMember, type Member, type View } from './views/view.ts';

/** A monitor that was announced to this core, which may talk to it over a link that opens on demand. */
export interface KnownMonitor {
  readonly core: CoreId;
  readonly incarnation: Incarnation;
  readonly instance: string;
  readonly address: string;
  /** It owes an answer and has been silent for too long. */
  suspected: boolean;
}

/** The basis of every part of the monitor: this core's identity, the cores it knows, and the way out. */
export class MonitorContext {
  core: CoreId = -1;
  incarnation: Incarnation = 0;
  /** The number of the agreed view, 0 before the first; every global operation carries it. */
  view = 0;
  /** This core is in a view but has no lease: nothing that it computes may leave it (V2). */
  fenced = false;
  /** The latest view that the registry knew when it named this core; 0: none. */
  registeredView = 0;
  private inView: View | null = null;
  /** Whether this core is in the view that it has installed (J2). */
  takesPart = false;
  /** When the current event arrived. */
  now: Nanos = 0;
  /**
   * The host's clock within a step, for figures only: no decision depends on it. In the simulator a step takes no time.
   */
  stopwatch: () => Nanos = () => this.now;
  machine = '{}';
  settings = '{}';
  readonly monitors = new Map<CoreId, KnownMonitor>();
  readonly operations: OperationRunner;
  /** The offences of peers. */
  readonly offences: Offences;
  /** Detects peers that end their rounds without awaiting answers. */
  readonly earlyEnds: EarlyEnds;
  /** Counts changes of the members. */
  memberChanges = 0;
  private memberList: readonly CoreId[] | null = null;

  constructor(
    readonly endpoint: Endpoint,
    readonly outbox: Outbox<KernelEffect>,
  ) {
    this.operations = new OperationRunner(endpoint.timers);
    this.offences = new Offences(outbox);
    this.earlyEnds = new EarlyEnds(endpoint, this.offences);
  }

  get timers(): Endpoint['timers'] {
    return this.endpoint.timers;
  }

  /** Whether the registry has named this core. */
  get registered(): boolean {
    return this.core >= 0;
  }

  /** The other cores that take part in global operations, ascending; the same array until they change. */
  get members(): readonly CoreId[] {
    return (this.memberList ??= [...this.monitors.values()]
      .filter((m) => this.isInView(m))
      .map((m) => m.core)
      .sort((a, b) => a - b));
  }

  /** Enters an installed view, which says who takes part. */
  enterView(view: View): void {
    this.inView = view;
    this.view = view.number;
    this.takesPart = isMember(view, this);
    this.membersChanged();
  }

  /** Whether the view has that incarnation of a core. */
  isInView(member: Member): boolean {
    return this.inView !== null && isMember(this.inView, member);
  }

  membersChanged(): void {
    this.memberList = null;
    this.memberChanges += 1;
  }

  /** The core behind a peer, or −1 when it is not a monitor. */
  coreOf(peer: Peer): CoreId {
    return isCorePeer(peer) && this.monitors.has(peer.id) ? peer.id : -1;
  }

  /** Replaces messages of a misbehaving core; null: this one behaves. */
  disguise: ((message: Message, to: PeerId) => Message) | null = null;

  send(to: PeerId, message: Message): ErrorName | null {
    return this.endpoint.send(to, this.disguise === null ? message : this.disguise(message, to));
  }
}
