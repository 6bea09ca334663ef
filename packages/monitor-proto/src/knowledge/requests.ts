import { limit } from '../limits.ts';
import type { Message } from '../messages/table.ts';
import type { OctopusNotification, OctopusReply, OctopusRequest } from '../octopus/requests.ts';
import { Assembler, type Piece, piecesOf } from './pieces.ts';
import { QueryError, type QueryErrorName, type QueryOptions, type QuerySink, type Solution } from './query.ts';

interface OpenQuery {
  readonly messages: readonly Message[];
  readonly sink: QuerySink;
  answered: boolean;
  cancelled: boolean;
}

interface OpenRequest {
  readonly message: (settled: number) => Message;
  readonly replied: (reply: OctopusReply) => void;
  readonly failed: (error: Error) => void;
  /** Whether the request changes records, so that repeating it would make a difference. */
  readonly changes: boolean;
}

/** Far above any answer: the SKB bounds them. */
const MOST_CHARS = 64 << 20;

/**
 * A client's unanswered requests, whatever the channel: queries, rules, requests to Octopus. Pure.
 *
 * Guarantees: every query ends once; every request is answered once or rejected by `fail`. After a restart of the SKB
 * (`restarted`) open requests are repeated under their old ids, by which the SKB recognises those it has performed;
 * queries are repeated unless a solution has already come.
 */
export class Requests {
  private readonly queries = new Map<number, OpenQuery>();
  private readonly requests = new Map<number, OpenRequest>();
  private readonly listeners = new Set<(notification: OctopusNotification) => void>();
  private readonly resets = new Set<() => void>();
  private readonly losses = new Set<(text: string) => void>();
  private texts = new Assembler(MOST_CHARS);
  private nextId = 1;
  private failure: Error | null = null;

  constructor(private readonly send: (message: Message) => void) {}

  /** The number of unanswered requests and queries. */
  get size(): number {
    return this.requests.size + this.queries.size;
  }

  /** Starts a query; returns a function that cancels it. */
  run(goal: string, options: QueryOptions, sink: QuerySink): () => void {
    const id = this.nextId++;
    const { timeLimitMs = 0, inferenceLimit = 0, maxSolutions = 0 } = options;
    const message: Message = {
      type: 'skb_query',
      id,
      goal,
      time_limit_ms: wireCount(timeLimitMs),
      inference_limit: Math.max(0, Math.min(inferenceLimit, Number.MAX_SAFE_INTEGER)) || 0,
      max_solutions: wireCount(maxSolutions),
    };
    if (goal.length > MOST_GOAL_CHARS)
      sink.end({ more: false, error: new QueryError('QueryTooLong', `a goal may have ${MOST_GOAL_CHARS} characters`) });
    else this.open(id, [message], sink);
    return () => {
      const query = this.queries.get(id);
      if (query === undefined) return;
      query.cancelled = true;
      this.send({ type: 'skb_cancel', id });
    };
  }

  /** Replaces the rules of that name; an empty program removes them. */
  rules(name: string, text: string, sink: QuerySink): void {
    const id = this.nextId++;
    this.open(
      id,
      piecesOf(text).map((piece) => ({ type: 'skb_rules', id, name, ...piece })),
      sink,
    );
  }

  /** Makes one request to Octopus; calls `replied` or `failed`, once. */
  ask(request: OctopusRequest, replied: OpenRequest['replied'], failed: OpenRequest['failed']): void {
    if (this.failure !== null) return failed(this.failure);
    const id = this.nextId++;
    const text = jsonOf(request);
    if (text === null || Buffer.byteLength(text) > limit('maxStringBytes')) return replied(TOO_LONG);
    const message = (settled: number): Message => ({ type: 'oct_request', id, settled, request: text });
    const changes =
      request.type === 'set' || request.type === 'del' || request.type === 'take' || request.type === 'publish';
    this.requests.set(id, { message, replied, failed, changes });
    this.send(message(this.settled()));
  }

  onNotification(listener: (notification: OctopusNotification) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /**
   * Calls back when the session with the SKB is over: the client's transient records are gone, or must be assumed gone.
   */
  onSessionLost(listener: (text: string) => void): () => void {
    this.losses.add(listener);
    return () => void this.losses.delete(listener);
  }

  /** The session is over. */
  sessionLost(text: string): void {
    this.texts.forget('n'); // its last piece may never come
    for (const listener of [...this.losses]) listener(text);
  }

  /** The SKB has forgotten this client's requests and the answers it kept, so changes are not requested again. */
  abandonChanges(text: string): void {
    for (const [id, { changes, replied }] of [...this.requests]) {
      if (!changes) continue;
      this.requests.delete(id);
      replied({ ok: false, error: 'SESSION_LOST', detail: text, installed: false });
    }
  }

  onReset(listener: () => void): () => void {
    this.resets.add(listener);
    return () => void this.resets.delete(listener);
  }

  /** Handles a message from the SKB. */
  receive(message: Message): void {
    if (message.type === 'skb_solutions') this.solutions(message.id, message);
    else if (message.type === 'skb_query_end') this.ended(message);
    else if (message.type === 'oct_reply') this.replied(message.id, message);
    else if (message.type === 'oct_notify') this.notified(message);
  }

  /** Repeats open requests: the SKB no longer knows this client, because it `dropped` it or has restarted. */
  restarted(dropped = false): void {
    const lost = dropped
      ? new QueryError('SessionLost', 'the SKB dropped this client while it answered')
      : new QueryError('EngineRestarted', 'the SKB was restarted while it answered');
    this.texts = new Assembler(MOST_CHARS);
    for (const [id, query] of [...this.queries]) {
      if (query.cancelled) this.finish(id, false, new QueryError('QueryCancelled', 'nobody waits for it'));
      else if (!query.answered) for (const message of query.messages) this.send(message);
      else this.finish(id, false, lost);
    }
    const settled = this.settled();
    for (const { message } of this.requests.values()) this.send(message(settled));
    this.forgotten();
  }

  /** Announces that the SKB no longer knows this client's triggers and subscriptions. */
  forgotten(): void {
    for (const listener of [...this.resets]) listener();
  }

  /** Fails everything open, and every later request. */
  fail(error: Error): void {
    this.failure ??= error;
    for (const id of [...this.queries.keys()]) this.finish(id, false, new QueryError('EngineClosed', error.message));
    for (const { failed } of this.requests.values()) failed(error);
    this.requests.clear();
  }

  private open(id: number, messages: readonly Message[], sink: QuerySink): void {
    if (this.failure !== null)
      return sink.end({ more: false, error: new QueryError('EngineClosed', this.failure.message) });
    this.queries.set(id, { messages, sink, answered: false, cancelled: false });
    for (const message of messages) this.send(message);
  }

  /** Ids rise and a Map keeps insertion order: the first open one is the lowest. */
  private settled(): number {
    for (const id of this.requests.keys()) return id;
    return this.nextId;
  }

  private solutions(id: number, piece: Piece): void {
    const query = this.queries.get(id);
    if (query === undefined) return;
    query.answered = true;
    const text = this.texts.add(`q ${id}`, piece);
    if (text !== undefined) query.sink.solutions(JSON.parse(text) as Solution[]);
  }

  private ended({ id, more, error, text, line, column }: Extract<Message, { type: 'skb_query_end' }>): void {
    if (error === '') return this.finish(id, more);
    // The text already contains the position.
    const failure = new QueryError(
      error as QueryErrorName,
      text.replace(/ at line \d+, column \d+$/, ''),
      line === 0 ? undefined : { line, column },
    );
    this.finish(id, more, failure);
  }

  private finish(id: number, more: boolean, error?: QueryError): void {
    const query = this.queries.get(id);
    this.texts.forget(`q ${id}`);
    this.queries.delete(id);
    query?.sink.end(error === undefined ? { more } : { more, error });
  }

  private replied(id: number, piece: Piece): void {
    const text = this.texts.add(`r ${id}`, piece);
    const open = this.requests.get(id);
    if (text === undefined || open === undefined) return;
    this.requests.delete(id);
    open.replied(JSON.parse(text) as OctopusReply);
  }

  private notified(piece: Piece): void {
    const text = this.texts.add('n', piece);
    if (text === undefined) return;
    const notification = JSON.parse(text) as OctopusNotification;
    for (const listener of [...this.listeners]) listener(notification);
  }
}

/** The longest goal that fits one message. */
const MOST_GOAL_CHARS = 65_536;
const TOO_LONG: OctopusReply = {
  ok: false,
  error: 'BAD_REQUEST',
  detail: `a request may have ${limit('maxStringBytes')} bytes as JSON`,
  installed: false,
};

/** The request as JSON; null when it is nested deeper than the stack allows. */
function jsonOf(request: OctopusRequest): string | null {
  try {
    return JSON.stringify(request);
  } catch {
    return null;
  }
}

/** A limit as the message carries it: 0 when none was given; unlimited beyond 32 bits. */
function wireCount(value: number): number {
  return Math.max(0, Math.min(Math.ceil(value), 2 ** 32 - 1)) || 0;
}
