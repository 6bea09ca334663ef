import { known } from '@mk/monitor-proto/assert';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import type { OctopusRequest } from '@mk/monitor-proto/octopus/requests';
import { decodeOctopusRequest } from '../octopus/decode.ts';
import { OCTOPUS_LIMITS } from '../octopus/limits.ts';
import type { OctopusAnswer } from '../octopus/steps.ts';

export type OctopusMessage = MessageOf<'oct_request'>;

/** A request under way, perhaps over several turns. */
export interface Job {
  readonly message: OctopusMessage;
  readonly request: OctopusRequest;
  readonly work: Generator<void, OctopusAnswer>;
}

/** One client's requests, in order. */
export class Lane {
  job: Job | null = null;
  private waiting: OctopusMessage[] = [];
  private chars = 0;
  private head: OctopusRequest | undefined | null = null;

  constructor(readonly peer: Peer) {}

  get idle(): boolean {
    return this.job === null && this.waiting.length === 0;
  }

  /** False: too many are waiting. */
  add(message: OctopusMessage): boolean {
    const chars = this.chars + message.request.length;
    if (this.waiting.length >= OCTOPUS_LIMITS.maxWaiting || chars > OCTOPUS_LIMITS.maxWaitingChars) return false;
    this.chars = chars;
    this.waiting.push(message);
    return true;
  }

  /** The next request to start; undefined: there is none, or it is malformed. */
  next(): OctopusRequest | undefined {
    const first = this.waiting[0];
    if (this.head === null && first !== undefined) this.head = decodeOctopusRequest(first.request);
    return this.head ?? undefined;
  }

  take(): OctopusMessage {
    const message = known(this.waiting.shift());
    this.chars -= message.request.length;
    this.head = null;
    return message;
  }

  /** Abandons the running request, which has changed nothing, and all that wait; returns them. */
  end(): readonly OctopusMessage[] {
    const { job, waiting } = this;
    job?.work.return({ reply: { ok: true, installed: false }, changes: [] });
    this.job = null;
    this.waiting = [];
    this.head = null;
    return job === null ? waiting : [job.message, ...waiting];
  }
}

/** Clients with work, served in turn: one that asks a lot delays only itself. */
export class Lanes {
  private readonly byClient = new Map<string, Lane>();
  private readonly ready = new Set<Lane>();

  /** Whether one with work is like this. */
  some(isLike: (lane: Lane) => boolean): boolean {
    for (const lane of this.ready) if (isLike(lane)) return true;
    return false;
  }

  add(peer: Peer, message: OctopusMessage): boolean {
    let lane = this.byClient.get(peer.instance);
    if (lane === undefined || lane.peer !== peer) this.byClient.set(peer.instance, (lane = new Lane(peer)));
    if (!lane.add(message)) return false;
    this.ready.add(lane);
    return true;
  }

  /** The next lane that may proceed; it goes to the end of the queue. */
  take(may: (lane: Lane) => boolean): Lane | undefined {
    for (const lane of this.ready) {
      if (!may(lane)) continue;
      this.ready.delete(lane);
      return lane;
    }
    return undefined;
  }

  /** Returns a lane after its turn. */
  put(lane: Lane): void {
    if (!lane.idle) this.ready.add(lane);
    else if (this.byClient.get(lane.peer.instance) === lane) this.byClient.delete(lane.peer.instance);
  }

  /** The requests that a departed client leaves unperformed. */
  gone(client: string): readonly OctopusMessage[] {
    const lane = this.byClient.get(client);
    if (lane === undefined) return [];
    this.byClient.delete(client);
    this.ready.delete(lane);
    return lane.end();
  }
}
