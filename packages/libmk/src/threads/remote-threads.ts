import { known } from '@mk/monitor-proto/assert';
import type { CoreId } from '@mk/monitor-proto/ids';
import type { PlainValue } from '../dispatcher/plain-value.ts';
import { EventQueue } from '../runtime/event-queue.ts';
import { isMkError, MkError } from '../runtime/mk-error.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { errorOf, framesOf } from '../runtime/thrown-value.ts';
import { type WaitOptions, waitFor, type Waker } from '../runtime/waiting.ts';

/** Names a thread to every dispatcher of its domain: a plain value that can be sent anywhere. */
export interface ThreadHandle {
  /** The core that began it. */
  readonly origin: number;
  readonly id: number;
}

/** Returned by a thread's function to continue on another core. */
export class Migration {
  constructor(
    readonly core: CoreId,
    readonly entry: string,
    readonly state: PlainValue,
  ) {}
}

/** The function of a named thread, by whose type `spawnOn` knows the thread's state and result. */
export type ThreadFunction = (mk: never, state: never) => unknown;
/** A thread of which only the name is known. */
export type AnyThread = (mk: never, state: PlainValue) => PlainValue;
export type StateOf<F extends ThreadFunction> = Parameters<F>[1];
export type ResultOf<F extends ThreadFunction> = Exclude<Awaited<ReturnType<F>>, Migration | void>;

/** Runs a named thread function of the program. Rejects with NO_SUCH_THREAD for an unknown name. */
export type RunEntry = (entry: string, state: PlainValue) => Promise<PlainValue | Migration>;

type End = { readonly ok: true; readonly value: PlainValue } | { readonly ok: false; readonly error: Error };

/** How a thread ended, in the form that crosses: an error by its name, text and the places of its stack trace. */
type ToldEnd = {
  readonly ok: boolean;
  readonly value: PlainValue;
  readonly error: string;
  readonly text: string;
  readonly trace: string;
};

/** Messages between a domain's dispatchers about threads. */
type Note =
  | {
      readonly t: 'begin';
      readonly origin: number;
      readonly id: number;
      readonly entry: string;
      readonly state: PlainValue;
    }
  | { readonly t: 'moved'; readonly id: number; readonly core: CoreId }
  | (ToldEnd & { readonly t: 'ended'; readonly id: number })
  | { readonly t: 'detach'; readonly origin: number; readonly id: number }
  | { readonly t: 'join'; readonly id: number; readonly from: number; readonly ticket: number }
  /** Nobody waits for that join any more. */
  | { readonly t: 'leave'; readonly id: number; readonly ticket: number }
  | (ToldEnd & { readonly t: 'joined'; readonly ticket: number });

/** A thread that began here, wherever it is now. */
class Begun {
  end: End | null = null;
  detached = false;
  claimed = false;
  /** Others may know its handle, and join it. */
  named = false;
  readonly joiners = new Set<Waker<PlainValue>>();
  private readonly elsewhere: { readonly core: CoreId; readonly ticket: number; readonly waker: Waker<PlainValue> }[] =
    [];

  constructor(
    readonly id: number,
    /** Where it runs, as far as is known here. */
    public core: CoreId,
    readonly entry: string,
  ) {}

  /** Another core's dispatcher waits for its end. */
  joinFrom(core: CoreId, ticket: number, waker: Waker<PlainValue>): void {
    this.elsewhere.push({ core, ticket, waker });
    this.joiners.add(waker);
  }

  /** It has given up, or is gone (no ticket: all that it waited for). */
  leave(core: CoreId, ticket?: number): void {
    for (let i = this.elsewhere.length - 1; i >= 0; i -= 1) {
      const one = known(this.elsewhere[i]);
      if (one.core !== core || (ticket !== undefined && one.ticket !== ticket)) continue;
      this.elsewhere.splice(i, 1);
      this.joiners.delete(one.waker);
    }
  }
}

/** A thread of this domain on another core, or one that can go there. */
export class RemoteThread<T = PlainValue> {
  constructor(
    private readonly threads: RemoteThreads,
    private readonly begun: Begun,
  ) {}

  /** Its name among the domain's dispatchers. */
  get handle(): ThreadHandle {
    this.begun.named = true;
    return { origin: this.threads.core, id: this.begun.id };
  }

  /** Its core, as far as is known here. */
  get core(): number {
    return this.begun.core;
  }

  /** Waits for it to end: resolves with what it returned, or rejects with what it threw, or why its core is gone. */
  join(options: WaitOptions = {}): Promise<T> {
    if (this.begun.detached)
      return Promise.reject(new MkError('THREAD_DETACHED', `thread ${this.begun.entry} was detached`));
    return this.threads.waitForEnd(this.begun, options) as Promise<T>; // typed by its spawner
  }

  /** Detaches it: its result is dropped, and an error ends the program. */
  detach(): void {
    this.threads.detach(this.begun);
  }
}

/**
 * Threads on the other dispatchers of this domain. A thread is a function that the program names (`threads` of
 * `program`), and a state that is a plain value: nothing else goes along. It moves by returning `mk.moveTo(core, name,
 * state)`.
 *
 *   RM1  a thread runs on one core at a time, from its beginning to its end, over all its moves
 *   RM2  its end is told once, to everybody who joins, from any core of the domain
 *   RM3  it ends with its dispatcher, with the error that ended that
 */
export class RemoteThreads {
  readonly joined: EventQueue<number>;
  private readonly begun = new Map<number, Begun>();
  private readonly tickets = new Map<number, { readonly origin: CoreId; readonly waker: Waker<PlainValue> }>();
  /** Cores whose dispatcher of this domain is no more, and why. */
  private readonly gone = new Map<CoreId, MkError>();
  private readonly lines = new Map<number, Promise<void>>();
  private nextId = 1;
  private nextTicket = 1;
  core = -1;

  constructor(
    private readonly runtime: Runtime,
    private readonly run: RunEntry,
  ) {
    this.joined = new EventQueue(runtime, 'cores that the domain spans');
    runtime.on('span_joined', ({ core }) => {
      this.gone.delete(core);
      this.joined.push(core);
    });
    runtime.on('span_message', ({ core, data }) => this.told(core, data as Note));
    runtime.on('span_left', ({ core, error }) => this.left(core, error));
    runtime.leavers.push(() => this.leftovers());
  }

  /** Begins a named thread on a core that the domain spans, this one included. */
  spawn<T = PlainValue>(core: CoreId, entry: string, state: PlainValue): RemoteThread<T> {
    const begun = new Begun(this.nextId++, core, entry);
    this.begun.set(begun.id, begun);
    this.begin(core, this.core, begun.id, entry, state);
    return new RemoteThread<T>(this, begun);
  }

  /** Joins a thread that another dispatcher of the domain began. */
  join({ origin, id }: ThreadHandle, options: WaitOptions = {}): Promise<PlainValue> {
    if (origin === this.core) {
      const begun = this.begun.get(id);
      if (begun === undefined) return Promise.reject(new MkError('NO_SUCH_THREAD', 'it was joined before'));
      return this.waitForEnd(begun, options);
    }
    return waitFor<PlainValue>(this.runtime, `the end of a thread of core ${origin}`, options, (waker) => {
      const gone = this.gone.get(origin);
      if (gone !== undefined) {
        waker.fail(gone);
        return () => undefined;
      }
      const ticket = this.nextTicket++;
      this.tickets.set(ticket, { origin, waker });
      this.send(origin, { t: 'join', id, from: this.core, ticket });
      return () => {
        if (this.tickets.delete(ticket)) this.send(origin, { t: 'leave', id, ticket });
      };
    });
  }

  waitForEnd(begun: Begun, options: WaitOptions): Promise<PlainValue> {
    return waitFor<PlainValue>(this.runtime, `the end of thread ${begun.entry}`, options, (waker) => {
      if (begun.end !== null) this.tell(begun, waker);
      else begun.joiners.add(waker);
      return () => void begun.joiners.delete(waker);
    });
  }

  detach(begun: Begun): void {
    if (begun.detached) throw new MkError('THREAD_DETACHED', `thread ${begun.entry} was detached before`);
    begun.detached = true;
    if (begun.end !== null) this.settle(begun);
  }

  private begin(core: CoreId, origin: number, id: number, entry: string, state: PlainValue): void {
    if (core === this.core) this.runHere(origin, id, entry, state);
    else this.send(core, { t: 'begin', origin, id, entry, state });
  }

  /** Runs a thread on this core until it ends or moves (RM1). */
  private runHere(origin: number, id: number, entry: string, state: PlainValue): void {
    const name = `${entry} (${origin}.${id})`;
    const thread = this.runtime.threads.spawn(name, async () => {
      try {
        const result = await this.run(entry, state);
        if (!(result instanceof Migration)) return this.report(origin, id, { ok: true, value: result });
        this.inform(origin, { t: 'moved', id, core: result.core });
        this.begin(result.core, origin, id, result.entry, result.state);
      } catch (thrown) {
        this.report(origin, id, { ok: false, error: errorOf(thrown) });
      }
    });
    thread.detach();
  }

  private report(origin: number, id: number, end: End): void {
    if (origin === this.core) return this.ended(id, end);
    this.send(origin, { t: 'ended', id, ...toldOf(end) });
  }

  private inform(origin: number, note: Extract<Note, { t: 'moved' }>): void {
    if (origin === this.core) this.moved(note);
    else this.send(origin, note);
  }

  private moved({ id, core }: Extract<Note, { t: 'moved' }>): void {
    const begun = this.begun.get(id);
    if (begun === undefined) return;
    begun.core = core;
    const gone = this.gone.get(core);
    if (gone !== undefined) this.ended(id, { ok: false, error: gone });
  }

  private told(from: number, note: Note): void {
    if (note.t === 'begin') this.runHere(note.origin, note.id, note.entry, note.state);
    else if (note.t === 'moved') this.moved(note);
    else if (note.t === 'ended') this.ended(note.id, endOf(note));
    else if (note.t === 'join') this.joinedFrom(from, note);
    else if (note.t === 'leave') this.begun.get(note.id)?.leave(from, note.ticket);
    else if (note.t === 'joined') this.answered(note);
  }

  private ended(id: number, end: End): void {
    const begun = this.begun.get(id);
    if (begun === undefined || begun.end !== null) return;
    begun.end = end;
    const joiners = [...begun.joiners];
    begun.joiners.clear();
    for (const joiner of joiners) this.tell(begun, joiner);
    if (begun.detached) this.settle(begun);
  }

  private tell(begun: Begun, waker: Waker<PlainValue>): void {
    begun.claimed = true;
    const end = known(begun.end);
    if (end.ok) waker.wake(end.value);
    else waker.fail(end.error);
    // Others may still join it: the result of a thread with a handle stays until the program ends.
    if (!begun.named) this.begun.delete(begun.id);
  }

  private settle(begun: Begun): void {
    const { end } = begun;
    this.begun.delete(begun.id);
    if (end?.ok === false && !begun.claimed)
      this.runtime.failed({ id: 0, name: begun.entry, resting: true }, end.error);
  }

  private joinedFrom(from: number, { id, ticket }: Extract<Note, { t: 'join' }>): void {
    const answer = (end: End): void => this.send(from, { t: 'joined', ticket, ...toldOf(end) });
    const begun = this.begun.get(id);
    if (begun === undefined)
      return answer({ ok: false, error: new MkError('NO_SUCH_THREAD', 'it was detached, or never was') });
    if (begun.end !== null) {
      begun.claimed = true;
      return answer(begun.end);
    }
    begun.joinFrom(from, ticket, {
      wake: (value) => answer({ ok: true, value }),
      fail: (error) => answer({ ok: false, error: errorOf(error) }),
    });
  }

  private answered({ ticket, ...note }: Extract<Note, { t: 'joined' }>): void {
    const waker = this.tickets.get(ticket)?.waker;
    this.tickets.delete(ticket);
    const end = endOf(note);
    if (end.ok) waker?.wake(end.value);
    else waker?.fail(end.error);
  }

  /** RM3. */
  private left(core: CoreId, name: string): void {
    const isUnspanned = name === NOBODY;
    const text = isUnspanned
      ? `the domain has no dispatcher on core ${core}`
      : `the domain’s dispatcher on core ${core} has ended`;
    const error = new MkError(name, text);
    // Nobody was there when something was sent: the domain may be spanned to that core since.
    if (!isUnspanned) this.gone.set(core, error);
    for (const begun of [...this.begun.values()]) {
      begun.leave(core);
      if (begun.core === core && begun.end === null) this.ended(begun.id, { ok: false, error });
    }
    for (const [ticket, { origin, waker }] of [...this.tickets]) {
      if (origin !== core) continue;
      this.tickets.delete(ticket);
      waker.fail(error);
    }
    this.lines.delete(core);
  }

  /**
   * Sends messages to a core one after the other, retrying while its channel is full. `left` reports a dispatcher that
   * is gone.
   */
  private send(core: CoreId, note: Note): void {
    const before = this.lines.get(core) ?? Promise.resolve();
    const after = before.then(() => this.deliver(core, note));
    this.lines.set(core, after);
  }

  private async deliver(core: CoreId, note: Note): Promise<void> {
    for (let pauseNs = 100_000; ; pauseNs = Math.min(2 * pauseNs, 10_000_000)) {
      try {
        await this.runtime.calls.ask('span_send', [core, note]);
        return;
      } catch (error) {
        if (!isMkError(error, 'BUSY')) return this.undeliverable(core, note, error);
      }
      await this.runtime.threads.sleep(pauseNs);
    }
  }

  /** A thread that could not be started has ended; a result that cannot cross becomes an error. */
  private undeliverable(core: CoreId, note: Note, error: unknown): void {
    const failure = isMkError(error) ? error : new MkError('PEER_GONE', `core ${core} cannot be told`);
    if (note.t === 'begin') return this.report(note.origin, note.id, { ok: false, error: failure });
    if (note.t === 'join')
      return this.answered({ t: 'joined', ticket: note.ticket, ...toldOf({ ok: false, error: failure }) });
    if ((note.t === 'ended' || note.t === 'joined') && note.ok && failure.name === 'BAD_SYSTEM_CALL')
      this.send(core, {
        ...note,
        ok: false,
        value: null,
        error: 'BAD_REQUEST',
        text: `what the thread returned: ${failure.text}`,
      });
  }

  private leftovers(): readonly string[] {
    return [...this.begun.values()]
      .filter((begun) => !begun.claimed)
      .map(({ entry, end }) => `thread ${entry} ${end === null ? 'has not ended' : 'was not joined'}`);
  }
}

/** The error by which a dispatcher hears that nobody got what it sent to a core. */
const NOBODY = 'NO_SUCH_DOMAIN';
/** Characters of a stack trace that cross. */
const TRACE_CHARACTERS = 2000;

function toldOf(end: End): ToldEnd {
  if (end.ok) return { ok: true, value: end.value, error: '', text: '', trace: '' };
  const { error } = end;
  const trace = framesOf(error.stack).join('\n').slice(0, TRACE_CHARACTERS);
  return { ok: false, value: null, error: error.name, text: isMkError(error) ? error.text : error.message, trace };
}

/** The error has the places where it was thrown, on the other core. */
function endOf({ ok, value, error: name, text, trace }: ToldEnd): End {
  if (ok) return { ok, value };
  const error = new MkError(name, text);
  if (trace !== '') error.stack = `${error.message}\n${trace}`;
  return { ok, error };
}
