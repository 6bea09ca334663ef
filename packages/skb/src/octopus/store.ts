/**
 * Octopus: records, triggers and publish/subscribe, one request after the other.
 *
 * Guarantees, numbered for tests and checkers:
 *   O1  Requests take effect one after the other, whole or not at all. One that looks at many records pauses between them;
 *       what it answers was so at the moment of its answer.
 *   O2  A trigger is installed in the step of the query that carries it: no change falls between the two.
 *   O3  A trigger tells in the order of the changes; once without PERSIST, with REMOVED in that notification. Removing
 *       it tells a last time: REMOVED and a null record. After REMOVED nothing comes.
 *   O4  Sequential numbers of a name only rise, also across deletion of its records and a restart, and no sequential
 *       record takes the name of one that is there.
 *   O5  When an owner goes, its transient records go in the order they were set, and each tells like any deletion.
 *   O6  Taken permits and those that can be taken are as many as were posted, less those taken for good.
 * Source: Barrelfish `objects3.pl`, `pubsub3.pl`. Differs: transient records work, `exclusive`, sequences and recipes'
 * names exist, trigger ids are the client's. `get` and `exists` answer NO_RECORD when constraints fail; `set` and `del`
 * answer CONSTRAINT_MISMATCH.
 */
import { handlerFor } from '@mk/monitor-proto/handlers';
import { known } from '@mk/monitor-proto/assert';
import { Meter } from '@mk/monitor-proto/octopus/meter';
import { recipeName, recipeOf, sequenceName } from '@mk/monitor-proto/octopus/names';
import type { OctopusRequest } from '@mk/monitor-proto/octopus/requests';
import { TRIGGER } from '@mk/monitor-proto/octopus/requests';
import type { Attributes, ParsedRecord } from '@mk/monitor-proto/octopus/record';
import type { OctopusChange } from './change.ts';
import {
  matchesQuery,
  meetsConstraints,
  parseKeptRecord,
  parseRecord,
  recordText,
} from '@mk/monitor-proto/octopus/record';
import { Counters } from './counters.ts';
import { OCTOPUS_LIMITS } from './limits.ts';
import { byName, concreteName, isBare, isLook, type Look, soughtBy, triggerOf } from './requests.ts';
import { RecordTable, type StoredRecord } from './record-table.ts';
import {
  boundedText,
  checkCost,
  checkRecipe,
  failed,
  NO_RECORD,
  OK,
  pageOf,
  Refusal,
  type OctopusResult,
} from './results.ts';
import type { OctopusAnswer, OctopusCaller, OctopusStep } from './steps.ts';
import { type AddressedNotification, type Change, Telling } from './telling.ts';
import { WatcherTable } from './triggers.ts';

/** What one request has collected so far. */
interface Effects {
  readonly changes: OctopusChange[];
  /** What the request's trigger watches; undefined if the request was refused before. */
  watched: ParsedRecord | undefined;
}

type Act = Exclude<OctopusRequest, Look>;
type Handler<T extends Act['type']> = (
  request: Extract<Act, { type: T }>,
  caller: OctopusCaller,
  effects: Effects,
) => OctopusResult;

export class OctopusStore {
  private readonly records = new RecordTable();
  private readonly counters = new Counters(OCTOPUS_LIMITS.maxIdleCounters);
  private readonly triggers = new WatcherTable();
  private readonly subscriptions = new WatcherTable();
  /** Changes not yet told to everybody, oldest first. */
  private tellings: Telling[] = [];
  /** Notifications due at once: of what a client's own request removed. */
  private told: AddressedNotification[] = [];
  private serial = 0;

  private readonly acts: { readonly [T in Act['type']]: Handler<T> } = {
    set: (request, caller, effects) => this.set(request, caller, effects),
    del: (request, caller, effects) => this.del(request, caller, effects),
    take: (request, caller, effects) => this.take(request, caller, effects),
    predecessor: (request, _caller, effects) => this.predecessor(request.name, effects),
    remove_trigger: (request, caller) => this.removeTrigger(request.id, caller),
    subscribe: (request, caller) => this.subscribe(request.id, request.query, caller),
    unsubscribe: (request, caller) => this.unsubscribe(request.id, caller),
    publish: (request) => this.publish(request.record),
  };

  /** How many records there are. */
  get size(): number {
    return this.records.size;
  }

  /** How many counters of sequences are kept. */
  get counterCount(): number {
    return this.counters.size;
  }

  /** How many triggers a client has. */
  triggersOf(client: string): number {
    return this.triggers.countOf(client);
  }

  /** Whether anybody is still to be told of a change. The next change waits for that: `changesSomething`. */
  get telling(): boolean {
    return this.tellings.length > 0 || this.told.length > 0;
  }

  /**
   * Performs one request. Yields when the meter is full, and only before anything has changed. Never throws for a
   * client's mistake: a refused request has changed nothing. A bug of ours in the middle of a change throws, and leaves
   * the store in doubt (O1).
   */
  *perform(request: OctopusRequest, caller: OctopusCaller, meter: Meter): Generator<void, OctopusAnswer> {
    const effects: Effects = { changes: [], watched: undefined };
    const { changes } = effects;
    try {
      this.checkTrigger(request, caller);
      const result = isLook(request)
        ? yield* this.look(request, caller, effects, meter)
        : handlerFor(this.acts, request.type)(request, caller, effects);
      return { reply: { ...result, installed: this.install(request, caller, result, effects) }, changes };
    } catch (error) {
      if (changes.length > 0) throw error;
      const result = failed(error);
      return { reply: { ...result, installed: this.install(request, caller, result, effects) }, changes };
    }
  }

  /** Tells of changes, in their order, until the meter is full or all are told. */
  tell(meter: Meter): readonly AddressedNotification[] {
    const { told } = this;
    this.told = [];
    while (this.tellings[0]?.advance(meter, told) === true) this.tellings.shift();
    return told;
  }

  /** Performs one request to its end, and tells everybody. */
  step(request: OctopusRequest, caller: OctopusCaller): OctopusStep {
    const work = this.perform(request, caller, new Meter());
    const answer = work.next();
    if (answer.done !== true) throw new Error('a request without a bound has paused');
    return { ...answer.value, notifications: this.tell(new Meter()) };
  }

  /** Restores a journal's contents; call before the first step. */
  load(changes: Iterable<OctopusChange>): void {
    for (const change of changes) {
      if (change.type === 'remove') this.records.forget(change.name);
      else if (change.type === 'put')
        this.records.keep(change.name, parseKeptRecord(change.text).attributes, change.text, change.owner);
      else this.counters.load(change);
    }
    this.counters.loaded((base) => this.records.firstOf(base) !== undefined);
  }

  /** Everything that a journal needs to restore this state, without triggers: clients reinstall those. */
  snapshot(): readonly OctopusChange[] {
    const puts = [...this.records.all()].map(({ name, text, owner }) => {
      return { type: 'put', name, text, ...(owner === undefined ? {} : { owner }) } as const;
    });
    return [...this.counters.snapshot(), ...puts];
  }

  /** Owners of transient records: after a restart, those no longer there must be reported gone. */
  owners(): readonly string[] {
    return this.records.owners();
  }

  /** An owner's records, in order: pass each to `drop`. */
  ownedBy(owner: string): readonly StoredRecord[] {
    return this.records.ownedBy(owner);
  }

  /** Deletes a record of a departed owner, unless it was set again since. */
  drop(record: StoredRecord): readonly OctopusChange[] {
    const changes: OctopusChange[] = [];
    if (this.records.get(record.name) === record) this.remove(record, changes);
    return changes;
  }

  /** A core left: its transient records go (O5). Its clients are reported separately, by `clientGone`. */
  ownerGone(owner: string): Omit<OctopusStep, 'reply'> {
    const changes = this.ownedBy(owner).flatMap((record) => this.drop(record));
    return { changes, notifications: this.tell(new Meter()) };
  }

  /** A connection ended: its triggers and subscriptions go silently; its records stay. */
  clientGone(client: string): void {
    this.triggers.removeClient(client);
    this.subscriptions.removeClient(client);
  }

  private *look(request: Look, caller: OctopusCaller, effects: Effects, meter: Meter): Generator<void, OctopusResult> {
    const query = soughtBy(request);
    if (request.trigger !== undefined) this.triggers.checkPatterns(query);
    effects.watched = query;
    const all = request.type === 'get_names';
    const after = all ? request.after : undefined;
    const base = !all && query.name.kind === 'sequence' && isBare(query) ? query.name.base : undefined;
    const first = base === undefined ? undefined : this.records.firstOf(base);
    const found = first === undefined ? yield* this.records.find(query, !all, meter, after) : [first];
    if (found === 'too_costly') {
      effects.watched = undefined;
      throw new Refusal('QUERY_TOO_COSTLY', 'its patterns take too many steps over all records');
    }
    if (found.length > OCTOPUS_LIMITS.maxNames && after === undefined)
      throw new Refusal('LIMIT_REACHED', `more than ${OCTOPUS_LIMITS.maxNames} names match`);
    const record = found[0];
    if (record === undefined || (request.own === true && record.owner !== caller.owner)) return NO_RECORD;
    if (all) return pageOf(found.map((each) => each.name));
    return request.type === 'exists' ? OK : { ok: true, record: record.text };
  }

  private set(request: Extract<Act, { type: 'set' }>, caller: OctopusCaller, effects: Effects): OctopusResult {
    const parsed = parseRecord(request.record);
    const base = concreteName(parsed);
    checkRecipe(base, request.recipe);
    const number = request.sequential === true ? this.nextNumber(base) : 0;
    const name = number > 0 ? sequenceName({ base, number }) : base;
    const text = boundedText(name, parsed.attributes);
    effects.watched = byName(name);
    const held = this.records.get(name);
    if (held !== undefined && request.exclusive === true) throw new Refusal('RECORD_EXISTS');
    const { constraints } = parsed;
    if (held !== undefined) checkCost(parsed, held);
    if (constraints.length > 0 && (held === undefined || !meetsConstraints(constraints, held.attributes)))
      throw new Refusal('CONSTRAINT_MISMATCH');
    this.checkSpace(text, held);
    if (number > 0) this.counters.raise(base, number, effects.changes);
    this.put(name, parsed.attributes, text, request.transient === true ? caller.owner : undefined, effects.changes);
    return { ok: true, record: text };
  }

  /** A change that does not grow the store is always accepted: a journal may hold more than is now allowed. */
  private checkSpace(text: string, held: StoredRecord | undefined): void {
    if (held === undefined && this.size >= OCTOPUS_LIMITS.maxRecords)
      throw new Refusal('LIMIT_REACHED', `there are ${this.size} records`);
    const grows = text.length - (held?.text.length ?? 0);
    if (grows > 0 && this.records.chars + grows > OCTOPUS_LIMITS.maxRecordChars)
      throw new Refusal('LIMIT_REACHED', `all records together have ${this.records.chars} characters`);
  }

  private del(request: Extract<Act, { type: 'del' }>, caller: OctopusCaller, effects: Effects): OctopusResult {
    const query = parseRecord(request.query);
    const name = concreteName(query);
    checkRecipe(name, request.recipe);
    effects.watched = query;
    const held = this.records.get(name);
    if (held === undefined || (request.own === true && held.owner !== caller.owner)) return NO_RECORD;
    checkCost(query, held);
    if (!matchesQuery(query, held.name, held.attributes)) throw new Refusal('CONSTRAINT_MISMATCH');
    this.remove(held, effects.changes);
    return { ok: true, record: held.text };
  }

  private take(request: Extract<Act, { type: 'take' }>, caller: OctopusCaller, effects: Effects): OctopusResult {
    const base = recipeName('semaphore', request.name);
    checkRecipe(base, 'semaphore');
    effects.watched = { name: { kind: 'sequence', base }, attributes: new Map(), constraints: [] };
    const permit = this.records.firstOf(base) ?? this.oldPermit(request.name);
    if (permit === undefined) return NO_RECORD;
    this.remove(permit, effects.changes);
    if (request.lease !== true) return { ok: true, record: permit.text };
    const name = sequenceName({ base: recipeName('permit', request.name), number: known(permit.sequence).number });
    const text = recordText(name, permit.attributes);
    this.put(name, permit.attributes, text, caller.owner, effects.changes);
    return { ok: true, record: text };
  }

  /**
   * Before semaphores had names of their own, their permits were bare sequential records of the user's name. A journal
   * may hold some, and older clients post them.
   */
  private oldPermit(name: string): StoredRecord | undefined {
    const record = this.records.firstOf(name);
    const posted = record !== undefined && known(record.sequence).number <= this.counters.own(name);
    return posted && record.attributes.size === 0 && record.owner === undefined ? record : undefined;
  }

  private predecessor(name: string, effects: Effects): OctopusResult {
    const own = this.records.get(name);
    if (own === undefined) return NO_RECORD;
    const before = this.records.before(own);
    if (before === undefined) return OK;
    effects.watched = byName(before.name);
    return { ok: true, record: before.text };
  }

  private put(
    name: string,
    attributes: Attributes,
    text: string,
    owner: string | undefined,
    changes: OctopusChange[],
  ): void {
    this.records.keep(name, attributes, text, owner);
    changes.push({ type: 'put', name, text, ...(owner === undefined ? {} : { owner }) });
    this.changed({ name, attributes, text, event: TRIGGER.ON_SET });
  }

  private remove({ name, attributes, text, sequence }: StoredRecord, changes: OctopusChange[]): void {
    this.records.forget(name);
    changes.push({ type: 'remove', name });
    if (sequence !== undefined && this.records.firstOf(sequence.base) === undefined)
      this.counters.retire(sequence.base, changes);
    this.changed({ name, attributes, text, event: TRIGGER.ON_DEL });
    if (recipeOf(name) === 'permit' && sequence !== undefined) this.giveBack(sequence.base, attributes, changes);
  }

  /**
   * A taken permit belongs to its semaphore again (O6). Nothing is refused in the middle of a change: the bounds are
   * those of `set`, and what a journal holds may exceed them.
   */
  private giveBack(permit: string, attributes: Attributes, changes: OctopusChange[]): void {
    const base = recipeName('semaphore', permit.slice(recipeName('permit', '').length));
    const number = this.nextNumber(base);
    this.counters.raise(base, number, changes);
    const name = sequenceName({ base, number });
    this.put(name, attributes, recordText(name, attributes), undefined, changes);
  }

  /**
   * Above every number that the name has had, and not that of an existing record: somebody may have set one by name.
   */
  private nextNumber(base: string): number {
    let number = this.counters.last(base) + 1;
    while (this.records.get(sequenceName({ base, number })) !== undefined) number += 1;
    return number;
  }

  private changed(change: Change): void {
    const table = change.event === TRIGGER.PUBLISH ? this.subscriptions : this.triggers;
    if (!table.empty) this.tellings.push(new Telling(table, change, this.serial++));
  }

  private removeTrigger(id: number, caller: OctopusCaller): OctopusResult {
    const watcher = this.triggers.get(caller.client, id);
    if (watcher === undefined) throw new Refusal('NO_TRIGGER');
    this.triggers.remove(watcher);
    this.told.push(removed(caller.client, id, TRIGGER.REMOVED));
    return OK;
  }

  private subscribe(id: number, query: string, caller: OctopusCaller): OctopusResult {
    const parsed = parseRecord(query);
    this.subscriptions.checkRoom(caller.client, id, OCTOPUS_LIMITS.maxSubscriptionsPerClient);
    this.subscriptions.checkPatterns(parsed);
    const serial = this.serial++;
    this.subscriptions.add({ client: caller.client, id, query: parsed, mode: TRIGGER.PUBLISH, serial });
    return OK;
  }

  private unsubscribe(id: number, caller: OctopusCaller): OctopusResult {
    const watcher = this.subscriptions.get(caller.client, id);
    if (watcher === undefined) throw new Refusal('NO_TRIGGER');
    this.subscriptions.remove(watcher);
    this.told.push(removed(caller.client, id, TRIGGER.PUBLISH | TRIGGER.REMOVED));
    return OK;
  }

  private publish(record: string): OctopusResult {
    const parsed = parseRecord(record);
    const name = concreteName(parsed);
    const text = boundedText(name, parsed.attributes);
    this.changed({ name, attributes: parsed.attributes, text, event: TRIGGER.PUBLISH });
    return { ok: true, record: text };
  }

  /** Refuses an impossible trigger before anything is done, so that a refusal changes nothing (O1). */
  private checkTrigger(request: OctopusRequest, { client }: OctopusCaller): void {
    const trigger = triggerOf(request);
    if (trigger !== undefined) this.triggers.checkRoom(client, trigger.id, OCTOPUS_LIMITS.maxTriggersPerClient);
  }

  /** Reads nothing new: the request has taken effect, so nothing may fail any more. */
  private install(
    request: OctopusRequest,
    { client }: OctopusCaller,
    result: OctopusResult,
    { watched }: Effects,
  ): boolean {
    const trigger = triggerOf(request);
    if (trigger === undefined || watched === undefined) return false;
    const isCase = trigger.inCase === (result.ok ? 'OK' : result.error);
    if (!isCase && (trigger.mode & TRIGGER.ALWAYS) === 0) return false;
    const mode = trigger.mode & (TRIGGER.ON_SET | TRIGGER.ON_DEL | TRIGGER.PERSIST);
    this.triggers.add({ client, id: trigger.id, query: watched, mode, serial: this.serial++ });
    return true;
  }
}

/** Whether a request waits until everybody was told of earlier changes. */
export function changesSomething({ type }: OctopusRequest): boolean {
  return type === 'set' || type === 'del' || type === 'take' || type === 'publish';
}

function removed(client: string, id: number, mode: number): AddressedNotification {
  return { client, notification: { id, mode, record: null } };
}
