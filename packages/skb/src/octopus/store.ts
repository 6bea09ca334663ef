/**
 * Octopus: records, triggers and publish/subscribe as one synchronous step function.
 *
 * Guarantees, numbered for tests and checkers:
 *   O1  Requests take effect one after the other, whole or not at all.
 *   O2  A trigger is installed in the step of the query that carries it: no change falls between the two.
 *   O3  A trigger tells in the order of the changes; once without PERSIST, with REMOVED in that notification. Removing
 *       it tells a last time: REMOVED and a null record. After REMOVED nothing comes.
 *   O4  Sequential numbers of a name only rise, also across deletion of its records and a restart.
 *   O5  When an owner goes, its transient records go in the order they were set, and each tells like any deletion.
 * Source: Barrelfish `objects3.pl`, `pubsub3.pl`. Differs: transient records work, `exclusive` exists, trigger ids
 * are the client's. `get` and `exists` answer NO_RECORD when constraints fail; `set` and `del` answer
 * CONSTRAINT_MISMATCH.
 */
import type {
  OctopusErrorName,
  OctopusNotification,
  OctopusReply,
  OctopusRequest,
  TriggerSpec,
} from '@mk/monitor-proto/octopus/requests';
import { TRIGGER } from '@mk/monitor-proto/octopus/requests';
import type { Attributes, ParsedRecord } from '@mk/monitor-proto/octopus/record';
import {
  RecordSyntaxError,
  compareNames,
  matchesQuery,
  meetsConstraints,
  parseKeptRecord,
  parseRecord,
  recordText,
} from '@mk/monitor-proto/octopus/record';
import { RECORD_LIMITS } from '@mk/monitor-proto/octopus/limits';
import { OCTOPUS_LIMITS } from './limits.ts';
import { WatcherTable } from './triggers.ts';

/** Who asks: a connection, and the owner (a core's incarnation) whose transient records go with it. */
export interface OctopusCaller {
  readonly client: string;
  readonly owner: string;
}

/** What must be kept for a restart. `owner` is there for transient records. */
export type OctopusChange =
  | { readonly type: 'put'; readonly name: string; readonly text: string; readonly owner?: string }
  | { readonly type: 'remove'; readonly name: string }
  | { readonly type: 'counter'; readonly name: string; readonly value: number };

export interface OctopusStep {
  readonly reply: OctopusReply;
  readonly notifications: readonly AddressedNotification[];
  /** To be kept before the reply and the notifications leave. */
  readonly changes: readonly OctopusChange[];
}

export interface AddressedNotification {
  readonly client: string;
  readonly notification: OctopusNotification;
}

interface StoredRecord {
  readonly name: string;
  readonly attributes: Attributes;
  readonly text: string;
  readonly owner: string | undefined;
}

/** A result before its trigger is looked at. */
type Result =
  | { readonly ok: true; readonly record?: string; readonly names?: readonly string[] }
  | { readonly ok: false; readonly error: OctopusErrorName; readonly detail: string };

/** What one step has gathered so far. */
interface Effects {
  readonly notifications: AddressedNotification[];
  readonly changes: OctopusChange[];
  /** The record that a `set` was about, with the number that it was given. */
  named: string | undefined;
}

type Handler<T extends OctopusRequest['type']> = (
  request: Extract<OctopusRequest, { type: T }>,
  caller: OctopusCaller,
  effects: Effects,
) => Result;

const OK: Result = { ok: true };

export class OctopusStore {
  readonly #records = new Map<string, StoredRecord>();
  readonly #counters = new Map<string, number>();
  readonly #transient = new Map<string, Set<string>>();
  readonly #triggers = new WatcherTable();
  readonly #subscriptions = new WatcherTable();
  #serial = 0;

  readonly #handlers: { readonly [T in OctopusRequest['type']]: Handler<T> } = {
    get: (request) => this.#get(parseRecord(request.query)),
    exists: (request) => withoutRecord(this.#get(parseRecord(request.query))),
    get_names: (request) => this.#getNames(parseRecord(request.query)),
    set: (request, caller, effects) => this.#set(request, caller, effects),
    del: (request, _caller, effects) => this.#del(parseRecord(request.query), effects),
    wait_for: (request) => this.#get(parseRecord(request.query)),
    remove_trigger: (request, caller, effects) => this.#removeTrigger(request.id, caller, effects),
    subscribe: (request, caller) => this.#subscribe(request.id, request.query, caller),
    unsubscribe: (request, caller, effects) => this.#unsubscribe(request.id, caller, effects),
    publish: (request, _caller, effects) => this.#publish(request.record, effects),
  };

  /** How many records there are. */
  get size(): number {
    return this.#records.size;
  }

  /**
   * Performs one request. Never throws for what a client sent: what it refuses has changed nothing. It throws for a fault
   * of ours in the middle of a change, which leaves the store in doubt (O1).
   */
  step(request: OctopusRequest, caller: OctopusCaller): OctopusStep {
    const effects: Effects = { notifications: [], changes: [], named: undefined };
    const { notifications, changes } = effects;
    try {
      const refusal = this.#refuseTrigger(request, caller);
      const result = refusal ?? this.#perform(request, caller, effects);
      // After a refused trigger nothing was done, so nothing is installed either.
      const installed = refusal === undefined && this.#install(request, caller, result, effects.named);
      return { reply: { ...result, installed }, notifications, changes };
    } catch (error) {
      if (changes.length > 0 || notifications.length > 0) throw error;
      return { reply: { ...failed(error), installed: false }, notifications, changes };
    }
  }

  /** Takes in what a journal kept; call before the first step. */
  load(changes: Iterable<OctopusChange>): void {
    for (const change of changes) {
      if (change.type === 'counter') this.#counters.set(change.name, change.value);
      else if (change.type === 'remove') this.#forget(change.name);
      else this.#keep(change.name, parseKeptRecord(change.text).attributes, change.text, change.owner);
    }
  }

  /** Everything that a journal must hold to come back to this state, without triggers: clients install those anew. */
  snapshot(): readonly OctopusChange[] {
    const counters = [...this.#counters].map(([name, value]) => ({ type: 'counter', name, value }) as const);
    const puts = [...this.#records.values()].map(({ name, text, owner }) => {
      return { type: 'put', name, text, ...(owner === undefined ? {} : { owner }) } as const;
    });
    return [...counters, ...puts];
  }

  /** The owners that hold transient records: after a restart, those that are no longer there must be reported gone. */
  owners(): readonly string[] {
    return [...this.#transient.keys()];
  }

  /** A core left: its transient records go (O5). Its clients are reported apart, by `clientGone`. */
  ownerGone(owner: string): Omit<OctopusStep, 'reply'> {
    const effects: Effects = { notifications: [], changes: [], named: undefined };
    for (const name of [...(this.#transient.get(owner) ?? [])]) this.#delete(name, effects);
    return { notifications: effects.notifications, changes: effects.changes };
  }

  /** A connection ended: its triggers and subscriptions go without a word; its records stay. */
  clientGone(client: string): void {
    this.#triggers.removeClient(client);
    this.#subscriptions.removeClient(client);
  }

  #perform(request: OctopusRequest, caller: OctopusCaller, effects: Effects): Result {
    const handler = this.#handlers[request.type] as Handler<typeof request.type>;
    try {
      return handler(request as never, caller, effects);
    } catch (error) {
      if (error instanceof RecordSyntaxError) return failed(error);
      throw error;
    }
  }

  #get(query: ParsedRecord): Result {
    const found = this.#first(query);
    return found === undefined ? refuse('NO_RECORD') : { ok: true, record: found.text };
  }

  #getNames(query: ParsedRecord): Result {
    const names = this.#matching(query)
      .map((record) => record.name)
      .sort(compareNames);
    if (names.length > OCTOPUS_LIMITS.maxNames) return refuse('LIMIT_REACHED', `${names.length} names match`);
    return names.length === 0 ? refuse('NO_RECORD') : { ok: true, names };
  }

  #set(request: Extract<OctopusRequest, { type: 'set' }>, caller: OctopusCaller, effects: Effects): Result {
    const parsed = parseRecord(request.record);
    if (parsed.name.kind !== 'is') return refuse('NO_CONCRETE_NAME');
    const base = parsed.name.name;
    const number = (this.#counters.get(base) ?? 0) + 1;
    const name = request.sequential === true ? `${base}_${number}` : base;
    const text = boundedText(name, parsed.attributes);
    effects.named = name;
    const held = this.#records.get(name);
    if (held !== undefined && request.exclusive === true) return refuse('RECORD_EXISTS');
    if (
      parsed.constraints.length > 0 &&
      (held === undefined || !meetsConstraints(parsed.constraints, held.attributes))
    ) {
      return refuse('CONSTRAINT_MISMATCH');
    }
    if (held === undefined && this.#records.size >= OCTOPUS_LIMITS.maxRecords) {
      return refuse('LIMIT_REACHED', `there are ${this.#records.size} records`);
    }
    if (request.sequential === true) {
      this.#counters.set(base, number);
      effects.changes.push({ type: 'counter', name: base, value: number });
    }
    const owner = request.transient === true ? caller.owner : undefined;
    this.#keep(name, parsed.attributes, text, owner);
    effects.changes.push({ type: 'put', name, text, ...(owner === undefined ? {} : { owner }) });
    this.#tell(name, parsed.attributes, text, TRIGGER.ON_SET, effects);
    return { ok: true, record: text };
  }

  #del(query: ParsedRecord, effects: Effects): Result {
    if (query.name.kind !== 'is') return refuse('NO_CONCRETE_NAME');
    const held = this.#records.get(query.name.name);
    if (held === undefined) return refuse('NO_RECORD');
    if (!matchesQuery(query, held.name, held.attributes)) return refuse('CONSTRAINT_MISMATCH');
    this.#delete(held.name, effects);
    return { ok: true, record: held.text };
  }

  #delete(name: string, effects: Effects): void {
    const held = this.#records.get(name);
    if (held === undefined) return;
    this.#forget(name);
    effects.changes.push({ type: 'remove', name });
    this.#tell(name, held.attributes, held.text, TRIGGER.ON_DEL, effects);
  }

  #removeTrigger(id: number, caller: OctopusCaller, effects: Effects): Result {
    const watcher = this.#triggers.get(caller.client, id);
    if (watcher === undefined) return refuse('NO_TRIGGER');
    this.#triggers.remove(watcher);
    effects.notifications.push(addressed(caller.client, id, TRIGGER.REMOVED, null));
    return OK;
  }

  #subscribe(id: number, query: string, caller: OctopusCaller): Result {
    if (this.#subscriptions.get(caller.client, id) !== undefined) return refuse('TRIGGER_EXISTS');
    const parsed = parseRecord(query);
    if (this.#subscriptions.countOf(caller.client) >= OCTOPUS_LIMITS.maxSubscriptionsPerClient) {
      return refuse('LIMIT_REACHED', 'the client has as many subscriptions as it may');
    }
    const serial = this.#serial++;
    this.#subscriptions.add({ client: caller.client, id, query: parsed, mode: TRIGGER.PUBLISH, serial });
    return OK;
  }

  #unsubscribe(id: number, caller: OctopusCaller, effects: Effects): Result {
    const watcher = this.#subscriptions.get(caller.client, id);
    if (watcher === undefined) return refuse('NO_TRIGGER');
    this.#subscriptions.remove(watcher);
    effects.notifications.push(addressed(caller.client, id, TRIGGER.PUBLISH | TRIGGER.REMOVED, null));
    return OK;
  }

  #publish(record: string, effects: Effects): Result {
    const parsed = parseRecord(record);
    if (parsed.name.kind !== 'is') return refuse('NO_CONCRETE_NAME');
    const { name } = parsed.name;
    const text = boundedText(name, parsed.attributes);
    for (const watcher of this.#subscriptions.candidates(name)) {
      if (!matchesQuery(watcher.query, name, parsed.attributes)) continue;
      effects.notifications.push(addressed(watcher.client, watcher.id, TRIGGER.PUBLISH, text));
    }
    return { ok: true, record: text };
  }

  /** Tells every trigger that waits for this event and whose query the record matches (O3). */
  #tell(name: string, attributes: Attributes, text: string, event: number, effects: Effects): void {
    for (const watcher of this.#triggers.candidates(name)) {
      if ((watcher.mode & event) === 0 || !matchesQuery(watcher.query, name, attributes)) continue;
      const once = (watcher.mode & TRIGGER.PERSIST) === 0;
      if (once) this.#triggers.remove(watcher);
      const mode = once ? event | TRIGGER.REMOVED : event;
      effects.notifications.push(addressed(watcher.client, watcher.id, mode, text));
    }
  }

  /** Why the request's trigger cannot be; asked before anything is done, so that a refusal changes nothing (O1). */
  #refuseTrigger(request: OctopusRequest, caller: OctopusCaller): Result | undefined {
    const trigger = triggerOf(request);
    if (trigger === undefined) return undefined;
    if (this.#triggers.get(caller.client, trigger.id) !== undefined) return refuse('TRIGGER_EXISTS');
    if (this.#triggers.countOf(caller.client) >= OCTOPUS_LIMITS.maxTriggersPerClient) {
      return refuse('LIMIT_REACHED', 'the client has as many triggers as it may');
    }
    if (this.#triggers.patternCount >= OCTOPUS_LIMITS.maxPatternTriggers) {
      return refuse('LIMIT_REACHED', 'there are as many triggers on patterns as may be');
    }
    return undefined;
  }

  /** Reads nothing that was not read before: here the request has taken effect, and nothing may fail any more. */
  #install(request: OctopusRequest, caller: OctopusCaller, result: Result, named: string | undefined): boolean {
    const trigger = triggerOf(request);
    if (trigger === undefined || (!result.ok && result.error === 'PARSE_ERROR')) return false;
    const isCase = trigger.inCase === (result.ok ? 'OK' : result.error);
    if (!isCase && (trigger.mode & TRIGGER.ALWAYS) === 0) return false;
    const query = watchedQuery(request, named);
    const mode = trigger.mode & (TRIGGER.ON_SET | TRIGGER.ON_DEL | TRIGGER.PERSIST);
    this.#triggers.add({ client: caller.client, id: trigger.id, query, mode, serial: this.#serial++ });
    return true;
  }

  #first(query: ParsedRecord): StoredRecord | undefined {
    return this.#matching(query).reduce<StoredRecord | undefined>((first, record) => {
      return first === undefined || compareNames(record.name, first.name) < 0 ? record : first;
    }, undefined);
  }

  #matching(query: ParsedRecord): readonly StoredRecord[] {
    if (query.name.kind !== 'is') {
      return [...this.#records.values()].filter((record) => matchesQuery(query, record.name, record.attributes));
    }
    const held = this.#records.get(query.name.name);
    return held !== undefined && matchesQuery(query, held.name, held.attributes) ? [held] : [];
  }

  #keep(name: string, attributes: Attributes, text: string, owner: string | undefined): void {
    this.#forget(name);
    this.#records.set(name, { name, attributes, text, owner });
    if (owner !== undefined) this.#transient.set(owner, (this.#transient.get(owner) ?? new Set()).add(name));
  }

  #forget(name: string): void {
    const held = this.#records.get(name);
    if (held === undefined) return;
    this.#records.delete(name);
    if (held.owner === undefined) return;
    const owned = this.#transient.get(held.owner);
    owned?.delete(name);
    if (owned?.size === 0) this.#transient.delete(held.owner);
  }
}

function triggerOf(request: OctopusRequest): TriggerSpec | undefined {
  if (request.type === 'wait_for') return { id: request.id, inCase: 'NO_RECORD', mode: TRIGGER.ON_SET };
  return 'trigger' in request ? request.trigger : undefined;
}

/** What a request's trigger watches. A `set` watches its record by name: with attributes it would miss the next change. */
function watchedQuery(request: OctopusRequest, named: string | undefined): ParsedRecord {
  if (named !== undefined) return { name: { kind: 'is', name: named }, attributes: new Map(), constraints: [] };
  const parsed = parseRecord('query' in request ? request.query : 'record' in request ? request.record : '_');
  return request.type === 'set' ? { ...parsed, attributes: new Map(), constraints: [] } : parsed;
}

/** A record as it is kept and told, within the bounds that whoever reads it applies: it may be longer than it was sent. */
function boundedText(name: string, attributes: Attributes): string {
  const text = recordText(name, attributes);
  if (name.length > RECORD_LIMITS.maxNameChars) throw tooLong('a name', RECORD_LIMITS.maxNameChars, name.length);
  if (text.length > RECORD_LIMITS.maxTextChars) throw tooLong('a record', RECORD_LIMITS.maxTextChars, text.length);
  return text;
}

function tooLong(what: string, most: number, chars: number): RecordSyntaxError {
  return new RecordSyntaxError(`${what} may have ${most} characters, written out this one has ${chars}`);
}

function failed(error: unknown): { readonly ok: false; readonly error: OctopusErrorName; readonly detail: string } {
  if (error instanceof RecordSyntaxError) return { ok: false, error: 'PARSE_ERROR', detail: error.message };
  return {
    ok: false,
    error: 'FAILED',
    detail: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
  };
}

function withoutRecord(result: Result): Result {
  return result.ok ? OK : result;
}

function refuse(error: OctopusErrorName, detail = ''): Result {
  return { ok: false, error, detail };
}

function addressed(client: string, id: number, mode: number, record: string | null): AddressedNotification {
  return { client, notification: { id, mode, record } };
}
