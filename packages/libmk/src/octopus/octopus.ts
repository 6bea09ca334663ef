/**
 * Records, triggers and publish/subscribe as a program uses them.
 *
 * Guarantees: nothing that happens between a query and the wait for its change is missed, also when the service
 * restarts in between: whoever waits is woken then and looks again. Source: Barrelfish `lib/octopus`.
 */
import type {
  OctopusErrorName,
  OctopusNotification,
  OctopusReply,
  OctopusRequest,
} from '@mk/monitor-proto/octopus/requests';
import { TRIGGER } from '@mk/monitor-proto/octopus/requests';
import { parseRecord } from '@mk/monitor-proto/octopus/record';
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
}

/** A change that a watch tells of; `removed` is the last one. */
export interface OctopusEvent {
  readonly kind: 'set' | 'deleted' | 'published' | 'removed';
  readonly record: OctopusRecord | undefined;
}

/** A wait that was installed with its query: what the query said, and when to look again. */
export interface ArmedQuery {
  readonly reply: OctopusReply;
  /** Resolves at the trigger's notification, or undefined after a reset or `cancel`. */
  readonly woken: Promise<OctopusNotification | undefined>;
  cancel(): Promise<void>;
}

type QueryRequest = Extract<OctopusRequest, { type: 'get' | 'get_names' | 'exists' | 'set' | 'del' }>;

export class Octopus {
  readonly #transport: OctopusTransport;
  readonly #listeners = new Map<number, (notification: OctopusNotification | undefined) => void>();
  /** What a restart must install anew, by trigger id. */
  readonly #standing = new Map<number, OctopusRequest>();
  readonly #stop: readonly (() => void)[];
  #nextId = 1;

  constructor(transport: OctopusTransport) {
    this.#transport = transport;
    this.#stop = [
      transport.onNotification((notification) => this.#listeners.get(notification.id)?.(notification)),
      transport.onReset(() => this.#onReset()),
    ];
  }

  /** The first matching record in natural order of names; undefined if there is none. */
  async get(query: string): Promise<OctopusRecord | undefined> {
    const reply = await this.#ask({ type: 'get', query }, 'NO_RECORD');
    return reply === undefined ? undefined : recordOf(reply);
  }

  /** Names of all matching records in natural order. */
  async getNames(query: string): Promise<readonly string[]> {
    const reply = await this.#ask({ type: 'get_names', query }, 'NO_RECORD');
    return reply?.names ?? [];
  }

  async exists(query: string): Promise<boolean> {
    return (await this.#ask({ type: 'exists', query }, 'NO_RECORD')) !== undefined;
  }

  /** Sets a record, replacing all its attributes; throws an `OctopusError` if it may not. Returns it with its name. */
  async set(record: string, options: SetOptions = {}): Promise<OctopusRecord> {
    return recordOf(await this.#demand({ type: 'set', record, ...options }));
  }

  /** Sets a record if the constraints in it hold for what is there; false if they do not. */
  async compareAndSet(record: string, options: SetOptions = {}): Promise<boolean> {
    return (await this.#ask({ type: 'set', record, ...options }, 'CONSTRAINT_MISMATCH')) !== undefined;
  }

  /** Deletes a record; false if it was not there. Throws CONSTRAINT_MISMATCH if it is not as the query demands. */
  async delete(query: string): Promise<boolean> {
    return (await this.#ask({ type: 'del', query }, 'NO_RECORD')) !== undefined;
  }

  /** Waits until a record matches. Rejects with the signal's reason when that aborts. */
  async waitFor(query: string, signal?: AbortSignal): Promise<OctopusRecord> {
    for (;;) {
      signal?.throwIfAborted();
      const armed = await this.arm({ type: 'get', query }, 'NO_RECORD', TRIGGER.ON_SET);
      if (armed.reply.ok) return recordOf(armed.reply);
      if (armed.reply.error !== 'NO_RECORD') throw new OctopusError(armed.reply.error, armed.reply.detail);
      const notification = await aborting(armed, signal);
      if (typeof notification?.record === 'string') return toRecord(notification.record);
    }
  }

  /**
   * Makes a query and, in the same step, a one-shot trigger if the query's result is `inCase`. The recipes for locks,
   * barriers and semaphores are loops around this.
   */
  async arm(query: QueryRequest, inCase: 'OK' | OctopusErrorName, mode: number): Promise<ArmedQuery> {
    const id = this.#nextId++;
    let wake: (notification: OctopusNotification | undefined) => void = () => undefined;
    const woken = new Promise<OctopusNotification | undefined>((resolve) => {
      wake = (notification) => {
        this.#listeners.delete(id);
        resolve(notification);
      };
    });
    this.#listeners.set(id, wake);
    const reply = await this.#transport.request({ ...query, trigger: { id, inCase, mode } });
    if (!reply.installed) wake(undefined);
    const cancel = async (): Promise<void> => {
      if (!this.#listeners.has(id)) return;
      wake(undefined);
      await this.#transport.request({ type: 'remove_trigger', id });
    };
    return { reply, woken, cancel };
  }

  /**
   * Tells every change of matching records until the returned function is called. After a restart of the service the
   * watch is installed anew; changes in between are told as they are found: what is there then counts as set.
   */
  async watch(query: string, listener: (event: OctopusEvent) => void): Promise<() => Promise<void>> {
    const mode = TRIGGER.ON_SET | TRIGGER.ON_DEL | TRIGGER.PERSIST | TRIGGER.ALWAYS;
    const id = this.#nextId++;
    return this.#stand(id, { type: 'get', query, trigger: { id, inCase: 'OK', mode } }, listener, () => {
      return this.#transport.request({ type: 'remove_trigger', id });
    });
  }

  /** Tells every published record that matches, until the returned function is called. */
  async subscribe(query: string, listener: (event: OctopusEvent) => void): Promise<() => Promise<void>> {
    const id = this.#nextId++;
    return this.#stand(id, { type: 'subscribe', query, id }, listener, () => {
      return this.#transport.request({ type: 'unsubscribe', id });
    });
  }

  async publish(record: string): Promise<void> {
    await this.#demand({ type: 'publish', record });
  }

  /** Stops listening; the service forgets the client when its connection ends. */
  close(): void {
    for (const stop of this.#stop) stop();
  }

  async #stand(
    id: number,
    request: OctopusRequest,
    listener: (event: OctopusEvent) => void,
    remove: () => Promise<OctopusReply>,
  ): Promise<() => Promise<void>> {
    this.#listeners.set(id, (notification) => {
      if (notification !== undefined) listener(eventOf(notification));
    });
    const reply = await this.#transport.request(request);
    if (!reply.ok && !reply.installed) {
      this.#listeners.delete(id);
      throw new OctopusError(reply.error, reply.detail);
    }
    this.#standing.set(id, request);
    return async () => {
      this.#standing.delete(id);
      await remove();
      this.#listeners.delete(id);
    };
  }

  /** Who waits for one event looks again; standing watches are installed anew. */
  #onReset(): void {
    for (const [id, wake] of [...this.#listeners]) if (!this.#standing.has(id)) wake(undefined);
    for (const [id, request] of this.#standing) void this.#restore(id, request);
  }

  async #restore(id: number, request: OctopusRequest): Promise<void> {
    const reply = await this.#transport.request(request);
    const found =
      reply.ok && request.type === 'get'
        ? await this.#transport.request({ type: 'get_names', query: request.query })
        : reply;
    if (!found.ok) return;
    for (const name of found.names ?? []) {
      const record = await this.get(quotedName(name));
      if (record !== undefined) this.#listeners.get(id)?.({ id, mode: TRIGGER.ON_SET, record: record.text });
    }
  }

  async #demand(request: OctopusRequest): Promise<Extract<OctopusReply, { ok: true }>> {
    const reply = await this.#transport.request(request);
    if (!reply.ok) throw new OctopusError(reply.error, reply.detail);
    return reply;
  }

  /** Undefined for the error that is an answer; every other one throws. */
  async #ask(
    request: OctopusRequest,
    answer: OctopusErrorName,
  ): Promise<Extract<OctopusReply, { ok: true }> | undefined> {
    const reply = await this.#transport.request(request);
    if (reply.ok) return reply;
    if (reply.error === answer) return undefined;
    throw new OctopusError(reply.error, reply.detail);
  }
}

/** A name as it stands in a query for exactly that record. */
export function quotedName(name: string): string {
  return `'${name.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** A query for the sequential records of a name: `name_1`, `name_2`, … */
export function sequenceQuery(name: string): string {
  const escaped = name.replace(/[^A-Za-z0-9_]/g, (character) => `\\${character}`);
  return `r'^${escaped.replaceAll("'", "\\'")}_\\d+$'`;
}

/** Waits for the trigger; an abort removes it and rejects. */
export async function aborting(
  armed: ArmedQuery,
  signal: AbortSignal | undefined,
): Promise<OctopusNotification | undefined> {
  if (signal === undefined) return armed.woken;
  const onAbort = (): void => void armed.cancel();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal.aborted) await armed.cancel();
    const notification = await armed.woken;
    signal.throwIfAborted();
    return notification;
  } finally {
    signal.removeEventListener('abort', onAbort);
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
