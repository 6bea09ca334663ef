/**
 * Octopus and its clients in one process, over a network with seeded delays: requests and notifications of one client
 * stay in order, those of different clients do not.
 */
import type { OctopusNotification, OctopusReply, OctopusRequest } from '@mk/monitor-proto/octopus/requests';
import { Octopus } from '@mk/libmk/octopus/octopus';
import type { OctopusTransport } from '@mk/libmk/octopus/transport';
import type { AddressedNotification } from '@mk/skb/octopus/telling';
import type { OctopusChange } from '@mk/skb/octopus/change';
import { OctopusStore } from '@mk/skb/octopus/store';

type Message = () => void;

export class OctopusHarness {
  store = new OctopusStore();
  /** What a journal would hold. */
  readonly journal: OctopusChange[] = [];
  private readonly queues = new Map<string, Message[]>();
  private readonly listeners = new Map<string, Set<(notification: OctopusNotification) => void>>();
  private readonly resets = new Set<() => void>();
  private state: number;
  private running = false;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  client(name: string): Octopus {
    return new Octopus(this.transport(name));
  }

  transport(client: string): OctopusTransport {
    const listeners = new Set<(notification: OctopusNotification) => void>();
    this.listeners.set(client, listeners);
    return {
      request: (request) => this.request(client, request),
      onNotification: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      onReset: (listener) => {
        this.resets.add(listener);
        return () => void this.resets.delete(listener);
      },
    };
  }

  /** That client's core left the view. */
  ownerGone(client: string): void {
    const { notifications, changes } = this.store.ownerGone(`core-of-${client}`);
    this.store.clientGone(client);
    this.keep(changes, notifications);
  }

  /** The service restarts from its journal, with every trigger forgotten. */
  restart(): void {
    this.store = new OctopusStore();
    this.store.load(this.journal);
    for (const listener of [...this.resets]) this.send('reset', listener);
  }

  private request(client: string, request: OctopusRequest): Promise<OctopusReply> {
    return new Promise((resolve) => {
      this.send(`to ${client}`, () => {
        const { reply, notifications, changes } = this.store.step(request, { client, owner: `core-of-${client}` });
        this.keep(changes, notifications);
        this.send(`from ${client}`, () => resolve(reply));
      });
    });
  }

  private keep(changes: readonly OctopusChange[], notifications: readonly AddressedNotification[]): void {
    this.journal.push(...changes);
    for (const { client, notification } of notifications) {
      this.send(`from ${client}`, () => this.listeners.get(client)?.forEach((listener) => listener(notification)));
    }
  }

  private send(queue: string, message: Message): void {
    const waiting = this.queues.get(queue);
    if (waiting === undefined) this.queues.set(queue, [message]);
    else waiting.push(message);
    if (this.running) return;
    this.running = true;
    queueMicrotask(() => this.deliverOne());
  }

  /** Delivers one message of a random queue and the rest later, so that promises waiting for it run in between. */
  private deliverOne(): void {
    const names = [...this.queues.keys()];
    const name = names[this.below(names.length)];
    const queue = name === undefined ? undefined : this.queues.get(name);
    const message = queue?.shift();
    if (name !== undefined && queue?.length === 0) this.queues.delete(name);
    message?.();
    this.running = this.queues.size > 0;
    if (this.running) queueMicrotask(() => this.deliverOne());
  }

  private below(bound: number): number {
    this.state = (Math.imul(this.state ^ (this.state >>> 15), 0x85ebca6b) + 0x6d2b79f5) >>> 0;
    return (this.state >>> 8) % bound;
  }
}
