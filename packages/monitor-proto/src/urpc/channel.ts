/*
 * URPC channel between two process instances, over whatever links they have one after another.
 *
 * Guarantees, as long as both instances live and, now and then, some link works for long enough:
 *   U1  every message that `send` accepted is delivered exactly once;
 *   U2  in the order of `send`, within its lane;
 *   U3  at most a window of each lane is on the way, and a full queue answers `false` (BUSY): all is bounded.
 * Assumes of a link only that a frame arrives whole and unaltered, or not at all.
 *
 * From: URPC (Bershad et al.; Baumann et al., SOSP 2009, §4.6) for the ordered ring with credits; the resume is ours.
 */
import type { Nanos } from '../ids.ts';
import { limit, type LimitName } from '../limits.ts';
import { codecOf, type WireMessage } from '../messages/codec.ts';
import { LANES } from '../messages/spec.ts';
import type { Message } from '../messages/table.ts';
import { type Batch, type DataFrame, FRAME, type LaneMarks, NO_MARKS } from './frames.ts';
import { ReceiveLane } from './receive-lane.ts';
import { SendLane } from './send-lane.ts';

/** The effect of a frame on a channel. */
export interface Received {
  /** Messages to deliver, in order. */
  readonly messages: readonly WireMessage[];
  /** A sender that got BUSY may try again. */
  readonly sendable: boolean;
  /** How many messages of the frame had come before. */
  readonly doubled: number;
}

export interface ChannelCounters {
  readonly sent: number;
  readonly delivered: number;
  readonly retransmitted: number;
  readonly doubled: number;
  readonly framesSent: number;
  readonly framesReceived: number;
}

const LANE_LIMITS: readonly (readonly [LimitName, LimitName])[] = [
  ['urgentWindow', 'urgentQueue'],
  ['monitorWindow', 'monitorQueue'],
  ['bulkWindow', 'bulkQueue'],
];
const WINDOWS = LANE_LIMITS.map(([window]) => limit(window));
const ACK_DELAY = limit('ackDelayNs');
const RTO_MIN = limit('retransmitMinNs');
const RTO_MAX = limit('retransmitMaxNs');
const FRAME_MESSAGES = limit('frameTargetMessages');
const FRAME_BYTES = limit('frameTargetBytes');
const NO_BATCHES: readonly Batch[] = [];
const NO_MESSAGES: readonly WireMessage[] = [];

/** Lanes without traffic, which never change. */
const UNUSED_OUT: readonly SendLane[] = LANE_LIMITS.map((_, lane) => newSendLane(lane));
const UNUSED_IN: readonly ReceiveLane[] = LANE_LIMITS.map((_, lane) => newReceiveLane(lane));

/** The fields of the lanes, by number. */
const OUT = ['urgentOut', 'monitorOut', 'bulkOut'] as const;
const IN = ['urgentIn', 'monitorIn', 'bulkIn'] as const;

export class Channel {
  // A thousand cores have a million channels: all share the lanes that have carried nothing, and no array holds them.
  private urgentOut = UNUSED_OUT[0]!;
  private monitorOut = UNUSED_OUT[1]!;
  private bulkOut = UNUSED_OUT[2]!;
  private urgentIn = UNUSED_IN[0]!;
  private monitorIn = UNUSED_IN[1]!;
  private bulkIn = UNUSED_IN[2]!;
  /** Messages sent again. */
  retransmitted = 0;
  private doubled = 0;
  private framesSent = 0;
  private framesReceived = 0;
  private ackDueAt: Nanos = Infinity;
  private ackNow = false;
  private repeats: Batch[] | null = null;
  private retransmitAt: Nanos = Infinity;
  private lastRepeatAt: Nanos = -1; // kept an integer: V8 boxes a field that was ever anything else
  private backoff = 1;
  private smoothedRttNs = 0;
  private probeLane = -1;
  private probeNumber = 0;
  private probeSentAt: Nanos = 0;

  /** Accepts a message for sending; false when its lane's queue is full (BUSY). */
  send(message: Message, codec = codecOf(message.type)): boolean {
    const out = this.outFor(codec.lane);
    if (!out.hasRoom) {
      out.refused = true;
      return false;
    }
    out.offer(codec.encode(message), codec.bytes(message));
    return true;
  }

  /** The next frame for the link; null when nothing more has to leave now. Call until it returns null. */
  takeFrame(now: Nanos, lamport: number): DataFrame | null {
    const batches = this.repeats === null ? this.takeBatches(now) : this.takeRepeats(this.repeats);
    if (batches.length === 0 && !this.ackNow) return null;
    if (batches.length > 0 && this.retransmitAt === Infinity) this.retransmitAt = this.nextRepeat();
    this.framesSent += 1;
    return { kind: FRAME.data, lamport, acks: this.takeAcks(), missing: this.missing(), batches };
  }

  /** Makes the channel owe the peer a frame, if only of acks. */
  owe(): void {
    this.ackNow = true;
  }

  /** How a frame breaks the protocol; null: `receive` takes all of it. */
  violation(frame: DataFrame): string | null {
    const { batches, acks } = frame;
    for (let i = 0; i < batches.length; i++) {
      const { lane, first } = batches[i]!;
      if (!this.in(lane).admits(batches[i]!)) return `lane ${lane} got ${first} outside its window`;
    }
    for (let i = 0; i < LANES.length; i++)
      if (acks[i]! > this.out(i).highest) return 'an ack covers messages that were never sent';
    return null;
  }

  /** Takes in a frame without violations. */
  receive(frame: DataFrame, now: Nanos): Received {
    this.framesReceived += 1;
    let messages: readonly WireMessage[] = NO_MESSAGES;
    let doubled = 0;
    for (const batch of frame.batches) {
      const lane = this.inFor(batch.lane);
      if (messages === NO_MESSAGES && lane.acceptWhole(batch)) {
        messages = batch.messages;
        continue;
      }
      const more = messages.slice();
      doubled += lane.accept(batch, more);
      messages = more;
    }
    this.takeInAcks(frame, now);
    this.noteAckOwed(frame.batches.length > 0, doubled, now);
    this.doubled += doubled;
    return { messages, sendable: this.takeSendable(), doubled };
  }

  /** How far this end has received, for the handshake of the next link. */
  marks(): LaneMarks {
    return [this.urgentIn.received, this.monitorIn.received, this.bulkIn.received];
  }

  /** A new link is up and the peer has received up to `marks`: resumes there. False: it forgot acknowledged messages. */
  resume(marks: LaneMarks, now: Nanos): boolean {
    for (let i = 0; i < LANES.length; i++) {
      const lane = this.out(i);
      if (marks[i]! < lane.acked || !lane.acknowledge(marks[i]!)) return false;
    }
    this.rewind();
    this.repeats = null;
    this.backoff = 1;
    this.retransmitAt = Infinity;
    // The handshake acknowledges everything; a frame is still owed, so that a dialler hears that its proof was taken.
    this.ackDueAt = now + ACK_DELAY;
    this.probeLane = -1;
    return true;
  }

  /** When `expire` must be called next; Infinity: never. */
  get deadline(): Nanos {
    return this.ackDueAt < this.retransmitAt ? this.ackDueAt : this.retransmitAt;
  }

  /** Does the work due by `now`: notes an owed ack, or resends messages not acknowledged in time. */
  expire(now: Nanos): void {
    if (this.ackDueAt <= now) {
      this.ackDueAt = Infinity;
      this.ackNow = true;
    }
    if (this.retransmitAt > now) return;
    this.repeatOverdue(now);
    this.retransmitAt = this.nextRepeat();
  }

  /** Whether nothing waits: no unsent or unacknowledged messages, no owed ack. */
  get idle(): boolean {
    return this.unacknowledged === 0 && this.ackDueAt === Infinity && !this.ackNow;
  }

  /** How many messages of a lane the peer has acknowledged. */
  acknowledged(lane: number): number {
    return this.out(lane).acked;
  }

  /** Messages accepted and not yet acknowledged, over all lanes. */
  get unacknowledged(): number {
    const { urgentOut, monitorOut, bulkOut } = this;
    return urgentOut.last - urgentOut.acked + monitorOut.last - monitorOut.acked + bulkOut.last - bulkOut.acked;
  }

  get counters(): ChannelCounters {
    const {
      urgentOut,
      monitorOut,
      bulkOut,
      urgentIn,
      monitorIn,
      bulkIn,
      retransmitted,
      doubled,
      framesSent,
      framesReceived,
    } = this;
    const sent = urgentOut.last + monitorOut.last + bulkOut.last;
    return {
      sent,
      delivered: urgentIn.received + monitorIn.received + bulkIn.received,
      retransmitted,
      doubled,
      framesSent,
      framesReceived,
    };
  }

  /** Round trip as the acks show it, ack delay included; 0 before the first sample. */
  get roundTripNs(): Nanos {
    return this.smoothedRttNs;
  }

  /** U3 of every lane. Throws AssertionFailure. */
  invariants(): void {
    for (let lane = 0; lane < LANES.length; lane++) {
      this.out(lane).invariants();
      this.in(lane).invariants();
    }
  }

  private takeBatches(now: Nanos): readonly Batch[] {
    let batches: Batch[] | null = null;
    let room = FRAME_MESSAGES;
    for (let i = 0; i < LANES.length; i++) {
      const lane = this.out(i);
      if (!lane.ready || room <= 0) continue;
      const before = lane.highest;
      const isFirst = lane.unacknowledged === 0;
      const batch = lane.take(room, FRAME_BYTES);
      if (batch === null) continue;
      if (isFirst) lane.since = now;
      room -= batch.messages.length;
      const again = Math.max(0, Math.min(before - batch.first + 1, batch.messages.length));
      this.retransmitted += again;
      if (this.probeLane < 0 && again === 0) this.probe(lane, now);
      if (batches === null) batches = [batch];
      else batches.push(batch);
    }
    return batches ?? NO_BATCHES;
  }

  private takeRepeats(repeats: readonly Batch[]): readonly Batch[] {
    this.repeats = null;
    for (const { messages } of repeats) this.retransmitted += messages.length;
    return repeats;
  }

  private probe(lane: SendLane, now: Nanos): void {
    this.probeLane = lane.lane;
    this.probeNumber = lane.sent;
    this.probeSentAt = now;
  }

  private takeAcks(): LaneMarks {
    for (let i = 0; i < LANES.length; i++) this.in(i).acknowledged = this.in(i).received;
    this.ackNow = false;
    this.ackDueAt = Infinity;
    return this.marks();
  }

  private missing(): LaneMarks {
    const urgent = this.urgentIn.missing;
    const monitor = this.monitorIn.missing;
    const bulk = this.bulkIn.missing;
    return urgent + monitor + bulk === 0 ? NO_MARKS : [urgent, monitor, bulk];
  }

  private takeSendable(): boolean {
    let sendable = false;
    for (let i = 0; i < LANES.length; i++) {
      const lane = this.out(i);
      if (!lane.refused || !lane.hasRoom) continue;
      lane.refused = false;
      sendable = true;
    }
    return sendable;
  }

  private takeInAcks(frame: DataFrame, now: Nanos): void {
    let progress = false;
    for (let i = 0; i < LANES.length; i++) {
      const lane = this.out(i);
      const before = lane.acked;
      lane.acknowledge(frame.acks[i]!);
      if (lane.acked > before) {
        progress = true;
        lane.since = now;
      }
      if (frame.missing[i]! > 0) this.repair(lane, frame.missing[i]!, now);
    }
    if (progress) this.noteProgress(now);
  }

  private noteProgress(now: Nanos): void {
    this.backoff = 1;
    this.retransmitAt = this.nextRepeat();
    if (this.probeLane < 0 || this.out(this.probeLane).acked < this.probeNumber) return;
    const sample = now - this.probeSentAt;
    this.smoothedRttNs = this.smoothedRttNs === 0 ? sample : this.smoothedRttNs * 0.875 + sample * 0.125;
    this.probeLane = -1;
  }

  /** The peer lacks `count` messages although later ones arrived: resends them, at most once per round trip. */
  private repair(lane: SendLane, count: number, now: Nanos): void {
    if (now - this.lastRepeatAt < this.smoothedRttNs) return;
    this.lastRepeatAt = now;
    this.pushRepeat(lane.repeat(Math.min(count, FRAME_MESSAGES), FRAME_BYTES));
  }

  /** Resends in each lane whose wait is too long: acks of another lane say nothing about it. */
  private repeatOverdue(now: Nanos): void {
    const timeout = this.timeoutNs();
    let overdue = false;
    for (let i = 0; i < LANES.length; i++) {
      const lane = this.out(i);
      if (lane.awaitedSince + timeout > now) continue;
      lane.since = now;
      overdue = true;
      this.pushRepeat(lane.repeat(FRAME_MESSAGES, FRAME_BYTES));
    }
    if (!overdue) return;
    this.lastRepeatAt = now;
    this.backoff = Math.min(this.backoff * 2, 64);
  }

  /** When the first lane will have waited too long. */
  private nextRepeat(): Nanos {
    const { urgentOut, monitorOut, bulkOut } = this;
    const since = Math.min(urgentOut.awaitedSince, monitorOut.awaitedSince, bulkOut.awaitedSince);
    return since + this.timeoutNs();
  }

  private pushRepeat(batch: Batch | null): void {
    if (batch === null) return;
    if (batch.lane === this.probeLane) this.probeLane = -1; // its ack could answer either transmission
    (this.repeats ??= []).push(batch);
  }

  private rewind(): void {
    for (let i = 0; i < LANES.length; i++) this.out(i).rewind();
  }

  private noteAckOwed(carriedMessages: boolean, doubled: number, now: Nanos): void {
    if (!carriedMessages) return;
    if (doubled > 0 || this.owesAtOnce(0) || this.owesAtOnce(1) || this.owesAtOnce(2)) this.ackNow = true;
    else if (this.ackDueAt === Infinity) this.ackDueAt = now + ACK_DELAY;
  }

  /** Whether a lane's sender may be waiting for an ack, or must hear what is missing. */
  private owesAtOnce(lane: number): boolean {
    const { received, acknowledged, missing } = this.in(lane);
    return received - acknowledged >= WINDOWS[lane]! / 2 || missing > 0;
  }

  private timeoutNs(): Nanos {
    return Math.min(RTO_MAX, Math.max(RTO_MIN, 3 * this.smoothedRttNs) * this.backoff);
  }

  private out(lane: number): SendLane {
    return lane === 0 ? this.urgentOut : lane === 1 ? this.monitorOut : this.bulkOut;
  }

  private in(lane: number): ReceiveLane {
    return lane === 0 ? this.urgentIn : lane === 1 ? this.monitorIn : this.bulkIn;
  }

  /** The lane, which is this channel's own from now on. */
  private outFor(lane: number): SendLane {
    const out = this.out(lane);
    return out === UNUSED_OUT[lane] ? (this[OUT[lane]!] = newSendLane(lane)) : out;
  }

  private inFor(lane: number): ReceiveLane {
    const known = this.in(lane);
    return known === UNUSED_IN[lane] ? (this[IN[lane]!] = newReceiveLane(lane)) : known;
  }
}

function newSendLane(lane: number): SendLane {
  const [window, queue] = LANE_LIMITS[lane]!;
  return new SendLane(lane, limit(window), limit(queue));
}

function newReceiveLane(lane: number): ReceiveLane {
  return new ReceiveLane(limit(LANE_LIMITS[lane]![0]));
}
