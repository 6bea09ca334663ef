import type { OctopusReply } from '@mk/monitor-proto/octopus/requests';

/** An answer as it is kept: what a client's request with this id was answered. */
export interface KeptAnswer {
  readonly client: string;
  readonly id: number;
  readonly reply: OctopusReply;
}

/**
 * Answers to requests that changed something, until the client has settled them: a request that comes a second time, from a
 * client that does not know whether its first one was taken before a restart, is answered again and not performed again.
 */
export class Answers {
  private readonly clients = new Map<string, Map<number, OctopusReply>>();

  get(client: string, id: number): OctopusReply | undefined {
    return this.clients.get(client)?.get(id);
  }

  keep({ client, id, reply }: KeptAnswer): void {
    this.clients.set(client, (this.clients.get(client) ?? new Map<number, OctopusReply>()).set(id, reply));
  }

  /** Forgets what a client has settled: all ids below. True if there was something. */
  forget(client: string, below: number): boolean {
    const own = this.clients.get(client);
    if (own === undefined) return false;
    let any = false;
    for (const id of own.keys()) {
      if (id >= below) break;
      own.delete(id);
      any = true;
    }
    if (own.size === 0) this.clients.delete(client);
    return any;
  }

  /** Who has answers here. */
  names(): readonly string[] {
    return [...this.clients.keys()];
  }
}
