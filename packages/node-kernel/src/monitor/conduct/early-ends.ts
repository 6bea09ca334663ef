/*
 * Detects a peer that begins rounds only to end them again, without waiting for any answer: that is work for everybody
 * at the price of two messages, and no rate tells it from honest work on a slow host. An honest initiator ends a round
 * only once it has all answers, or after the operation's deadline.
 *
 *   EE1  a round counts as ended early only when the acknowledgements show that its initiator had not received this
 *        core's answer when it ended it;
 *   EE2  and only when it was begun after the answer to a question that this core asked less than half a deadline ago:
 *        both travel in one lane, so no delay of a link makes an old round look young;
 *   EE3  of all rounds between two such questions at most one counts, and the first `STREAK` in a row are free: a core
 *        whose own clock stood still for a while, as on a suspended host, sees one.
 */
import { known } from '@mk/monitor-proto/assert';
import type { Endpoint } from '@mk/monitor-proto/endpoint/endpoint';
import type { CorePeer } from '@mk/monitor-proto/endpoint/peer';
import { type CoreId, MILLISECOND, type Nanos, type OperationId } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import { LANES } from '@mk/monitor-proto/messages/spec';
import type { Offences } from './offences.ts';

const PATIENCE: Nanos = limit('operationDeadlineNs') / 2;
/** The pause between questions to a suspected peer. */
const ASK_EVERY: Nanos = 100 * MILLISECOND;
const STREAK = 8;
const OPEN_MOST = limit('requestsHeld');
const LANE = LANES.indexOf('monitor');
/** Ids of these questions count down from here; those of other pings count up from 1. */
const LAST_ID = 2 ** 32 - 1;
const NO_BYTES = new Uint8Array(0);

/** A round that a peer has begun here. */
interface Begun {
  /** The number of the last mark before it. */
  readonly mark: number;
  /** The number of this core's answer among its messages to the peer; Infinity: not answered yet. */
  answer: number;
}

interface Suspect {
  readonly begun: Map<OperationId, Begun>;
  /** Answered questions so far, and when the last of them was asked. */
  marks: number;
  markedAt: Nanos;
  /** Whether a round between the last answered question and the next has been counted. */
  counted: boolean;
  /** Answered questions in a row that were followed by a round that ended early. */
  streak: number;
  /** The question that waits for its answer; 0: none. */
  asked: number;
  askedAt: Nanos;
}

export class EarlyEnds {
  private readonly bySender = new Map<CoreId, Suspect>();
  private lastId = LAST_ID;

  constructor(
    private readonly endpoint: Endpoint,
    private readonly offences: Offences,
  ) {}

  /** A peer directly asks this core for the first phase of a round of its own. */
  begun({ id }: CorePeer, op: OperationId): void {
    let sender = this.bySender.get(id);
    if (sender === undefined) this.bySender.set(id, (sender = newSuspect()));
    const { begun, marks } = sender;
    if (begun.size >= OPEN_MOST) begun.delete(known(begun.keys().next().value));
    begun.set(op, { mark: marks, answer: Infinity });
  }

  /** This core has answered that phase. */
  answered(to: CoreId, op: OperationId): void {
    const round = this.bySender.get(to)?.begun.get(op);
    if (round !== undefined) round.answer = this.endpoint.peers.get(to)?.sent[LANE] ?? 0;
  }

  /** A peer ends such a round. */
  ended(peer: CorePeer, op: OperationId, now: Nanos): void {
    const sender = this.bySender.get(peer.id);
    const round = sender?.begun.get(op);
    if (sender === undefined || round === undefined) return;
    sender.begun.delete(op);
    if (round.answer <= peer.channel.acknowledged(LANE)) return; // EE1
    this.count(peer, sender, round, now);
    if (sender.asked === 0 && now - sender.askedAt >= ASK_EVERY) this.ask(peer, sender, now);
  }

  /** Whether a pong answers one of this class's questions. */
  takeAnswer({ id: from }: CorePeer, id: number): boolean {
    const sender = this.bySender.get(from);
    if (id <= this.lastId) return false;
    if (sender?.asked !== id) return true; // the question was given up
    if (!sender.counted) sender.streak = 0;
    sender.counted = false;
    sender.marks += 1;
    sender.markedAt = sender.askedAt;
    sender.asked = 0;
    return true;
  }

  peerGone(core: CoreId): void {
    this.bySender.delete(core);
  }

  /** EE2, EE3. */
  private count({ id }: CorePeer, sender: Suspect, { mark }: Begun, now: Nanos): void {
    if (sender.counted || mark === 0 || mark !== sender.marks || now - sender.markedAt >= PATIENCE) return;
    sender.counted = true;
    sender.streak += 1;
    if (sender.streak > STREAK)
      this.offences.note(
        id,
        'early_end',
        'ends rounds that it began, again and again, without awaiting any answer',
        now,
      );
  }

  private ask(peer: CorePeer, sender: Suspect, now: Nanos): void {
    const id = this.lastId;
    if (!this.endpoint.sendTo(peer, { type: 'ping_request', id, payload: NO_BYTES })) return;
    this.lastId -= 1;
    sender.asked = id;
    sender.askedAt = now;
  }
}

function newSuspect(): Suspect {
  return {
    begun: new Map(),
    marks: 0,
    markedAt: -Infinity,
    counted: false,
    streak: 0,
    asked: 0,
    askedAt: -Infinity,
  };
}
