import { QueryError, type QueryOptions, type Solution } from '@mk/monitor-proto/knowledge/query';
import type { OctopusNotification, OctopusReply, OctopusRequest } from '@mk/monitor-proto/octopus/requests';
import type { PlainValue } from '../dispatcher/plain-value.ts';
import type { UpcallOf } from '../dispatcher/protocol.ts';
import { type HeldLock, acquireLock } from '../octopus/lock.ts';
import { Octopus, type OctopusEvent, type OctopusRecord } from '../octopus/octopus.ts';
import type { OctopusTransport } from '../octopus/transport.ts';
import type { CancelSignal } from '../runtime/cancellation.ts';
import { EventQueue } from '../runtime/event-queue.ts';
import { MkError } from '../runtime/mk-error.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { bySignal, type WaitOptions } from '../runtime/waiting.ts';

/** Octopus through the dispatcher's CPU driver and its monitor. */
class OctopusByCalls implements OctopusTransport {
  private readonly listeners = new Set<(notification: OctopusNotification) => void>();
  private readonly resets = new Set<() => void>();
  private readonly losses = new Set<(text: string) => void>();

  constructor(private readonly runtime: Runtime) {
    runtime.on('octopus_event', ({ id, mode, record }: UpcallOf<'octopus_event'>) => {
      const notification = { id, mode, record: typeof record === 'string' ? record : null };
      for (const listener of [...this.listeners]) listener(notification);
    });
    runtime.on('octopus_session_lost', ({ text }) => {
      for (const lost of [...this.losses]) lost(text);
    });
    runtime.on('octopus_reset', () => {
      for (const reset of [...this.resets]) reset();
    });
  }

  async request(request: OctopusRequest): Promise<OctopusReply> {
    return this.runtime.calls.ask('octopus', [request as PlainValue]); // plain data, which the union's optional fields hide
  }

  onNotification(listener: (notification: OctopusNotification) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  onSessionLost(listener: (text: string) => void): () => void {
    this.losses.add(listener);
    return () => void this.losses.delete(listener);
  }

  onReset(listener: () => void): () => void {
    this.resets.add(listener);
    return () => void this.resets.delete(listener);
  }
}

/** `mk.skb`: queries to the knowledge base. */
export class KnowledgeBase {
  constructor(private readonly runtime: Runtime) {}

  /**
   * All solutions of a Prolog goal; rejects with a `QueryError`.
   *
   * @example
   * const { solutions } = await mk.skb.query('core(C, P)');
   * for (const { bindings } of solutions) mk.console.log(bindings.C);
   */
  async query(
    goal: string,
    options: QueryOptions & WaitOptions = {},
  ): Promise<{ readonly solutions: readonly Solution[]; readonly more: boolean }> {
    const { timeLimitMs = 0, maxSolutions = 0, inferenceLimit: _unused, ...waiting } = options;
    const asked = { goal, time_limit_ms: timeLimitMs, max_solutions: maxSolutions };
    const answer = await this.runtime.calls.ask('skb_query', [asked], waiting);
    if (answer.error !== null) throw new QueryError(answer.error.name, answer.error.text);
    return { solutions: answer.solutions, more: answer.more };
  }
}

/** `mk.octopus`: records, triggers, locks and publish/subscribe, shared by all programs of the machine. */
export class SharedRecords extends Octopus {
  private readonly runtime: Runtime;

  constructor(runtime: Runtime) {
    super(new OctopusByCalls(runtime));
    this.runtime = runtime;
  }

  /**
   * Waits for a lock that is handed on in the order it was asked for. It carries a fencing token that rises with every holder:
   * what the lock protects refuses a lower one. Whoever loses it is told, by `lost` and `signal`.
   *
   * @example
   * const lock = await mk.octopus.lock('leader');
   * await store.write({ token: lock.token, value });
   * await lock.release();
   */
  lock(name: string, options: WaitOptions = {}): Promise<HeldLock> {
    return bySignal(this.runtime, `the lock ${name}`, options, (signal) => acquireLock(this, name, signal));
  }

  /** Waits for a record that matches. Takes what every wait takes, or a signal alone. */
  override waitFor(query: string, options: CancelSignal | WaitOptions = {}): Promise<OctopusRecord> {
    const waiting = 'aborted' in options ? { signal: options } : options;
    return bySignal(this.runtime, `a record ${query}`, waiting, (signal) => super.waitFor(query, signal));
  }

  /**
   * Changes of matching records, as a source of events for a loop or a wait set.
   *
   * @example
   * const changes = await mk.octopus.changes("r'^job_'");
   * for await (const { kind, record } of changes.events) mk.console.log(kind, record?.name);
   */
  async changes(query: string): Promise<{ readonly events: EventQueue<OctopusEvent>; stop(): Promise<void> }> {
    const events = new EventQueue<OctopusEvent>(this.runtime, `changes of ${query}`);
    return this.told(events, await this.watch(query, (event) => events.push(event)));
  }

  /** Published records that match, as a source of events. */
  async subscription(query: string): Promise<{ readonly events: EventQueue<OctopusEvent>; stop(): Promise<void> }> {
    const events = new EventQueue<OctopusEvent>(this.runtime, `publications of ${query}`);
    return this.told(events, await this.subscribe(query, (event) => events.push(event)));
  }

  private told(events: EventQueue<OctopusEvent>, end: () => Promise<void>) {
    return {
      events,
      stop: async (): Promise<void> => {
        await end();
        events.end(new MkError('CANCELLED', `${events.label} are no longer wanted`));
      },
    };
  }
}
