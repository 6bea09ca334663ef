import type { OctopusReply } from '@mk/monitor-proto/octopus/requests';

/** Answers as they are kept: what a client's requests of one step were answered; `last` is the highest of their ids. */
export interface KeptAnswers {
  readonly client: string;
  readonly last: number;
  readonly replies: readonly (readonly [id: number, reply: OctopusReply])[];
}

/**
 * Answers to requests that changed something, until the client has settled them: a request that comes a second time,
 * from a client that does not know whether its first one was taken before a restart, is answered again and not
 * performed again.
 */
export class Answers {
  private readonly clients = new Map<string, Map<number, OctopusReply>>();

  get(client: string, id: number): OctopusReply | undefined {
    return this.clients.get(client)?.get(id);
  }

  /** How many a client has not settled. */
  countOf(client: string): number {
    return this.clients.get(client)?.size ?? 0;
  }

  keep(client: string, id: number, reply: OctopusReply): void {
    const own = this.clients.get(client);
    if (own === undefined) this.clients.set(client, new Map([[id, reply]]));
    else own.set(id, reply);
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

  /** All of them, as they are kept. */
  snapshot(): readonly KeptAnswers[] {
    return [...this.clients].map(([client, own]) => ({ client, last: Math.max(...own.keys()), replies: [...own] }));
  }

  /** Who has answers here. */
  names(): readonly string[] {
    return [...this.clients.keys()];
  }
}
