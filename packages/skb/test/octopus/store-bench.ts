import type { OctopusReply, OctopusRequest } from '@mk/monitor-proto/octopus/requests';
import type { AddressedNotification } from '../../src/octopus/telling.ts';
import type { OctopusChange } from '../../src/octopus/change.ts';
import { OctopusStore } from '../../src/octopus/store.ts';

/** A store with one client; notifications are collected as `client id mode record`. */
export class Bench {
  readonly store = new OctopusStore();
  readonly changes: OctopusChange[] = [];
  heard: string[] = [];

  ask(request: OctopusRequest, client = 'c1'): OctopusReply {
    const { reply, notifications, changes } = this.store.step(request, { client, owner: `core-of-${client}` });
    this.take(notifications, changes);
    return reply;
  }

  take(notifications: readonly AddressedNotification[], changes: readonly OctopusChange[]): void {
    this.changes.push(...changes);
    for (const { client, notification } of notifications) {
      this.heard.push(`${client} ${notification.id} ${notification.mode} ${notification.record}`);
    }
  }

  set(record: string, more: Partial<Extract<OctopusRequest, { type: 'set' }>> = {}): string {
    return answer(this.ask({ type: 'set', record, ...more }));
  }

  get = (query: string): string => answer(this.ask({ type: 'get', query }));
  names = (query: string): string => answer(this.ask({ type: 'get_names', query }));
  del = (query: string): string => answer(this.ask({ type: 'del', query }));

  drain(): string[] {
    const heard = this.heard;
    this.heard = [];
    return heard;
  }
}

export function answer(reply: OctopusReply): string {
  if (!reply.ok) return reply.error;
  return reply.record ?? reply.names?.join(' ') ?? 'OK';
}
