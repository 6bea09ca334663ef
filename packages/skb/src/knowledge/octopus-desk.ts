import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import { piecesOf } from '@mk/monitor-proto/knowledge/pieces';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import type { OctopusErrorName, OctopusReply } from '@mk/monitor-proto/octopus/requests';
import type { JournalChange, JournalContents } from '../journal/changes.ts';
import { Answers } from '../octopus/answers.ts';
import { decodeOctopusRequest } from '../octopus/decode.ts';
import { type AddressedNotification, OctopusStore } from '../octopus/store.ts';
import type { KnowledgeSink } from './effects.ts';
import type { Mailbox } from './mailbox.ts';

/*
 * Octopus for clients that hold links. Clients and owners are instances: a process keeps its name over resets of its
 * links and restarts of the SKB, and no later process has it.
 *
 *   K1  nothing leaves, neither a reply nor a notification nor what a read has seen, before the changes that it rests
 *       on are on the disk;
 *   K2  a request that is asked again after a restart takes effect once: its answer is kept until the client settles
 *       it.
 */

type OctopusMessage = MessageOf<'oct_request'>;
type Outgoing = MessageOf<'oct_reply'> | MessageOf<'oct_notify'>;

interface Held {
  readonly entry: number;
  readonly peer: Peer;
  readonly message: Outgoing;
}

/** Where a journal is kept, requests wait until it was read. */
type Phase = 'opening' | 'open' | 'failed';

export class OctopusDesk {
  readonly store = new OctopusStore();
  private readonly answers = new Answers();
  private readonly clients = new Map<string, Peer>();
  private phase: Phase;
  private waiting: (readonly [Peer, OctopusMessage])[] = [];
  private changes: JournalChange[] = [];
  /** Answers of this step that must be kept, by client. */
  private fresh = new Map<string, [number, OctopusReply][]>();
  private entry = 0;
  private written = 0;
  private held: Held[] = [];
  /** What the store performs; after it threw, what has left it in doubt. */
  underWay: OctopusMessage | null = null;

  constructor(
    private readonly outbox: KnowledgeSink,
    private readonly mailbox: Mailbox,
    private readonly journalled: boolean,
  ) {
    this.phase = journalled ? 'opening' : 'open';
  }

  request(peer: Peer, message: OctopusMessage): void {
    this.clients.set(peer.instance, peer);
    if (this.phase === 'opening') this.waiting.push([peer, message]);
    else if (!peer.gone) this.perform(peer, message);
  }

  refuse(peer: Peer, id: number, error: OctopusErrorName, detail: string): void {
    this.reply(peer, id, { ok: false, error, detail, installed: false });
  }

  /** What the journal kept is there: who waited is served. */
  opened(contents: JournalContents): void {
    this.store.load(contents.octopus);
    for (const { client, replies } of contents.answers)
      for (const [id, reply] of replies) this.answers.keep(client, id, reply);
    this.phase = 'open';
    this.serveWaiting();
  }

  writtenTo(entry: number): void {
    this.written = entry;
    const end = this.held.findIndex((held) => held.entry > entry);
    for (const { peer, message } of this.held.splice(0, end < 0 ? this.held.length : end))
      this.mailbox.send(peer, message);
  }

  /** Nothing that waits for the disk can be acknowledged any more, nor anything that comes. */
  failed(): void {
    this.phase = 'failed';
    const { held } = this;
    this.held = [];
    for (const { peer, message } of held) {
      if (message.type === 'oct_reply' && !message.more) this.reply(peer, message.id, JOURNAL_FAILED);
    }
    this.serveWaiting();
  }

  /** A client or core is gone for good; says how many transient records went with it. */
  gone(instance: string): number {
    this.clients.delete(instance);
    this.store.clientGone(instance);
    if (this.answers.forget(instance, Infinity)) this.changes.push(forgotten(instance, Number.MAX_SAFE_INTEGER));
    const before = this.store.size;
    const { notifications, changes } = this.store.ownerGone(instance);
    this.changes.push(...changes);
    this.notify(notifications);
    return before - this.store.size;
  }

  /** Whose records or answers are here although they may be gone. */
  owners(): readonly string[] {
    return [...new Set([...this.store.owners(), ...this.answers.names()])];
  }

  /** The changes of this step go to the journal as one entry. */
  flush(): void {
    if (this.changes.length === 0) return;
    const { changes } = this;
    this.changes = [];
    for (const [client, replies] of this.fresh)
      changes.push({ type: 'answers_put', client, last: replies.at(-1)![0], replies });
    this.fresh.clear();
    if (!this.journalled || this.phase === 'failed') return;
    this.entry += 1;
    this.outbox.push({ type: 'journal', entry: this.entry, changes });
  }

  private serveWaiting(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const [peer, message] of waiting) if (!peer.gone) this.perform(peer, message);
  }

  private perform(peer: Peer, message: OctopusMessage): void {
    const { id, settled, request: text } = message;
    if (this.phase === 'failed') return this.reply(peer, id, JOURNAL_FAILED);
    const client = peer.instance;
    if (this.answers.forget(client, settled)) this.changes.push(forgotten(client, settled));
    const known = this.answers.get(client, id);
    if (known !== undefined) return this.reply(peer, id, known);
    const request = decodeOctopusRequest(text);
    if (request === undefined) return this.reply(peer, id, BAD_REQUEST);
    this.underWay = message;
    const { reply, notifications, changes } = this.store.step(request, { client, owner: client });
    this.underWay = null;
    if (!reply.ok && reply.error === 'FAILED')
      this.outbox.log('request_failed', { request: request.type, error: 'FAILED', text: reply.detail });
    if (changes.length > 0 && this.journalled) {
      this.keepAnswer(client, id, reply);
      for (const change of changes) this.changes.push(change);
    }
    this.reply(peer, id, reply);
    this.notify(notifications);
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
    if (settled || !this.journalled || this.phase === 'failed') this.mailbox.send(peer, message);
    else this.held.push({ entry: this.changes.length === 0 ? this.entry : this.entry + 1, peer, message });
  }
}

const JOURNAL_FAILED: OctopusReply = {
  ok: false,
  error: 'JOURNAL_FAILED',
  detail: 'see the SKB’s log',
  installed: false,
};
const BAD_REQUEST: OctopusReply = {
  ok: false,
  error: 'BAD_REQUEST',
  detail: 'it is no request of Octopus',
  installed: false,
};

function forgotten(client: string, below: number): JournalChange {
  return { type: 'answers_forget', client, below };
}
