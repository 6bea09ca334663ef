import type { Nanos } from '@mk/monitor-proto/ids';
import type { QueryError, Solution } from '@mk/monitor-proto/knowledge/query';
import { limit } from '@mk/monitor-proto/limits';
import type { Requests } from '@mk/monitor-proto/knowledge/requests';
import { quotedName, type Recipe } from '@mk/monitor-proto/octopus/names';
import { parseRecord } from '@mk/monitor-proto/octopus/record';
import {
  type OctopusNotification,
  type OctopusReply,
  type OctopusRequest,
  TRIGGER,
} from '@mk/monitor-proto/octopus/requests';
import type { Domain } from '../../cpu-driver/domains.ts';
import type { GiveUp } from '../../cpu-driver/give-up.ts';
import type { SystemCallDone } from '../../cpu-driver/system-calls.ts';
import type { Receivers } from '../channels/ends.ts';
import { OperationError } from '../operations.ts';
import type { Service, SystemCallHandlers } from '../service.ts';
import { OWN_TRIGGERS } from './knowledge.ts';

/** A dispatcher's triggers and records at the knowledge base, through this core. */
interface Client {
  /** The trigger's number at the SKB, by the dispatcher's own. */
  readonly triggers: Map<number, number>;
  /** Names of records that go with the dispatcher. */
  readonly transient: Map<string, OctopusRequest>;
  readonly cancels: Set<() => void>;
  /** Requests to Octopus that are not answered: their answers are this client's. */
  asked: number;
}

/** Triggers of programs; names have those below. */
const PROGRAM_TRIGGERS = OWN_TRIGGERS + 2 ** 44;
const MOST_TRIGGERS = 4096;

/**
 * The knowledge base for this core's programs, over the monitor's channel to it: queries, records, triggers. Trigger
 * numbers are the dispatcher's own. A dispatcher's transient records go when it, or its core, ends.
 */
export class ProgramKnowledge implements Service {
  private readonly clients = new Map<number, Client>();
  private readonly owners = new Map<number, { readonly dispatcher: number; readonly id: number }>();
  private lastTrigger = PROGRAM_TRIGGERS;

  readonly systemCalls = {
    octopus: (caller, { request }, _now, done) => this.octopus(caller, request, done),
    skb_query: (caller, { query }, _now, done) => {
      const { goal, time_limit_ms: timeLimitMs = 0, max_solutions: maxSolutions = 0 } = query;
      return this.query(caller, goal, { timeLimitMs, maxSolutions }, done);
    },
  } satisfies SystemCallHandlers;

  constructor(
    private readonly requests: Requests,
    /** Begins this core's session if there is none: without one, nobody here learns that its holdings are lost. */
    private readonly beginSession: () => void,
    private readonly receivers: Receivers,
    private readonly clock: { readonly now: Nanos },
  ) {
    requests.onNotification((notification) => this.notified(notification));
    requests.onReset(() => this.reset());
    requests.onSessionLost((text) => this.sessionLost(text));
  }

  leftovers(): readonly string[] {
    return this.clients.size > 0 ? [`${this.clients.size} programs’ records and triggers`] : [];
  }

  dispatcherGone({ id }: Domain): void {
    const client = this.clients.get(id);
    if (client === undefined) return;
    this.clients.delete(id);
    for (const cancel of client.cancels) cancel();
    for (const trigger of client.triggers.values()) {
      this.owners.delete(trigger);
      this.requests.ask({ type: 'remove_trigger', id: trigger }, nothing, nothing);
    }
    for (const [name, set] of client.transient) this.giveBack(name, set);
  }

  private octopus(caller: Domain, given: unknown, done: SystemCallDone): void {
    if (typeof given !== 'object' || given === null) throw new OperationError('BAD_REQUEST', 'a request to Octopus');
    this.requireRoom();
    const asked = given as OctopusRequest; // Octopus checks its form
    const client = this.clientOf(caller.id);
    const request = this.translated(caller.id, client, asked);
    if (isHeld(asked)) this.beginSession();
    client.asked += 1;
    this.requests.ask(
      request,
      (reply) => {
        client.asked -= 1;
        if (this.clients.get(caller.id) === client) this.remember(client, asked, reply);
        else this.undo(asked, reply);
        this.tidy(caller.id, client);
        done({ ok: true, value: reply }, this.clock.now);
      },
      () => {
        client.asked -= 1;
        this.tidy(caller.id, client);
        done({ ok: false, error: 'SKB_UNREACHABLE' }, this.clock.now);
      },
    );
  }

  /** Bounds requests that the SKB has not answered; this core's own releases are always sent. */
  private requireRoom(): void {
    const open = this.requests.size;
    if (open >= limit('operationsInFlight'))
      throw new OperationError('TOO_MANY_OPERATIONS', `the SKB has not answered ${open} requests of this core`);
  }

  /** Undoes a request of a dispatcher that is gone by now. */
  private undo(request: OctopusRequest, reply: OctopusReply): void {
    const name = transientName(request, reply);
    if (name !== null) this.giveBack(name, request);
  }

  /** Deletes a record that goes with its dispatcher, naming its recipe, as for locks and permits. */
  private giveBack(name: string, set: OctopusRequest): void {
    const recipe = recipeBehind(set);
    const named = recipe === undefined ? {} : { recipe };
    this.requests.ask({ type: 'del', query: quotedName(name), own: true, ...named }, nothing, nothing);
  }

  /** Makes a dispatcher's trigger numbers unique among this core's clients. */
  private translated(dispatcher: number, client: Client, request: OctopusRequest): OctopusRequest {
    if ('trigger' in request && request.trigger !== undefined) {
      const id = this.numberFor(dispatcher, client, request.trigger.id);
      return { ...request, trigger: { ...request.trigger, id } };
    }
    if (request.type === 'subscribe') return { ...request, id: this.numberFor(dispatcher, client, request.id) };
    if (request.type === 'remove_trigger' || request.type === 'unsubscribe')
      return { ...request, id: client.triggers.get(request.id) ?? PROGRAM_TRIGGERS };
    return request;
  }

  private numberFor(dispatcher: number, client: Client, id: number): number {
    const known = client.triggers.get(id);
    if (known !== undefined) return known;
    if (client.triggers.size >= MOST_TRIGGERS) throw new OperationError('BUSY', 'too many triggers');
    this.lastTrigger += 1;
    client.triggers.set(id, this.lastTrigger);
    this.owners.set(this.lastTrigger, { dispatcher, id });
    return this.lastTrigger;
  }

  private remember(client: Client, request: OctopusRequest, reply: OctopusReply): void {
    const name = transientName(request, reply);
    if (name !== null) client.transient.set(name, request);
    if (request.type === 'remove_trigger' || request.type === 'unsubscribe') this.drop(client, request.id);
    if ('trigger' in request && request.trigger !== undefined && !reply.installed)
      this.drop(client, request.trigger.id);
    if (request.type === 'del' && reply.ok && reply.record !== undefined) client.transient.delete(nameOf(reply.record));
  }

  private notified({ id, mode, record }: OctopusNotification): void {
    const owner = this.owners.get(id);
    if (owner === undefined) return;
    const client = this.clients.get(owner.dispatcher);
    this.receivers.upcall(owner.dispatcher, { type: 'octopus_event', id: owner.id, mode, record }, this.clock.now);
    if ((mode & TRIGGER.REMOVED) === 0 || client === undefined) return;
    this.drop(client, owner.id);
    this.tidy(owner.dispatcher, client);
  }

  /** The SKB has forgotten all triggers: waiting programs look again. */
  private reset(): void {
    for (const [dispatcher, client] of this.clients) {
      for (const id of [...client.triggers.keys()]) this.drop(client, id);
      this.receivers.upcall(dispatcher, { type: 'octopus_reset' }, this.clock.now);
      this.tidy(dispatcher, client);
    }
  }

  /** The transient records of this core's programs are gone, or must be assumed gone. */
  private sessionLost(text: string): void {
    for (const [dispatcher, client] of this.clients) {
      client.transient.clear();
      this.receivers.upcall(dispatcher, { type: 'octopus_session_lost', text }, this.clock.now);
      this.tidy(dispatcher, client);
    }
  }

  private query(
    caller: Domain,
    goal: string,
    options: { readonly timeLimitMs: number; readonly maxSolutions: number },
    done: SystemCallDone,
  ): GiveUp {
    this.requireRoom();
    const client = this.clientOf(caller.id);
    const solutions: Solution[] = [];
    const cancel = this.requests.run(goal, options, {
      solutions: (batch) => void solutions.push(...batch),
      end: ({ more, error }: { readonly more: boolean; readonly error?: QueryError | null }) => {
        client.cancels.delete(stop);
        this.tidy(caller.id, client);
        const failed = error === undefined || error === null ? null : { name: error.name, text: error.message };
        done({ ok: true, value: { solutions, more, error: failed } }, this.clock.now);
      },
    });
    const stop = (): void => cancel();
    client.cancels.add(stop);
    return stop;
  }

  private drop(client: Client, id: number): void {
    const trigger = client.triggers.get(id);
    if (trigger === undefined) return;
    client.triggers.delete(id);
    this.owners.delete(trigger);
  }

  private clientOf(dispatcher: number): Client {
    let client = this.clients.get(dispatcher);
    if (client === undefined)
      this.clients.set(
        dispatcher,
        (client = { triggers: new Map(), transient: new Map(), cancels: new Set(), asked: 0 }),
      );
    return client;
  }

  /** Forgets a dispatcher that has nothing at the knowledge base. */
  private tidy(dispatcher: number, client: Client): void {
    if (
      client.triggers.size + client.transient.size + client.cancels.size + client.asked === 0 &&
      this.clients.get(dispatcher) === client
    )
      this.clients.delete(dispatcher);
  }
}

/** Whether the record that a request sets or takes goes with its core's session. */
function isHeld(request: OctopusRequest): boolean {
  return (request.type === 'set' && request.transient === true) || (request.type === 'take' && request.lease === true);
}

/** The name of the record that a request has set as transient, or taken on lease; null: none. */
function transientName(request: OctopusRequest, reply: OctopusReply): string | null {
  return isHeld(request) && reply.ok && reply.record !== undefined ? nameOf(reply.record) : null;
}

/** The recipe of the record that a request has set or taken. */
function recipeBehind(request: OctopusRequest): Recipe | undefined {
  if (request.type === 'take') return 'permit';
  return request.type === 'set' ? request.recipe : undefined;
}

function nameOf(record: string): string {
  const { name } = parseRecord(record);
  return name.kind === 'is' ? name.name : '';
}

function nothing(): void {
  // Nobody waits for this answer.
}
