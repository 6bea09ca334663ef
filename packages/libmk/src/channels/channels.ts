import type { PlainValue } from '../dispatcher/plain-value.ts';
import type { Interface } from '../interface/interface.ts';
import { EventQueue } from '../runtime/event-queue.ts';
import { MkError } from '../runtime/mk-error.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { WaitOptions } from '../runtime/waiting.ts';
import { ChannelEnd, type ChannelFacts, type TransportName, TRANSPORTS } from './channel-end.ts';

/** How to bind, beside how long to wait for the name: by default until it is offered. */
export interface BindOptions extends WaitOptions {
  /** Only this way; else same-core LMP, URPC over the direct link, and other cores between are tried in that order. */
  readonly transport?: TransportName;
  /** The cores between, in order: multi-hop along this way and no other. */
  readonly via?: readonly number[];
  /** Bytes that may be under way before the receiver has taken some; 1 KiB … 1 MiB. */
  readonly windowBytes?: number;
  /** NO_SUCH_SERVICE at once if nobody offers the name. */
  readonly now?: boolean;
}

/** How to offer a service. */
export interface ExportOptions extends WaitOptions {
  /** `core`: only programs of this core find it, and the knowledge base is not asked. */
  readonly scope?: 'machine' | 'core';
}

interface Port {
  readonly accepted: EventQueue<ChannelEnd>;
  readonly name: string;
}

/** All ends of channels of this dispatcher, and the names that it offers. */
export class Channels {
  private readonly ends = new Map<number, ChannelEnd>();
  private readonly ports = new Map<number, Port>();

  constructor(private readonly runtime: Runtime) {
    runtime.beforeTurnEnds(() => {
      for (const end of this.ends.values()) end.flush();
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
    const call = this.runtime.calls.ask('channel_bind', [asked], options);
    const { channel, way, core, window } = (await call) as Readonly<Record<string, number>>;
    const facts = factsOf(channel!, way!, core!, window!);
    return this.add(facts, `the channel to ${name} on core ${core}`);
  }

  /** Offers a name; connections come to `accepted`. Returns what withdraws it. */
  async offer(name: string, { fingerprint }: Interface, options: ExportOptions): Promise<OfferedName> {
    const scope = options.scope ?? 'machine';
    const port = (await this.runtime.calls.ask('channel_export', [name, fingerprint, scope], options)) as number;
    const accepted = new EventQueue<ChannelEnd>(this.runtime, `connections to ${name}`);
    this.ports.set(port, { accepted, name });
    const withdraw = async (): Promise<void> => {
      if (!this.ports.delete(port)) return;
      accepted.end(new MkError('CHANNEL_CLOSED', `${name} is no longer offered`));
      await this.runtime.calls.ask('channel_withdraw', [port]);
    };
    return { accepted, withdraw };
  }

  /** Whether an upcall is for a channel or port of ours; then it has been handled. */
  message(id: number, words: readonly number[], data: Uint8Array, capabilities: readonly number[]): boolean {
    const end = this.ends.get(id);
    if (end !== undefined) {
      end.arrived(data, capabilities);
      return true;
    }
    const port = this.ports.get(id);
    if (port === undefined) return this.tooLate(capabilities);
    const [channel, core, way, window] = words as [number, number, number, number];
    port.accepted.push(this.add(factsOf(channel, way, core, window), `a channel to ${port.name} from core ${core}`));
    return true;
  }

  /** What comes for a channel that was closed here is dropped, and its capabilities deleted. */
  private tooLate(capabilities: readonly number[]): boolean {
    for (const address of capabilities)
      this.runtime.calls.tell('invoke', [{ operation: 'delete', target: { address } }]);
    return capabilities.length > 0;
  }

  credited(id: number, bytes: number): void {
    this.ends.get(id)?.credited(bytes);
  }

  closed(id: number, error: string): boolean {
    const end = this.ends.get(id);
    end?.ended(error);
    const port = this.ports.get(id);
    if (port !== undefined) {
      this.ports.delete(id);
      port.accepted.end(new MkError(error, `${port.name} is no longer offered`));
    }
    return end !== undefined || port !== undefined;
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

function factsOf(id: number, way: number, core: number, windowBytes: number): ChannelFacts {
  return { id, transport: TRANSPORTS[way] ?? 'urpc', core, windowBytes };
}
