import type { OctopusReply } from '@mk/monitor-proto/octopus/requests';
import { OCTOPUS_LIMITS } from './limits.ts';

/** The kept answers to a client's requests of one step; `last` is the highest of their ids. */
export interface KeptAnswers {
  readonly client: string;
  readonly last: number;
  readonly replies: readonly (readonly [id: number, reply: OctopusReply])[];
}

interface OwnAnswers {
  readonly byId: Map<number, OctopusReply>;
  chars: number;
}

/**
 * Answers to requests that changed something, until the client settles them. A client that does not know whether its
 * request took effect before a restart repeats it: it gets the same answer, and nothing is performed twice.
 */
export class Answers {
  private readonly clients = new Map<string, OwnAnswers>();

  get(client: string, id: number): OctopusReply | undefined {
    return this.clients.get(client)?.byId.get(id);
  }

  /** The client has as many unsettled answers as it may. */
  isFull(client: string): boolean {
    const own = this.clients.get(client);
    if (own === undefined) return false;
    return own.byId.size >= OCTOPUS_LIMITS.maxUnsettled || own.chars >= OCTOPUS_LIMITS.maxUnsettledChars;
  }

  keep(client: string, id: number, reply: OctopusReply): void {
    const own = this.clients.get(client) ?? { byId: new Map<number, OctopusReply>(), chars: 0 };
    this.clients.set(client, own);
    own.byId.set(id, reply);
    own.chars += charsOf(reply);
  }

  /** Drops what a client has settled: all ids below. True if there was something. */
  forget(client: string, below: number): boolean {
    const own = this.clients.get(client);
    if (own === undefined) return false;
    let any = false;
    for (const [id, reply] of own.byId) {
      if (id >= below) break;
      own.byId.delete(id);
      own.chars -= charsOf(reply);
      any = true;
    }
    if (own.byId.size === 0) this.clients.delete(client);
    return any;
  }

  /** All answers, in the form that the journal keeps. */
  snapshot(): readonly KeptAnswers[] {
    return [...this.clients].map(([client, { byId }]) => {
      return { client, last: Math.max(...byId.keys()), replies: [...byId] };
    });
  }

  /** Clients with answers here. */
  names(): readonly string[] {
    return [...this.clients.keys()];
  }
}

function charsOf(reply: OctopusReply): number {
  return reply.ok ? (reply.record?.length ?? 0) : reply.detail.length;
}
