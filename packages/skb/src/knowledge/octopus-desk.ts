import { known } from '@mk/monitor-proto/assert';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import { piecesOf } from '@mk/monitor-proto/knowledge/pieces';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import { Meter } from '@mk/monitor-proto/octopus/meter';
import type { OctopusErrorName, OctopusReply } from '@mk/monitor-proto/octopus/requests';
import type { JournalChange, JournalContents } from '../journal/changes.ts';
import { Answers } from '../octopus/answers.ts';
import { OCTOPUS_LIMITS } from '../octopus/limits.ts';
import type { StoredRecord } from '../octopus/record-table.ts';
import type { OctopusAnswer } from '../octopus/steps.ts';
import { changesSomething, OctopusStore } from '../octopus/store.ts';
import type { AddressedNotification } from '../octopus/telling.ts';
import type { KnowledgeSink } from './effects.ts';
import { type Job, type Lane, Lanes, type OctopusMessage } from './lanes.ts';
import type { Mailbox } from './mailbox.ts';

/*
 * Octopus for clients that hold links. Clients and owners are instances: a process keeps its name over resets of its
 * links and restarts of the SKB, and no later process gets it.
 *
 *   OD1  nothing leaves, neither a reply nor a notification nor the result of a read, before the changes that it rests
 *        on are on disk;
 *   OD2  a request that is repeated after a restart takes effect once: its answer is kept until the client settles it;
 *   OD3  requests of one client take effect in the order it made them;
 *   OD4  a turn takes at most twice its budget of steps; the rest continues in the next, clients by turns. A change
 *        waits until everybody was told of those before it.
 */
type Outgoing = MessageOf<'oct_reply'> | MessageOf<'oct_notify'>;

interface Held {
  readonly entry: number;
  readonly peer: Peer;
  readonly message: Outgoing;
}

/** Records that go with their owner. */
interface Departure {
  readonly owner: string;
  readonly records: readonly StoredRecord[];
  next: number;
}

/** Where a journal is kept, requests wait until it has been read. */
type Phase = 'opening' | 'open' | 'failed';

export class OctopusDesk {
  readonly store = new OctopusStore();
  private readonly answers = new Answers();
  private readonly clients = new Map<string, Peer>();
  private phase: Phase;
  private cause = '';
  private readonly lanes = new Lanes();
  private readonly meter = new Meter(OCTOPUS_LIMITS.turnSteps);
  private departing: Departure[] = [];
  private expiredEarly: string[] = [];
  private changes: JournalChange[] = [];
  /** Answers of this step that must be kept, by client. */
  private fresh = new Map<string, [number, OctopusReply][]>();
  private entry = 0;
  private written = 0;
  private held: Held[] = [];
  /** The request that the store is performing; after a throw, the one that left the store in doubt. */
  underWay: OctopusMessage | null = null;
  /** Called with each request before the store performs it, and with null afterwards. */
  busyWith: (message: OctopusMessage | null) => void = () => undefined;
  /** Whose change is being announced. */
  private lastChange: OctopusMessage | null = null;

  constructor(
    private readonly outbox: KnowledgeSink,
    private readonly mailbox: Mailbox,
    private readonly journalled: boolean,
  ) {
    this.phase = journalled ? 'opening' : 'open';
  }

  request(peer: Peer, message: OctopusMessage): void {
    if (peer.gone) return;
    this.clients.set(peer.instance, peer);
    if (this.lanes.add(peer, message)) this.work();
    else this.refuse(peer, message.id, 'LIMIT_REACHED', 'the client has as many requests as it may');
  }

  /** Whether work is left over from this turn. */
  get unfinished(): boolean {
    if (this.phase === 'opening') return false;
    return this.store.telling || this.departing.length > 0 || this.lanes.some((lane) => this.isRead(lane));
  }

  /** Continues what is unfinished. */
  turn(): void {
    this.work();
  }

  /** At once: a refusal depends on nothing that must be journalled first. */
  refuse(peer: Peer, id: number, error: OctopusErrorName, detail: string): void {
    for (const { text, more } of piecesOf(JSON.stringify({ ok: false, error, detail, installed: false })))
      this.mailbox.send(peer, { type: 'oct_reply', id, more, text });
  }

  /** The journal has been read: serves the requests that waited for it. */
  opened(contents: JournalContents): void {
    this.store.load(contents.octopus);
    for (const { client, replies } of contents.answers)
      for (const [id, reply] of replies) this.answers.keep(client, id, reply);
    this.phase = 'open';
    this.cause = '';
    for (const instance of this.expiredEarly.splice(0)) this.depart(instance);
    this.work();
  }

  writtenTo(entry: number): void {
    this.written = entry;
    const end = this.held.findIndex((held) => held.entry > entry);
    for (const { peer, message } of this.held.splice(0, end < 0 ? this.held.length : end))
      this.mailbox.send(peer, message);
  }

  /**
   * Until the journal can be written again, nothing is acknowledged that waits for the disk, and nothing new.
   * Notifications wait, too: what they report stands, and is written then.
   */
  failed(text: string): void {
    this.phase = 'failed';
    this.cause = text;
    const { held } = this;
    this.held = held
      .filter(({ message }) => message.type === 'oct_notify')
      .map((each) => ({ ...each, entry: Infinity }));
    for (const { peer, message } of held) {
      if (message.type === 'oct_reply' && !message.more) this.refuse(peer, message.id, 'JOURNAL_FAILED', text);
    }
    this.work();
  }

  /** Rewrites the whole journal: it may hold updates refused meanwhile, besides every acknowledged one. */
  recovered(): void {
    this.phase = 'open';
    this.cause = '';
    this.changes = [];
    this.fresh.clear();
    this.entry += 1;
    this.held = this.held.map((each) => ({ ...each, entry: this.entry }));
    const answers = this.answers.snapshot().map((kept) => ({ type: 'answers_put', ...kept }) as const);
    this.outbox.push({ type: 'journal_anew', entry: this.entry, changes: [...this.store.snapshot(), ...answers] });
    this.work();
  }

  /** The journal's state, for people. */
  get journalState(): string {
    if (!this.journalled) return 'none';
    return this.phase === 'failed' ? `failed: ${this.cause}` : this.phase;
  }

  get hasFailed(): boolean {
    return this.phase === 'failed';
  }

  /** A client's session is over, and it may begin another: answers its waiting requests and drops the rest. */
  expire(peer: Peer): void {
    if (this.phase === 'opening') return void this.expiredEarly.push(peer.instance); // its holdings are not read yet
    for (const { id } of this.lanes.gone(peer.instance))
      this.refuse(peer, id, 'SESSION_LOST', 'the session was over before the request had its turn');
    this.gone(peer.instance);
  }

  /** A client or core is gone for good, and with it its requests, waits and holdings. */
  gone(instance: string): void {
    this.clients.delete(instance);
    this.lanes.gone(instance);
    this.depart(instance);
    this.work();
  }

  private depart(instance: string): void {
    this.store.clientGone(instance);
    if (this.answers.forget(instance, Infinity)) this.changes.push(forgotten(instance, Number.MAX_SAFE_INTEGER));
    const records = this.store.ownedBy(instance);
    if (records.length > 0) this.departing.push({ owner: instance, records, next: 0 });
  }

  /** Owners of records or answers, who may be gone. */
  owners(): readonly string[] {
    return [...new Set([...this.store.owners(), ...this.answers.names()])];
  }

  /** This step's changes go to the journal as one entry. */
  flush(): void {
    this.meter.steps = 0;
    if (this.changes.length === 0) return;
    const { changes } = this;
    this.changes = [];
    for (const [client, replies] of this.fresh)
      changes.push({ type: 'answers_put', client, last: known(replies.at(-1))[0], replies });
    this.fresh.clear();
    if (!this.journalled || this.phase === 'failed') return;
    this.entry += 1;
    this.outbox.push({ type: 'journal', entry: this.entry, changes });
  }

  /** Works as much as the turn allows, a little on each. */
  private work(): void {
    if (this.phase === 'opening') return;
    do {
      this.tellSome();
      this.dropOne();
    } while (this.serveOne() && !this.meter.full);
    // Whatever is left is small, or the turn is over.
    while (!this.meter.full && (this.store.telling || this.departing.length > 0)) {
      this.tellSome();
      this.dropOne();
    }
  }

  /** At most half of a turn, so that reads go on meanwhile. */
  private tellSome(): void {
    if (!this.store.telling) return;
    const half = new Meter(OCTOPUS_LIMITS.turnSteps / 2);
    this.begins(this.lastChange);
    this.notify(this.store.tell(half));
    this.ends();
    this.meter.steps += half.steps;
  }

  private dropOne(): void {
    const departure = this.departing[0];
    if (departure === undefined || this.store.telling) return;
    this.meter.steps += OCTOPUS_LIMITS.requestSteps;
    const { owner, records } = departure;
    this.lastChange = null;
    for (const change of this.store.drop(known(records[departure.next]))) this.changes.push(change);
    departure.next += 1;
    if (departure.next < records.length) return;
    this.departing.shift();
    this.outbox.log('owner_gone', { owner: owner.slice(0, 8), records: records.length });
  }

  /** Continues with one client that may proceed; false if there is none. */
  private serveOne(): boolean {
    const { telling } = this.store;
    const lane = this.lanes.take((each) => {
      if (!this.isRead(each)) return false;
      const next = telling && each.job === null ? each.next() : undefined;
      return next === undefined || !changesSomething(next);
    });
    if (lane === undefined) return false;
    if (lane.peer.gone) lane.end();
    else if (lane.job === null) this.begin(lane);
    if (lane.job !== null) this.proceed(lane, lane.job);
    this.lanes.put(lane);
    return true;
  }

  /** Whether its client reads its answers: else the next ones wait. What is under way holds up nobody's changes. */
  private isRead({ peer, job }: Lane): boolean {
    return job !== null || peer.gone || !this.mailbox.isLong(peer);
  }

  private begin(lane: Lane): void {
    const { peer } = lane;
    const request = lane.next();
    const message = lane.take();
    const { id, settled } = message;
    this.meter.steps += OCTOPUS_LIMITS.requestSteps + message.request.length;
    if (this.phase === 'failed') return this.refuse(peer, id, 'JOURNAL_FAILED', this.cause);
    const client = peer.instance;
    if (this.answers.forget(client, settled)) this.changes.push(forgotten(client, settled));
    const known = this.answers.get(client, id);
    if (known !== undefined) return this.reply(peer, id, known);
    if (this.answers.isFull(client))
      return this.refuse(peer, id, 'LIMIT_REACHED', 'the client has settled none of its last answers');
    if (request === undefined) return this.reply(peer, id, BAD_REQUEST);
    lane.job = { message, request, work: this.store.perform(request, { client, owner: client }, this.meter) };
  }

  private proceed(lane: Lane, { message, request, work }: Job): void {
    this.begins(message);
    const step = work.next();
    this.ends();
    if (step.done !== true) return;
    lane.job = null;
    this.answered(lane.peer, message, request.type, step.value);
  }

  private begins(message: OctopusMessage | null): void {
    this.underWay = message;
    this.busyWith(message);
  }

  private ends(): void {
    this.underWay = null;
    this.busyWith(null);
  }

  private answered(peer: Peer, message: OctopusMessage, type: string, { reply, changes }: OctopusAnswer): void {
    if (!reply.ok && reply.error === 'FAILED')
      this.outbox.log('request_failed', { request: type, error: 'FAILED', text: reply.detail });
    this.lastChange = message;
    if (changes.length > 0 && this.journalled) {
      this.keepAnswer(peer.instance, message.id, reply);
      for (const change of changes) this.changes.push(change);
    }
    // The request began before the journal failed.
    if (this.phase === 'failed') return this.refuse(peer, message.id, 'JOURNAL_FAILED', this.cause);
    this.reply(peer, message.id, reply);
  }

  private keepAnswer(client: string, id: number, reply: OctopusReply): void {
    this.answers.keep(client, id, reply);
    const fresh = this.fresh.get(client);
    if (fresh === undefined) this.fresh.set(client, [[id, reply]]);
    else fresh.push([id, reply]);
  }

  private reply(peer: Peer, id: number, reply: OctopusReply): void {
    for (const { text, more } of piecesOf(JSON.stringify(reply)))
      this.tell(peer, { type: 'oct_reply', id, more, text });
  }

  private notify(notifications: readonly AddressedNotification[]): void {
    for (const { client, notification } of notifications) {
      const peer = this.clients.get(client);
      if (peer === undefined) continue;
      for (const { text, more } of piecesOf(JSON.stringify(notification)))
        this.tell(peer, { type: 'oct_notify', more, text });
    }
  }

  private tell(peer: Peer, message: Outgoing): void {
    const settled = this.changes.length === 0 && this.written === this.entry;
    if (!this.journalled || (settled && this.phase === 'open')) this.mailbox.send(peer, message);
    else if (this.phase === 'failed') this.held.push({ entry: Infinity, peer, message });
    else this.held.push({ entry: this.changes.length === 0 ? this.entry : this.entry + 1, peer, message });
  }
}

const BAD_REQUEST: OctopusReply = {
  ok: false,
  error: 'BAD_REQUEST',
  detail: 'not an Octopus request',
  installed: false,
};

function forgotten(client: string, below: number): JournalChange {
  return { type: 'answers_forget', client, below };
}
