/*
 * Protects this core from a misbehaving monitor, on top of the proof of its identity (handshake) and the form of its
 * messages (codec): each message from a core is screened before any service sees it.
 *
 * - A message that a peer may not send is dropped and counted against it (`Offences`).
 * - Expensive messages are metered (`Meter`): a peer that asks for more than its share while others work must wait.
 *
 * A peer has as many waiting requests as it can have operations, and some more; further ones are dropped, as no honest
 * peer sends them. The end of a round that has begun here is never dropped, and a round whose end was dropped is not
 * begun, since it would stay open for as long as the peer lives.
 */
import { known } from '@mk/monitor-proto/assert';
import type { ErrorName } from '@mk/monitor-proto/errors';
import { type CorePeer, isCorePeer, type Peer } from '@mk/monitor-proto/endpoint/peer';
import { type CoreId, type Nanos, type OperationId, peerName } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { Message, MessageOf, MessageType } from '@mk/monitor-proto/messages/table';
import type { MetricFamily } from '@mk/monitor-proto/metrics';
import type { Timer } from '@mk/monitor-proto/timer-queue';
import type { OffenceReport } from '../../control/verb-answers.ts';
import { PAGE_BYTES } from '@mk/libmk/dispatcher/frame-view';
import type { Range } from '../../capability/model/capability.ts';
import type { CpuDriver } from '../../cpu-driver/cpu-driver.ts';
import { coreOf } from '../agreement/finished.ts';
import { isSecondPhase, PHASES, ROUND_ACTIONS } from '../agreement/round-actions.ts';
import type { MonitorContext } from '../context.ts';
import type { Service, Verbs } from '../service.ts';
import { HELD_UP, Meter } from './meter.ts';
import { refusalTo } from './refusals.ts';
import { faultOf } from './screening.ts';

/** Messages that make work on many cores or lock something: those that an account is charged for. */
const EXPENSIVE: ReadonlySet<MessageType> = new Set<MessageType>([
  'round_request',
  'cap_copy_request',
  'cap_receive_request',
  'cap_move_request',
  'cap_retrieve_request',
  'cap_retype_request',
  'cap_reclaim_request',
  'ram_steal_request',
]);
const HELD_MOST = limit('requestsHeld');
const BATCH = limit('budgetBatchNs');
const ACCOUNTS = 65_536;
const NOBODY_KNOWN = ACCOUNTS - 1;

/** This core's knowledge of another's use of its pages. */
export interface PageUses {
  /** Whether it has given another core a translation. */
  hasTold(core: CoreId): boolean;
  /**
   * Whether it has handed anybody something of this memory, even if taken back since: the receiver may have handed it
   * on.
   */
  hasHanded(range: Range): boolean;
  /** Confirms a reset to a core that no longer owns the memory: its present object was zero when it began. */
  turnAwayReset(core: CoreId, op: OperationId, now: Nanos): void;
  /** Refuses a page to its requester, so that nobody waits for ever for memory that was taken back meanwhile. */
  turnAway(core: CoreId, asks: { readonly page: number; readonly request: number }): void;
}

interface Waiting {
  readonly peer: CorePeer;
  readonly message: Message;
  /** Its end has come, or was dropped: nobody would end the round that it begins. */
  ended: boolean;
}

export class Conduct implements Service {
  private readonly meter = new Meter();
  /** Messages that wait for their sender's next token, by account. */
  private readonly held = new Map<number, Waiting[]>();
  /** Those of them that begin rounds. */
  private readonly heldRounds = new Map<OperationId, Waiting>();
  private heldCount = 0;
  private dropped = 0;
  private timer: Timer | null = null;

  constructor(
    private readonly context: MonitorContext,
    private readonly driver: CpuDriver,
    /** Hands a message to the service that handles it. */
    private readonly deliver: (peer: Peer, message: Message, now: Nanos) => void,
    /** Whether the first phase of a round has begun here and not ended. */
    private readonly isOpen: (op: OperationId) => boolean,
    /** Since when this core has waited for the oldest round of its own. */
    private readonly waitsSince: () => Nanos,
    private readonly pages: PageUses,
  ) {}

  readonly verbs = {
    offences: {
      args: [],
      doc: 'The offences that this core has caught its peers at, and how many of their requests wait.',
      withoutLease: true,
      run: (_args, now) => this.report(now),
    },
  } satisfies Verbs;

  /** Whether a message may be delivered now. */
  screen(peer: Peer, message: Message, now: Nanos): boolean {
    if (!isCorePeer(peer)) return true;
    const { core, offences } = this.context;
    const state = this.driver.booted ? this.driver.state : null;
    const fault = faultOf(peer, message, { core, state, hasTold: (one) => this.pages.hasTold(one) });
    if (fault !== null) {
      const asked = pageAsked(message);
      if (asked !== null) this.pages.turnAway(peer.id, asked);
      if (message.type === 'page_reset') this.pages.turnAwayReset(peer.id, message.op, now);
      // Requests already under way when the memory was taken back are not an offence.
      const used = usedBy(message);
      if (used === null || !this.pages.hasHanded(used)) offences.note(peer.id, fault.offence, fault.text, now);
      return this.refuse(peer, message, 'BAD_REQUEST');
    }
    if (message.type === 'ping_reply' && this.context.earlyEnds.takeAnswer(peer, message.id)) return false;
    if (message.type === 'round_request') this.follow(peer, message, now);
    return !EXPENSIVE.has(message.type) || this.afford(peer, message, now);
  }

  peerGone(peer: Peer): void {
    const { id } = peer;
    if (isCorePeer(peer)) {
      this.context.offences.instanceGone(peer.id);
      this.context.earlyEnds.peerGone(peer.id);
    }
    for (const [key, waiting] of [...this.held]) {
      if (waiting[0]?.peer.id !== id) continue;
      this.heldCount -= waiting.length;
      for (const { message } of waiting) if (message.type === 'round_request') this.heldRounds.delete(message.op);
      this.held.delete(key);
      this.meter.forget(key);
    }
  }

  leftovers(): readonly string[] {
    return this.heldCount > 0 ? [`${this.heldCount} requests of throttled peers`] : [];
  }

  metrics(): readonly MetricFamily[] {
    const offences = this.context.offences.rows().map(({ peer, offence, count }) => {
      return { labels: { peer: peerName(peer), offence }, value: count };
    });
    return [
      {
        name: 'mk_peer_offences_total',
        type: 'counter',
        help: 'Offences of peers that this core caught.',
        samples: offences,
      },
      {
        name: 'mk_requests_held',
        type: 'gauge',
        help: 'Requests of throttled peers that wait for their turn.',
        samples: [{ value: this.heldCount }],
      },
      {
        name: 'mk_requests_dropped_total',
        type: 'counter',
        help: 'Requests beyond the operations that a core may have.',
        samples: [{ value: this.dropped }],
      },
    ];
  }

  private report(now: Nanos): OffenceReport {
    const rows = this.context.offences.rows().map(({ first, last, ...row }) => ({
      ...row,
      first_s_ago: (now - first) / 1e9,
      last_s_ago: (now - last) / 1e9,
    }));
    return { offences: rows, held: this.heldCount, dropped: this.dropped };
  }

  /** Tracks a peer's direct requests for its own rounds; empty rounds may be relayed, and run out of time. */
  private follow(peer: CorePeer, message: MessageOf<'round_request'>, now: Nanos): void {
    const { op, phase, kind } = message;
    if (coreOf(op) !== peer.id || kind === ROUND_ACTIONS.noop.ordinal) return;
    const { earlyEnds } = this.context;
    if (!isEnd(message)) {
      if (phase === PHASES.prepare) earlyEnds.begun(peer, op);
      return;
    }
    earlyEnds.ended(peer, op, now);
    const begins = this.heldRounds.get(op);
    if (begins?.peer === peer) begins.ended = true;
  }

  private afford(peer: CorePeer, message: Message, now: Nanos): boolean {
    const key = this.accountOf(peer, message);
    const { offences, operations } = this.context;
    const waiting = this.held.get(key);
    const starves = (): boolean => now - this.waitsSince() > HELD_UP;
    const verdict = this.meter.ask(key, now, operations.begun, starves);
    if (verdict === 'over')
      offences.note(peer.id, 'over_budget', `${message.type}: more than its share while others worked`, now);
    if (verdict === 'pass' && waiting === undefined) return true;
    if (waiting !== undefined && waiting.length >= HELD_MOST)
      return this.isNeeded(message) || this.drop(peer, message, now);
    const held: Waiting = { peer, message, ended: false };
    if (waiting === undefined) this.held.set(key, [held]);
    else waiting.push(held);
    if (message.type === 'round_request' && !isEnd(message)) this.heldRounds.set(message.op, held);
    this.heldCount += 1;
    this.arm(now);
    return false;
  }

  /**
   * The account that a request is charged to: its sender's. A relayed round has an account for sender and initiator
   * together, so that nobody pays for messages in its name; all unknown initiators share one. The end of a round in
   * progress has its own account: it must not wait behind beginnings.
   */
  private accountOf(peer: CorePeer, message: Message): number {
    if (message.type !== 'round_request') return peer.id;
    const initiator = coreOf(message.op);
    const second = this.context.monitors.has(initiator) ? initiator : NOBODY_KNOWN;
    const account = isPassedOn(peer, message) ? ACCOUNTS * (peer.id + 1) + second : peer.id;
    return isEnd(message) ? -1 - account : account;
  }

  private isNeeded(message: Message): boolean {
    return message.type === 'round_request' && isEnd(message) && this.isOpen(message.op);
  }

  private drop(peer: CorePeer, message: Message, now: Nanos): false {
    this.dropped += 1;
    if (message.type === 'round_request' && isEnd(message)) {
      const begins = this.heldRounds.get(message.op);
      if (begins?.peer === peer) begins.ended = true;
    }
    // A relayed message is not its sender's own doing.
    const offence = isPassedOn(peer, message) ? 'over_budget' : 'hoard';
    this.context.offences.note(
      peer.id,
      offence,
      `${message.type}: ${HELD_MOST} of its requests are waiting already`,
      now,
    );
    return this.refuse(peer, message, 'TOO_MANY_OPERATIONS');
  }

  /**
   * Tells the requester not to wait. Not a proven rogue: that would cost more than the request, and no honest core
   * waits. A core that leaves no room for answers waits for none.
   */
  private refuse(peer: CorePeer, message: Message, error: ErrorName): false {
    const { offences, core } = this.context;
    const answer = offences.isProven(peer.id) ? null : refusalTo(message, error, core);
    if (answer !== null) this.context.send(peer.id, answer);
    return false;
  }

  private arm(now: Nanos): void {
    if (this.timer !== null) return;
    const due = Math.min(...[...this.held.keys()].map((key) => this.meter.nextTokenAt(key, now)));
    this.timer = this.context.timers.set(Math.max(due, now + BATCH), (at) => this.serve(at));
  }

  /** Serves messages that have waited long enough, in order. */
  private serve(now: Nanos): void {
    this.timer = null;
    for (const [key, waiting] of [...this.held]) {
      let served = 0;
      while (served < waiting.length && (known(waiting[served]).ended || this.meter.takeToken(key, now))) served += 1;
      const due = waiting.splice(0, served);
      this.heldCount -= served;
      if (waiting.length === 0) this.held.delete(key);
      for (const { peer, message, ended } of due) {
        if (message.type === 'round_request' && !isEnd(message)) this.heldRounds.delete(message.op);
        if (!peer.gone && !ended) this.deliver(peer, message, now);
      }
    }
    if (this.held.size > 0) this.arm(now);
  }
}

/** Whether a message is a round that another core has begun. */
function isPassedOn(peer: CorePeer, message: Message): boolean {
  return message.type === 'round_request' && coreOf(message.op) !== peer.id;
}

/** The page and request that a message names, whoever answers it. */
function pageAsked(message: Message): { readonly page: number; readonly request: number } | null {
  const { type } = message;
  return type === 'page_request' || type === 'page_atomic' || type === 'page_put' ? message : null;
}

/** The memory that a message uses. */
function usedBy(message: Message): Range | null {
  if (message.type === 'page_reset') return { address: message.address, size: message.size };
  const asked = pageAsked(message);
  return asked === null ? null : { address: asked.page * PAGE_BYTES, size: PAGE_BYTES };
}

function isEnd({ kind, phase }: MessageOf<'round_request'>): boolean {
  return isSecondPhase(kind, phase);
}
