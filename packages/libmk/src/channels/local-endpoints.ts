import { EventQueue } from '../runtime/event-queue.ts';
import { isMkError } from '../runtime/mk-error.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type WaitOptions, waitFor, type Waker } from '../runtime/waiting.ts';

/** A same-core message: up to ten words, and a capability beside them. */
export interface WordMessage {
  readonly words: readonly number[];
  /** Address of the accompanying capability; null without one. */
  readonly capability: number | null;
}

/** An endpoint of this dispatcher. */
export interface LocalEndpoint {
  /** Address of its EndPointLMP capability: copies sent to other programs of this core let them send here. */
  readonly capability: number;
  /** Messages in order; taking one makes room for the next. */
  readonly messages: EventQueue<WordMessage>;
}

/**
 * `mk.endpoints`: same-core messages without a channel; Barrelfish builds its channels within a core (LMP, LRPC) from
 * these. Any holder of a copy of an endpoint's capability with WRITE may send. A full endpoint refuses:
 * ENDPOINT_OVERFLOW.
 */
export class LocalEndpoints {
  private readonly byId = new Map<number, { readonly queue: EventQueue<WordMessage>; taken: number }>();
  private readonly blocked = new Map<number, Set<Waker<void>>>();
  private nextNumber = 1;

  constructor(private readonly runtime: Runtime) {
    runtime.beforeTurnEnds(() => this.flush());
  }

  /**
   * Address of this dispatcher's own Dispatcher capability. Deleting the last copy of it takes all endpoints with it.
   */
  async self(): Promise<number> {
    return this.runtime.calls.ask('dispatcher_self', []);
  }

  /**
   * Makes an endpoint out of the Dispatcher capability.
   *
   * @example
   * const endpoint = await mk.endpoints.create();
   * const { words } = await endpoint.messages.receive();
   */
  async create(): Promise<LocalEndpoint> {
    const { endpoint, address } = await this.runtime.calls.ask('endpoint_create', [this.nextNumber++]);
    const entry = {
      queue: new EventQueue<WordMessage>(this.runtime, `messages of endpoint ${address}`, () => {
        entry.taken += 1;
      }),
      taken: 0,
    };
    this.byId.set(endpoint, entry);
    return { capability: address, messages: entry.queue };
  }

  /**
   * Sends words, and a copy of a capability, to an endpoint by its capability. `busy: 'wait'` waits for room; otherwise
   * a full endpoint is ENDPOINT_OVERFLOW at once. NO_SUCH_ENDPOINT: its dispatcher is gone; MISSING_RIGHT: the
   * capability lacks write.
   */
  async send(
    endpoint: number,
    words: readonly number[],
    options: { readonly capability?: number; readonly busy?: 'wait' | 'fail' } & WaitOptions = {},
  ): Promise<void> {
    const { capability, busy = 'fail', ...waiting } = options;
    for (;;) {
      try {
        await this.runtime.calls.ask(
          'endpoint_send',
          capability === undefined ? [endpoint, words] : [endpoint, words, capability],
          waiting,
        );
        return;
      } catch (error) {
        if (busy === 'fail' || !isMkError(error, 'ENDPOINT_OVERFLOW')) throw error;
        await this.room(endpoint, waiting);
      }
    }
  }

  /** Sends at most four words and hands the core to the receiver when this turn ends. */
  async lrpc(endpoint: number, words: readonly number[], options: WaitOptions = {}): Promise<void> {
    await this.runtime.calls.ask('lrpc', [endpoint, words], options);
  }

  // Events from the kernel.

  message(id: number, words: readonly number[], capabilities: readonly number[]): boolean {
    const entry = this.byId.get(id);
    entry?.queue.push({ words, capability: capabilities[0] ?? null });
    return entry !== undefined;
  }

  writable(endpoint: number): void {
    const waiting = this.blocked.get(endpoint);
    this.blocked.delete(endpoint);
    for (const waker of waiting ?? []) waker.wake();
  }

  private room(endpoint: number, options: WaitOptions): Promise<void> {
    return waitFor<void>(this.runtime, `room in endpoint ${endpoint}`, options, (waker) => {
      const waiting = this.blocked.get(endpoint) ?? new Set();
      this.blocked.set(endpoint, waiting);
      waiting.add(waker);
      return () => void waiting.delete(waker);
    });
  }

  private flush(): void {
    for (const [id, entry] of this.byId) {
      if (entry.taken > 0) this.runtime.calls.tell('endpoint_taken', [id, entry.taken]);
      entry.taken = 0;
    }
  }
}
