import { type InstanceId, SKB_PEER } from '@mk/monitor-proto/ids';
import type { QueryOptions, Solution } from '@mk/monitor-proto/knowledge/query';
import { Requests } from '@mk/monitor-proto/knowledge/requests';
import { lostAfter, OVERRUN, Session } from '@mk/monitor-proto/knowledge/session';
import type { Message } from '@mk/monitor-proto/messages/table';
import {
  type OctopusNotification,
  type OctopusReply,
  type OctopusRequest,
  TRIGGER,
} from '@mk/monitor-proto/octopus/requests';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import type { MonitorContext } from '../context.ts';
import { Outlets } from '../outlets.ts';
import { type Operation, OperationError, wait } from '../operations.ts';
import type { MessageHandlers, Service } from '../service.ts';
import type { QueryAnswer } from './query-answer.ts';
import { knowledgeVerbs } from './verbs.ts';

type Told = OctopusNotification | null;

/**
 * The monitor as a client of the knowledge base, over its channel to the SKB: its transient records go with this core.
 * Notifications wait here until somebody asks for them.
 */
export class Knowledge implements Service {
  readonly requests: Requests;

  readonly messages = {
    skb_solutions: (_from, message) => this.requests.receive(message),
    skb_query_end: (_from, message) => this.requests.receive(message),
    oct_reply: (_from, message) => this.requests.receive(message),
    oct_notify: (_from, message) => this.requests.receive(message),
    session_alive_reply: (_from, message) => this.session.renewed(message, this.context.now),
    session_lost: (_from, { silent_ms: silentMs }) => this.given(lostAfter(silentMs)),
    session_overrun: () => this.given(OVERRUN),
  } satisfies MessageHandlers;
  readonly verbs = knowledgeVerbs(this);

  private readonly session: Session;
  private readonly outlets: Outlets;
  private using = false;
  /** The instance of the SKB met last. */
  private metInstance: InstanceId = '';
  private readonly told = new Map<number, Told[]>();
  private readonly waiting = new Map<number, (told: Told) => void>();
  /** Triggers and subscriptions that the SKB has, as far as we know. */
  private readonly installed = new Set<number>();

  constructor(private readonly context: MonitorContext) {
    this.outlets = new Outlets(context);
    this.requests = new Requests((message) => this.send(message));
    this.requests.onNotification((notification) => this.notified(notification));
    this.requests.onReset(() => this.reset());
    this.session = new Session(context.timers, {
      send: (message) => this.send(message),
      lost: (text) => {
        this.requests.sessionLost(text);
        this.reset();
      },
      begun: () => this.requests.forgotten(),
    });
  }

  /** Sends open requests to an SKB that has met this instance, for the first time or again. */
  peerUp(peer: Peer, first: boolean): void {
    if (peer.id !== SKB_PEER) return;
    if (first) this.outlets.peerGone(SKB_PEER); // it is among the open requests, which are repeated
    const gaveUp = first && peer.instance === this.metInstance;
    this.metInstance = peer.instance;
    if (first && this.using && (gaveUp || !this.session.alive))
      this.requests.abandonChanges('the SKB had dropped this core');
    // Before open requests are repeated, because a new session gives up everything before it.
    if (this.using) this.session.up(first, gaveUp ? 'the SKB had dropped this core' : null, this.context.now);
    if (first) this.requests.restarted(gaveUp);
  }

  sendable(peer: Peer): void {
    if (peer.id === SKB_PEER) this.outlets.sendable(SKB_PEER);
  }

  /** Sends only once the SKB has met this instance; open requests are sent then. */
  private send(message: Message): void {
    if (this.context.endpoint.peers.get(SKB_PEER)?.met === true) this.outlets.send(SKB_PEER, message);
  }

  /**
   * Begins a session at the first use of Octopus that may hold something: without holdings there is nothing to prolong.
   */
  use(): void {
    if (this.using) return;
    this.using = true;
    this.session.up(true, null, this.context.now);
  }

  /** A core that has triggers and no session begins none: they are forgotten all the same. */
  private given(text: string): void {
    this.session.given(text, this.context.now);
    if (!this.using) this.requests.forgotten();
  }

  *octopus(request: OctopusRequest): Operation<OctopusReply> {
    this.use();
    return yield* wait<OctopusReply>({
      arm: (resume) => {
        this.requests.ask(
          request,
          (reply) => {
            this.note(request, reply);
            resume(reply, this.context.now);
          },
          () => undefined,
        );
        return () => undefined;
      },
    });
  }

  /** The next notification of a trigger or subscription; null when the SKB has forgotten it. */
  *next(id: number): Operation<Told> {
    const queue = this.told.get(id);
    const first = queue?.shift();
    if (queue?.length === 0) this.told.delete(id);
    if (first !== undefined) return first;
    if (this.waiting.has(id)) throw new OperationError('BUSY', `somebody waits for ${id} already`);
    return yield* wait<Told>({
      arm: (resume) => {
        this.waiting.set(id, (told) => resume(told, this.context.now));
        return () => void this.waiting.delete(id);
      },
    });
  }

  *query(goal: string, options: QueryOptions): Operation<QueryAnswer> {
    return yield* wait<QueryAnswer>({
      arm: (resume) => {
        const solutions: Solution[] = [];
        return this.requests.run(goal, options, {
          solutions: (batch) => void solutions.push(...batch),
          end: ({ more, error }) => resume({ solutions, more, error: error ?? null }, this.context.now),
        });
      },
    });
  }

  private notified(notification: OctopusNotification): void {
    const { id, mode } = notification;
    if (id >= OWN_TRIGGERS) return; // it belongs to another service, which listens itself
    if ((mode & TRIGGER.REMOVED) !== 0) this.installed.delete(id);
    this.tell(id, notification);
  }

  private note(request: OctopusRequest, reply: OctopusReply): void {
    if (request.type === 'remove_trigger' || request.type === 'unsubscribe') this.installed.delete(request.id);
    else if (request.type === 'subscribe' && reply.ok) this.begins(request.id);
    else if (reply.installed && 'trigger' in request && request.trigger !== undefined) this.begins(request.trigger.id);
  }

  private begins(id: number): void {
    this.installed.add(id);
    this.told.delete(id); // those of an earlier trigger
  }

  private tell(id: number, told: Told): void {
    const waiter = this.waiting.get(id);
    if (waiter !== undefined) {
      this.waiting.delete(id);
      return waiter(told);
    }
    const queue = this.told.get(id) ?? [];
    if (queue.length > MOST_KEPT) return;
    // Losses are reported: the next caller learns that it missed something, as after a restart.
    const isLast = told !== null && (told.mode & TRIGGER.REMOVED) !== 0;
    queue.push(queue.length < MOST_KEPT || isLast ? told : null);
    this.told.set(id, queue);
  }

  /** Those who do not wait at this moment hear of it when they ask. */
  private reset(): void {
    for (const id of this.installed) if (!this.waiting.has(id)) this.tell(id, null);
    this.installed.clear();
    const waiters = [...this.waiting.values()];
    this.waiting.clear();
    for (const waiter of waiters) waiter(null);
  }
}

/** Notifications of one trigger that wait for a caller; further ones are dropped. */
const MOST_KEPT = 1024;

/**
 * Triggers from here on belong to other services of this core: nobody asks for their notifications over the control
 * port.
 */
export const OWN_TRIGGERS = 2 ** 40;
