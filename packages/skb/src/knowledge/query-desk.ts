import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import { piecesOf } from '@mk/monitor-proto/knowledge/pieces';
import { QueryError, type QueryErrorName } from '@mk/monitor-proto/knowledge/query';
import { limit } from '@mk/monitor-proto/limits';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import { ENGINE_LIMITS } from '../engine/limits.ts';
import type { KnowledgeEvent, KnowledgeSink, QueryEnd } from './effects.ts';
import type { Mailbox } from './mailbox.ts';

interface Job {
  readonly peer: Peer;
  readonly id: number;
}

const NO_ENGINE = new QueryError('EngineClosed', 'this SKB runs without its Prolog engine');
const UNREAD = new QueryError('EngineBusy', 'the client does not take its answers');
const RULES_NAME = /^[\w][\w.-]{0,63}$/;

/** Queries and rules of clients: forwards them to the engine's host under its own numbers, and returns the answers. */
export class QueryDesk {
  /** Queries asked so far. */
  asked = 0;
  private readonly jobs = new Map<number, Job>();
  private readonly byClient = new Map<Peer, Map<number, number>>();
  /** Programs whose last piece is missing: one per client, which sends a program whole before the next. */
  private readonly programs = new Map<Peer, { readonly id: number; readonly text: string }>();
  private nextJob = 1;

  constructor(
    private readonly outbox: KnowledgeSink,
    private readonly mailbox: Mailbox,
    /** Whether a host with an engine performs our effects. */
    private readonly hasEngine: boolean,
  ) {}

  query(peer: Peer, message: MessageOf<'skb_query'>): void {
    this.asked += 1;
    const job = this.admit(peer, message.id);
    if (job === null) return;
    const { goal, time_limit_ms: timeLimitMs, inference_limit: inferenceLimit, max_solutions: maxSolutions } = message;
    const options = {
      ...(timeLimitMs > 0 ? { timeLimitMs } : {}),
      ...(inferenceLimit > 0 ? { inferenceLimit } : {}),
      ...(maxSolutions > 0 ? { maxSolutions } : {}),
    };
    this.outbox.push({ type: 'run_query', job, goal: withoutMark(goal), options });
  }

  refuse(peer: Peer, id: number, name: QueryErrorName, text: string): void {
    this.end(peer, id, { more: false, error: new QueryError(name, text) });
  }

  cancel(peer: Peer, id: number): void {
    const job = this.byClient.get(peer)?.get(id);
    if (job !== undefined) this.outbox.push({ type: 'cancel_query', job });
  }

  rules(peer: Peer, { id, name, more, text }: MessageOf<'skb_rules'>): void {
    if (!RULES_NAME.test(name))
      return this.end(peer, id, {
        more: false,
        error: new QueryError('QueryForbidden', 'rules are named by letters, digits, dots and dashes'),
      });
    const whole = this.assembled(peer, id, text, more);
    if (whole === null) return;
    if (whole.length > ENGINE_LIMITS.maxRulesChars)
      return this.end(peer, id, {
        more: false,
        error: new QueryError('QueryTooLong', `rules may have ${ENGINE_LIMITS.maxRulesChars} characters`),
      });
    const job = this.admit(peer, id);
    if (job !== null) this.outbox.push({ type: 'set_rules', job, name, text: withoutMark(whole) });
  }

  /** The whole program once its last piece is here, else null. Text beyond the bound is counted and dropped. */
  private assembled(peer: Peer, id: number, text: string, more: boolean): string | null {
    const held = this.programs.get(peer);
    const whole = held?.id === id ? held.text + text : text;
    this.programs.delete(peer);
    if (!more) return whole;
    this.programs.set(peer, { id, text: whole.slice(0, ENGINE_LIMITS.maxRulesChars + 1) });
    return null;
  }

  answered({ job, solutions, end }: Extract<KnowledgeEvent, { type: 'query_answered' }>): void {
    const asked = this.jobs.get(job);
    if (asked === undefined) return;
    const { peer, id } = asked;
    if (solutions.length > 0) {
      for (const { text, more } of piecesOf(JSON.stringify(solutions)))
        this.mailbox.send(peer, { type: 'skb_solutions', id, more, text });
    }
    if (end === null) return;
    this.jobs.delete(job);
    this.byClient.get(peer)?.delete(id);
    this.end(peer, id, end);
  }

  /** The client does not read: its queries end, and what waits of their solutions is taken back. */
  abandon(peer: Peer): void {
    const own = [...(this.byClient.get(peer) ?? [])];
    for (const [, job] of own) {
      this.jobs.delete(job);
      this.outbox.push({ type: 'cancel_query', job });
    }
    this.byClient.delete(peer);
    const ended = new Set(own.map(([id]) => id));
    this.mailbox.withdraw(peer, (message) => message.type === 'skb_solutions' && ended.has(message.id));
    for (const id of ended) this.end(peer, id, { more: false, error: UNREAD });
  }

  /** Nobody waits for this client's answers. */
  gone(peer: Peer): void {
    for (const job of this.byClient.get(peer)?.values() ?? []) {
      this.jobs.delete(job);
      this.outbox.push({ type: 'cancel_query', job });
    }
    this.byClient.delete(peer);
    this.programs.delete(peer);
  }

  private admit(peer: Peer, id: number): number | null {
    const own = this.byClient.get(peer) ?? new Map<number, number>();
    const refusal = this.mailbox.isLong(peer) ? UNREAD : this.refusalOf(own, id);
    if (refusal !== null) {
      this.end(peer, id, { more: false, error: refusal });
      return null;
    }
    const job = this.nextJob++;
    this.jobs.set(job, { peer, id });
    this.byClient.set(peer, own.set(id, job));
    return job;
  }

  private refusalOf(own: ReadonlyMap<number, number>, id: number): QueryError | null {
    if (!this.hasEngine) return NO_ENGINE;
    if (own.has(id)) return new QueryError('QueryForbidden', `the client has a query ${id} already`);
    return own.size < limit('clientQueries')
      ? null
      : new QueryError('EngineBusy', `the client has ${own.size} queries already`);
  }

  private end(peer: Peer, id: number, { more, error }: QueryEnd): void {
    const place = { line: error?.line ?? 0, column: error?.column ?? 0 };
    this.mailbox.send(peer, {
      type: 'skb_query_end',
      id,
      more,
      error: error?.name ?? '',
      text: (error?.message ?? '').slice(0, 4000),
      ...place,
    });
  }
}

/** Editors may put a byte order mark at the start of a file; Prolog takes it for the start of a term. */
function withoutMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}
