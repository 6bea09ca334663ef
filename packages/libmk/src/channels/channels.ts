import type { CallAnswer } from '../dispatcher/call-answers.ts';

import type { CoreId } from '@mk/monitor-proto/ids';
import type { PlainValue } from '../dispatcher/plain-value.ts';
import type { Interface } from '../interface/interface.ts';
import { EventQueue } from '../runtime/event-queue.ts';
import { formatLine } from '../runtime/format.ts';
import { MkError } from '../runtime/mk-error.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { mayBegin, timeLeft, waitFor, type WaitOptions, type Waker } from '../runtime/waiting.ts';
import { ChannelEnd, dropCapabilities, type ChannelFacts, type TransportName, TRANSPORTS } from './channel-end.ts';

/** How to bind, and how long to wait for the name: by default until it is offered. */
export interface BindOptions extends WaitOptions {
  /** Use only this transport. By default: same-core LMP, then URPC over the direct link, then other cores between. */
  readonly transport?: TransportName;
  /** The cores between, in order: use only this multi-hop route. */
  readonly via?: readonly number[];
  /** Bytes that may be under way before the receiver takes some; 1 KiB … 1 MiB. */
  readonly windowBytes?: number;
  /** Rejects with NO_SUCH_SERVICE at once if nobody offers the name. */
  readonly now?: boolean;
}

/** How to offer a service. */
export interface ExportOptions extends WaitOptions {
  /** `core`: only programs of this core find it, without the knowledge base. */
  readonly scope?: 'machine' | 'core';
}

interface Port {
  readonly accepted: EventQueue<ChannelEnd>;
  readonly name: string;
}

/** This dispatcher's ends of channels, and the names that it offers. */
export class Channels {
  private readonly ends = new Map<number, ChannelEnd>();
  private readonly ports = new Map<number, Port>();
  /** Binds and exports not yet answered. */
  private pending = 0;
  /** Upcalls about channels that pending binds and exports may create. */
  private early: (() => void)[] = [];

  constructor(private readonly runtime: Runtime) {
    runtime.beforeTurnEnds(() => {
      for (const end of this.ends.values()) end.turnEnds();
    });
    runtime.leavers.push(() => this.leftovers());
  }

  /** Open ends. */
  get size(): number {
    return this.ends.size;
  }

  /** A channel to whoever offers the name with this interface. */
  async bind(name: string, { fingerprint }: Interface, options: BindOptions): Promise<ChannelEnd> {
    const { transport, via, windowBytes, now = false } = options;
    const asked: Record<string, PlainValue> = { name, interface: fingerprint, wait: !now };
    if (transport !== undefined) asked['transport'] = transport;
    if (via !== undefined) asked['via'] = via;
    if (windowBytes !== undefined) asked['window'] = windowBytes;
    const timeout = timeLeft(this.runtime, options);
    if (timeout !== undefined) asked['timeout'] = timeout;
    const { channel, way, core, window } = await this.making(
      'channel_bind',
      [asked],
      `a channel to ${formatLine([name])}`,
      options,
      (made) => this.runtime.calls.tell('channel_close', [made.channel, 'CHANNEL_CLOSED']),
    );
    const end = this.add(factsOf(channel, way, core, window), `the channel to ${name} on core ${core}`);
    this.replay();
    return end;
  }

  /** Offers a name; passes connections to `accepted`. Returns the function that withdraws it. */
  async offer(name: string, { fingerprint }: Interface, options: ExportOptions): Promise<OfferedName> {
    const scope = options.scope ?? 'machine';
    const port = await this.making(
      'channel_export',
      [name, fingerprint, scope],
      `the offer of ${formatLine([name])}`,
      options,
      (unwanted) => this.runtime.calls.tell('channel_withdraw', [unwanted]),
    );
    const accepted = new EventQueue<ChannelEnd>(this.runtime, `connections to ${name}`);
    this.ports.set(port, { accepted, name });
    this.replay();
    const withdraw = async (): Promise<void> => {
      if (!this.ports.delete(port)) return;
      accepted.end(new MkError('CHANNEL_CLOSED', `${name} is no longer offered`));
      await this.runtime.calls.ask('channel_withdraw', [port]);
    };
    return { accepted, withdraw };
  }

  // Events from the kernel.

  message(id: number, words: readonly number[], data: Uint8Array, capabilities: readonly number[]): void {
    const end = this.ends.get(id);
    if (end !== undefined) return end.arrived(data, capabilities);
    const port = this.ports.get(id);
    if (port === undefined) return this.unknown(() => this.message(id, words, data, capabilities), capabilities);
    const [channel = 0, core = 0, way = 0, window = 0] = words;
    port.accepted.push(this.add(factsOf(channel, way, core, window), `a channel to ${port.name} from core ${core}`));
  }

  credited(id: number, bytes: number): void {
    const end = this.ends.get(id);
    if (end === undefined) this.unknown(() => this.credited(id, bytes), []);
    else end.credited(bytes);
  }

  closed(id: number, error: string): void {
    const end = this.ends.get(id);
    if (end === undefined) this.unknown(() => this.closed(id, error), []);
    else end.ended(error);
  }

  /** Requests a channel or a port; upcalls about it in the answer's own batch wait until it is known here. */
  private async making<N extends 'channel_bind' | 'channel_export'>(
    call: N,
    args: readonly PlainValue[],
    what: string,
    options: WaitOptions,
    giveBack: (value: CallAnswer<N>) => void,
  ): Promise<CallAnswer<N>> {
    const { runtime } = this;
    mayBegin(runtime, what, options);
    const answered = (): void => {
      this.pending -= 1;
      if (this.pending === 0) this.replay();
    };
    return waitFor<CallAnswer<N>>(runtime, what, options, (waker) => {
      this.pending += 1;
      // The waiter continues in its turn; only then do its upcalls run.
      const then = (take: (value: CallAnswer<N>) => void): Waker<CallAnswer<N>> => ({
        wake: (value) => {
          take(value);
          runtime.whenRested(answered);
        },
        fail: (error) => {
          waker.fail(error);
          answered();
        },
      });
      const id = runtime.calls.begin(
        call,
        args,
        then((value) => waker.wake(value)),
      );
      return () => runtime.calls.giveUp(id, () => then(giveBack));
    });
  }

  /**
   * An upcall about a channel that is not known yet waits; one about a channel that was closed here is dropped, and its
   * capabilities are deleted.
   */
  private unknown(again: () => void, capabilities: readonly number[]): void {
    if (this.pending > 0) {
      this.early.push(again);
      return;
    }
    dropCapabilities(this.runtime, capabilities);
  }

  private replay(): void {
    const { early } = this;
    this.early = [];
    for (const again of early) again();
  }

  private add(facts: ChannelFacts, label: string): ChannelEnd {
    const end = new ChannelEnd(this.runtime, facts, label, (ended) => void this.ends.delete(ended.facts.id));
    this.ends.set(facts.id, end);
    return end;
  }

  private leftovers(): readonly string[] {
    const open = [...this.ends.values()].map(({ label }) => `${label} is open`);
    return [...open, ...[...this.ports.values()].map(({ name }) => `${name} is offered`)];
  }
}

/** A name that this dispatcher offers. */
export interface OfferedName {
  readonly accepted: EventQueue<ChannelEnd>;
  withdraw(): Promise<void>;
}

function factsOf(id: number, way: number, core: CoreId, windowBytes: number): ChannelFacts {
  return { id, transport: TRANSPORTS[way] ?? 'urpc', core, windowBytes };
}
