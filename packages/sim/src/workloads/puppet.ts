import { known } from '@mk/monitor-proto/assert';
import type { Upcall } from '@mk/libmk/dispatcher/protocol';
import type { CoreId, DomainId } from '@mk/monitor-proto/ids';
import type { Prng } from '@mk/monitor-proto/prng';

/** How a puppet makes a system call of its domain. */
export type MakeCall = (
  name: string,
  args: readonly unknown[],
  then: (error: string | null, value: unknown) => void,
) => void;
/** Reports what a puppet finds wrong. */
export type Complain = (invariant: string, text: string) => void;

interface Channel {
  readonly id: number;
  readonly window: number;
  /** Bytes that may be sent. */
  credit: number;
  /** Bytes that came and were not taken. */
  untaken: number;
  closed: boolean;
}

const NAMES = 6;
const WAYS = [undefined, undefined, undefined, 'urpc', 'multihop', 'lmp'] as const;

/**
 * A program that does at random what programs do with channels: offers and withdraws names, binds, sends with and
 * without capabilities as its credit allows, takes what came sooner or later, closes. It keeps its own books, and
 * complains when the kernel deviates from them.
 */
export class Puppet {
  readonly channels = new Map<number, Channel>();
  /** Addresses of its cspace that hold something of its own: slots 0 and 1 are the domain's. */
  readonly held = new Set<number>();
  private readonly ports = new Set<number>();
  private pendingBinds = 0;
  readonly counts = { bound: 0, refused: 0, sent: 0, received: 0, capabilities: 0, closed: 0 };
  retired = false;

  constructor(
    readonly core: CoreId,
    readonly domain: DomainId,
    private readonly prng: Prng,
    private readonly call: MakeCall,
    private readonly complain: Complain,
    /** Whether its capabilities stay: a crashed core takes with it what it owned. */
    private readonly sound: boolean,
  ) {}

  /** How many answers are outstanding. */
  get waiting(): number {
    return this.pendingBinds;
  }

  /** One random action. */
  act(): void {
    const roll = this.prng.nextInt(100);
    if (roll < 12) this.offer();
    else if (roll < 15) this.withdraw();
    else if (roll < 32) this.bind();
    else if (roll < 70) this.send();
    else if (roll < 90) this.take();
    else if (roll < 95) this.make();
    else this.close();
  }

  /** Stops: takes what came, closes, withdraws. */
  retire(): void {
    this.retired = true;
    for (const port of this.ports) this.call('channel_withdraw', [port], () => undefined);
    this.ports.clear();
    for (const channel of this.channels.values())
      this.call('channel_close', [channel.id, 'CHANNEL_CLOSED'], () => undefined);
    this.channels.clear();
  }

  /** Takes everything that came, so that all credit flows back. */
  takeAll(): void {
    for (const channel of this.channels.values()) this.takeFrom(channel, channel.untaken);
  }

  /** Upcalls for a channel that arrive before the answer to its bind, which takes the longer way in this harness. */
  private early: Upcall[] = [];

  upcall(upcall: Upcall): void {
    if (this.pendingBinds > 0 && this.isUnknown(upcall)) return void this.early.push(upcall);
    this.told(upcall);
  }

  private isUnknown(upcall: Upcall): boolean {
    if (!('channel' in upcall)) return false;
    const { channel } = upcall;
    return !this.channels.has(channel) && !this.closedIds.has(channel) && !this.ports.has(channel);
  }

  private replay(): void {
    const { early } = this;
    this.early = [];
    for (const upcall of early) this.upcall(upcall);
  }

  private told(upcall: Upcall): void {
    if (upcall.type === 'message') this.message(upcall.channel, upcall.words, upcall.data, upcall.capabilities);
    else if (upcall.type === 'credit') this.credited(upcall.channel, upcall.bytes);
    else if (upcall.type === 'closed') this.wasClosed(upcall.channel);
  }

  private message(id: number, words: readonly number[], data: Uint8Array, capabilities: readonly number[]): void {
    if (this.ports.has(id) || words.length === 4) {
      const [channel = 0, , , window = 0] = words;
      if (!this.retired) this.add(channel, window);
      return;
    }
    for (const address of capabilities) {
      if (this.sound && this.held.has(address))
        this.complain('K5', `a capability came to address ${address}, which is held`);
      this.held.add(address);
      this.counts.capabilities += 1;
    }
    const channel = this.channels.get(id);
    if (channel === undefined) return void (this.retired || this.unknown(id, 'a message'));
    if (channel.closed) this.complain('K6', `channel ${id} gave a message after it was closed`);
    channel.untaken += data.length;
    this.counts.received += 1;
    if (channel.untaken > channel.window)
      this.complain('K2', `${channel.untaken} bytes on a window of ${channel.window}`);
  }

  private credited(id: number, bytes: number): void {
    const channel = this.channels.get(id);
    if (channel === undefined) return;
    channel.credit += bytes;
    if (channel.credit > channel.window) this.complain('K2', `credit of ${channel.credit} on ${channel.window}`);
  }

  private wasClosed(id: number): void {
    const channel = this.channels.get(id);
    if (channel === undefined) return void (this.retired || this.unknown(id, 'an end'));
    if (channel.closed) this.complain('K6', `channel ${id} was closed twice`);
    channel.closed = true;
    this.channels.delete(id);
    this.closedIds.add(id);
    this.counts.closed += 1;
  }

  private readonly closedIds = new Set<number>();
  private unknown(id: number, what: string): void {
    if (!this.closedIds.has(id)) this.complain('K6', `${what} came for channel ${id}, which it does not have`);
  }

  private offer(): void {
    const name = `service-${this.prng.nextInt(NAMES)}`;
    const scope = this.prng.nextInt(4) === 0 ? 'core' : 'machine';
    this.call('channel_export', [name, 'toy/1', scope], (error, port) => {
      if (error !== null) return;
      if (this.retired) this.call('channel_withdraw', [Number(port)], () => undefined);
      else this.ports.add(Number(port));
    });
  }

  private withdraw(): void {
    const [port] = this.ports;
    if (port === undefined) return;
    this.ports.delete(port);
    this.call('channel_withdraw', [port], () => undefined);
  }

  private bind(): void {
    if (this.channels.size > 12 || this.pendingBinds > 4) return;
    const transport = WAYS[this.prng.nextInt(WAYS.length)];
    this.pendingBinds += 1;
    const request = {
      name: `service-${this.prng.nextInt(NAMES)}`,
      interface: this.prng.nextInt(20) === 0 ? 'toy/2' : 'toy/1',
      wait: this.prng.nextInt(3) > 0,
      window: 1024 << this.prng.nextInt(4),
      timeout: 1_000_000 * (1 + this.prng.nextInt(3_000)),
      ...(transport !== undefined && { transport }),
    };
    this.call('channel_bind', [request], (error, value) => {
      this.pendingBinds -= 1;
      if (error !== null) {
        this.counts.refused += 1;
        return this.replay();
      }
      const { channel, window } = value as { channel: number; window: number };
      this.counts.bound += 1;
      if (this.retired) this.call('channel_close', [channel, 'CHANNEL_CLOSED'], () => undefined);
      else this.add(channel, window);
      this.replay();
    });
  }

  private add(id: number, window: number): void {
    if (this.closedIds.has(id)) return;
    if (this.channels.has(id)) return this.complain('K1', `channel ${id} was made twice`);
    this.channels.set(id, { id, window, credit: window, untaken: 0, closed: false });
  }

  private send(): void {
    const channel = this.any();
    if (channel === undefined || channel.credit === 0) return;
    const data = new Uint8Array(1 + this.prng.nextInt(Math.min(channel.credit, 700)));
    for (let i = 0; i < data.length; i += 1) data[i] = this.prng.nextInt(256);
    const capabilities = this.prng.nextInt(4) === 0 ? this.some() : [];
    const give = capabilities.map(() => this.prng.nextInt(2));
    channel.credit -= data.length;
    // What is given away is no longer its own; a failed send leaves it in place.
    for (const [i, address] of capabilities.entries()) if (give[i] === 1) this.held.delete(address);
    this.call('channel_send', [channel.id, data, capabilities, give], (error) => {
      if (error === null) {
        this.counts.sent += 1;
        return;
      }
      channel.credit += data.length;
      for (const address of capabilities) this.doubtful.add(address);
    });
  }

  /** Capabilities of failed sends, which may or may not have gone. */
  readonly doubtful = new Set<number>();

  private take(): void {
    const channel = this.any();
    if (channel !== undefined) this.takeFrom(channel, Math.ceil(channel.untaken * this.prng.nextFloat()));
  }

  private takeFrom(channel: Channel, bytes: number): void {
    if (bytes === 0) return;
    channel.untaken -= bytes;
    this.call('channel_taken', [channel.id, bytes], (error) => {
      if (error !== null) this.complain('K2', `taking ${bytes} bytes of channel ${channel.id}: ${error}`);
    });
  }

  private make(): void {
    if (this.held.size > 30) return;
    const free = 20 + this.prng.nextInt(200);
    if (this.held.has(free) || this.doubtful.has(free)) return;
    const offset = 4096 * this.prng.nextInt(64);
    const invocation = {
      operation: 'retype',
      source: { address: 1 },
      destination: { address: free },
      type: 'Frame',
      offset,
      objectSize: 4096,
      count: 1,
    };
    this.call('invoke', [invocation], (error) => {
      if (error === null) this.held.add(free);
    });
  }

  private close(): void {
    if (this.prng.nextInt(3) > 0) return;
    const channel = this.any();
    if (channel === undefined) return;
    this.channels.delete(channel.id);
    this.closedIds.add(channel.id);
    this.call('channel_close', [channel.id, 'CHANNEL_CLOSED'], () => undefined);
  }

  private any(): Channel | undefined {
    const all = [...this.channels.values()];
    return all[this.prng.nextInt(Math.max(1, all.length))];
  }

  private some(): readonly number[] {
    const all = [...this.held].filter((address) => !this.doubtful.has(address));
    if (all.length === 0) return [];
    const first = known(all[this.prng.nextInt(all.length)]);
    const second = known(all[this.prng.nextInt(all.length)]);
    return first === second ? [first] : [first, second];
  }
}
