/**
 * Records, triggers and publish/subscribe as a program uses them.
 *
 * Guarantees: nothing that happens between a query and the wait for its change is missed, even when the service
 * restarts in between: waiters are then woken and look again. Source: Barrelfish `lib/octopus`.
 */
import type {
  OctopusErrorName,
  OctopusNotification,
  OctopusReply,
  OctopusRequest,
} from '@mk/monitor-proto/octopus/requests';
import { TRIGGER } from '@mk/monitor-proto/octopus/requests';
import { quotedName, type Recipe } from '@mk/monitor-proto/octopus/names';
import { parseRecord } from '@mk/monitor-proto/octopus/record';
import type { CancelSignal } from '../runtime/cancellation.ts';
import { aborting, inVain, unlessAborted } from './giving-up.ts';
import type { OctopusTransport } from './transport.ts';

/** A request that Octopus refused; `name` is from `OCTOPUS_ERRORS`. */
export class OctopusError extends Error {
  override readonly name: OctopusErrorName;

  constructor(name: OctopusErrorName, detail: string) {
    super(detail === '' ? name : `${name}: ${detail}`);
    this.name = name;
  }
}

/** A record as a program reads it. */
export interface OctopusRecord {
  readonly name: string;
  readonly attributes: { readonly [attribute: string]: number | string };
  readonly text: string;
}

export interface SetOptions {
  readonly sequential?: boolean;
  readonly transient?: boolean;
  readonly exclusive?: boolean;
  /** For recipes only: records under their names. */
  readonly recipe?: Recipe;
}

export interface DeleteOptions {
  /** Only a record that this client set as transient. */
  readonly own?: boolean;
  /** For recipes only: records under their names. */
  readonly recipe?: Recipe;
}

/**
 * A change that a watch reports. `resumed`: the SKB had forgotten the watch, and it was reinstalled: existing records
 * are reported as set, deletions meanwhile are not reported. The last event is `removed` or `lost`.
 */
export interface OctopusEvent {
  readonly kind: 'set' | 'deleted' | 'published' | 'resumed' | 'removed' | 'lost';
  readonly record: OctopusRecord | undefined;
}

/** A watch or subscription; calling it ends it. */
export interface Standing {
  (): Promise<void>;
  /**
   * Rejects with WATCH_LOST when changes are no longer reported although the watch was not ended; otherwise stays
   * pending.
   */
  readonly lost: Promise<never>;
}

/** A wait installed with its query: the query's result, and when to look again. */
export interface ArmedQuery {
  readonly reply: OctopusReply;
  /** Resolves at the trigger's notification, or undefined after a reset or `cancel`. */
  readonly woken: Promise<OctopusNotification | undefined>;
  cancel(): Promise<void>;
}

type QueryRequest = Extract<
  OctopusRequest,
  { type: 'get' | 'get_names' | 'exists' | 'set' | 'del' | 'take' | 'predecessor' }
>;

export class Octopus {
  private readonly transport: OctopusTransport;
  private readonly listeners = new Map<number, (notification: OctopusNotification | undefined) => void>();
  /** Watches that a restart must reinstall, by trigger id. */
  private readonly standing = new Map<number, StandingWatch>();
  private readonly stop: readonly (() => void)[];
  private nextId = 1;

  constructor(transport: OctopusTransport) {
    this.transport = transport;
    this.stop = [
      transport.onNotification((notification) => this.listeners.get(notification.id)?.(notification)),
      transport.onReset(() => this.onReset()),
    ];
  }

  /** The first matching record in natural order of names; undefined if there is none. */
  async get(query: string): Promise<OctopusRecord | undefined> {
    const reply = await this.ask({ type: 'get', query }, 'NO_RECORD');
    return reply === undefined ? undefined : recordOf(reply);
  }

  /** Names of all matching records in natural order. */
  async getNames(query: string, options: { readonly sequence?: boolean } = {}): Promise<readonly string[]> {
    const reply = await this.ask({ type: 'get_names', query, ...options }, 'NO_RECORD');
    return reply?.names ?? [];
  }

  async exists(query: string): Promise<boolean> {
    return (await this.ask({ type: 'exists', query }, 'NO_RECORD')) !== undefined;
  }

  /**
   * Sets a record, replacing all its attributes; throws an `OctopusError` if that is refused. Resolves with the record
   * and its name.
   */
  async set(record: string, options: SetOptions = {}): Promise<OctopusRecord> {
    return recordOf(await this.demand({ type: 'set', record, ...options }));
  }

  /** Takes one from a semaphore for good; undefined if there is none now. */
  async take(name: string): Promise<OctopusRecord | undefined> {
    const reply = await this.ask({ type: 'take', name }, 'NO_RECORD');
    return reply === undefined ? undefined : recordOf(reply);
  }

  /** Sets a record if its constraints hold for the stored one; false if they do not. */
  async compareAndSet(record: string, options: SetOptions = {}): Promise<boolean> {
    return (await this.ask({ type: 'set', record, ...options }, 'CONSTRAINT_MISMATCH')) !== undefined;
  }

  /** Deletes a record; false if it was not there. Throws CONSTRAINT_MISMATCH if it is not as the query demands. */
  async delete(query: string, options: DeleteOptions = {}): Promise<boolean> {
    return (await this.ask({ type: 'del', query, ...options }, 'NO_RECORD')) !== undefined;
  }

  /** Waits until a record matches. Rejects with the signal's reason when that aborts. */
  async waitFor(query: string, signal?: CancelSignal): Promise<OctopusRecord> {
    signal?.throwIfAborted();
    return unlessAborted(this.whenThere(query, signal), signal, () => undefined);
  }

  private async whenThere(query: string, signal: CancelSignal | undefined): Promise<OctopusRecord> {
    for (;;) {
      signal?.throwIfAborted();
      const armed = await this.arm({ type: 'get', query }, 'NO_RECORD', TRIGGER.ON_SET);
      if (armed.reply.ok) return recordOf(armed.reply);
      if (armed.reply.error !== 'NO_RECORD') throw new OctopusError(armed.reply.error, armed.reply.detail);
      const notification = await aborting(armed, signal);
      if (notification?.error !== undefined) throw new OctopusError(notification.error, query);
      if (typeof notification?.record === 'string') return toRecord(notification.record);
    }
  }

  /**
   * Makes a query and, in the same step, installs a one-shot trigger if the query's result is `inCase`. The recipes for
   * locks, barriers and semaphores are loops around this.
   */
  async arm(query: QueryRequest, inCase: 'OK' | OctopusErrorName, mode: number): Promise<ArmedQuery> {
    const id = this.nextId++;
    let wake: (notification: OctopusNotification | undefined) => void = () => undefined;
    const woken = new Promise<OctopusNotification | undefined>((resolve) => {
      wake = (notification) => {
        this.listeners.delete(id);
        resolve(notification);
      };
    });
    this.listeners.set(id, wake);
    const reply = await this.transport.request({ ...query, trigger: { id, inCase, mode } }).catch((error: unknown) => {
      wake(undefined);
      throw error;
    });
    if (!reply.installed) wake(undefined);
    const cancel = async (): Promise<void> => {
      if (!this.listeners.has(id)) return;
      wake(undefined);
      await this.transport.request({ type: 'remove_trigger', id });
    };
    return { reply, woken, cancel };
  }

  /**
   * Reports every change of matching records until the returned function is called. After a restart of the service the
   * watch is reinstalled; what is there then counts as set.
   */
  async watch(query: string, listener: (event: OctopusEvent) => void): Promise<Standing> {
    const mode = TRIGGER.ON_SET | TRIGGER.ON_DEL | TRIGGER.PERSIST | TRIGGER.ALWAYS;
    const id = this.nextId++;
    return this.stand(id, { type: 'get', query, trigger: { id, inCase: 'OK', mode } }, listener, () => {
      return this.transport.request({ type: 'remove_trigger', id });
    });
  }

  /** Reports every published record that matches, until the returned function is called. */
  async subscribe(query: string, listener: (event: OctopusEvent) => void): Promise<Standing> {
    const id = this.nextId++;
    return this.stand(id, { type: 'subscribe', query, id }, listener, () => {
      return this.transport.request({ type: 'unsubscribe', id });
    });
  }

  async publish(record: string): Promise<void> {
    await this.demand({ type: 'publish', record });
  }

  /**
   * Called when the session is over: locks, permits and other transient records now belong to others. Returns the
   * function that ends this.
   */
  onSessionLost(listener: (text: string) => void): () => void {
    return this.transport.onSessionLost?.(listener) ?? (() => undefined);
  }

  /** Stops listening; the service forgets the client when its connection ends. */
  close(): void {
    for (const stop of this.stop) stop();
  }

  private async stand(
    id: number,
    request: OctopusRequest,
    listener: (event: OctopusEvent) => void,
    remove: () => Promise<OctopusReply>,
  ): Promise<Standing> {
    const standing = new StandingWatch(request, listener, remove);
    let wasReset = false;
    this.listeners.set(id, (notification) => {
      if (notification === undefined) wasReset = true;
      else if (notification.error !== undefined) this.lose(id, standing, notification.error);
      else standing.tell(eventOf(notification));
    });
    const reply = await this.transport.request(request);
    if (!reply.ok && !reply.installed) {
      this.listeners.delete(id);
      throw new OctopusError(reply.error, reply.detail);
    }
    if (this.listeners.has(id)) this.standing.set(id, standing); // unless it was lost in the turn of the reply
    // The reply may be older than the reset, and the watch forgotten.
    if (wasReset && this.standing.has(id)) this.reinstall(id, standing);
    const end = async (): Promise<void> => {
      if (!this.standing.delete(id)) return;
      await standing.remove();
      this.listeners.delete(id);
    };
    return Object.assign(end, { lost: standing.lost });
  }

  private lose(id: number, standing: StandingWatch, cause: string): void {
    this.standing.delete(id);
    this.listeners.delete(id);
    standing.lose(cause);
  }

  /** One-shot waiters look again; standing watches are reinstalled. */
  private onReset(): void {
    for (const [id, wake] of [...this.listeners]) if (!this.standing.has(id)) wake(undefined);
    for (const [id, standing] of this.standing) this.reinstall(id, standing);
  }

  private reinstall(id: number, standing: StandingWatch): void {
    this.restore(id, standing).catch((error: Error) => {
      this.lose(id, standing, error.message);
      inVain(standing.remove()); // it may be installed, though not all that it watches could be read
    });
  }

  private async restore(id: number, standing: StandingWatch): Promise<void> {
    const { request, listener } = standing;
    const reply = await this.transport.request(request);
    if (!reply.installed && !(reply.ok && request.type === 'subscribe')) {
      if (!reply.ok && reply.error === 'TRIGGER_EXISTS') return; // two restarts in a row: it was already repeated
      throw new Error(reply.ok ? 'it was not installed' : reply.error);
    }
    listener({ kind: 'resumed', record: undefined });
    if (request.type !== 'get') return;
    const changed = standing.noteChanges();
    for await (const name of this.everyName(request.query)) {
      const record = await this.get(quotedName(name));
      if (!this.standing.has(id)) return;
      if (record !== undefined && !changed.has(name)) listener({ kind: 'set', record });
    }
    standing.changes.delete(changed);
  }

  /** However many there are: page by page, each as of its request. */
  private async *everyName(query: string): AsyncGenerator<string, void> {
    for (let after: string | undefined = ''; after !== undefined;) {
      const reply = await this.ask({ type: 'get_names', query, after }, 'NO_RECORD');
      const names: readonly string[] = reply?.names ?? [];
      yield* names;
      after = reply?.more === true ? names.at(-1) : undefined;
    }
  }

  private async demand(request: OctopusRequest): Promise<Extract<OctopusReply, { ok: true }>> {
    const reply = await this.transport.request(request);
    if (!reply.ok) throw new OctopusError(reply.error, reply.detail);
    return reply;
  }

  /** Undefined for the error that is an answer; throws any other. */
  private async ask(
    request: OctopusRequest,
    answer: OctopusErrorName,
  ): Promise<Extract<OctopusReply, { ok: true }> | undefined> {
    const reply = await this.transport.request(request);
    if (reply.ok) return reply;
    if (reply.error === answer) return undefined;
    throw new OctopusError(reply.error, reply.detail);
  }
}

export { quotedName };

/** A watch that a restart must reinstall. */
class StandingWatch {
  readonly lost: Promise<never>;
  /** For each rereading of its records under way: the names reported as changed since it began. */
  readonly changes = new Set<Set<string>>();
  private reject: (error: OctopusError) => void = () => undefined;

  constructor(
    readonly request: OctopusRequest,
    readonly listener: (event: OctopusEvent) => void,
    readonly remove: () => Promise<OctopusReply>,
  ) {
    this.lost = new Promise<never>((_, reject) => (this.reject = reject));
    this.lost.catch(() => undefined); // whoever does not listen learns it from the event
  }

  /** Collects the names reported from now on: what a rereading finds of them may be older, and arrives later. */
  noteChanges(): Set<string> {
    const names = new Set<string>();
    this.changes.add(names);
    return names;
  }

  tell(event: OctopusEvent): void {
    if (event.record !== undefined) for (const names of this.changes) names.add(event.record.name);
    this.listener(event);
  }

  lose(cause: string): void {
    const query = 'query' in this.request ? this.request.query : '';
    this.reject(new OctopusError('WATCH_LOST', `changes of ${query} are no longer reported: ${cause}`));
    this.listener({ kind: 'lost', record: undefined });
  }
}

function eventOf({ mode, record }: OctopusNotification): OctopusEvent {
  const read = record === null ? undefined : toRecord(record);
  if (read === undefined) return { kind: 'removed', record: undefined };
  if ((mode & TRIGGER.PUBLISH) !== 0) return { kind: 'published', record: read };
  return { kind: (mode & TRIGGER.ON_DEL) !== 0 ? 'deleted' : 'set', record: read };
}

function recordOf(reply: Extract<OctopusReply, { ok: true }>): OctopusRecord {
  return toRecord(reply.record ?? '_');
}

function toRecord(text: string): OctopusRecord {
  const { name, attributes } = parseRecord(text);
  return { name: name.kind === 'is' ? name.name : '', attributes: Object.fromEntries(attributes), text };
}
