import { known } from '../assert.ts';
import type { Nanos } from '../ids.ts';
import type { EffectSink } from '../outbox.ts';
import { clear } from '../reused-array.ts';
import type { TimerQueue } from '../timer-queue.ts';
import { encodeFrame } from '../urpc/frame-codec.ts';
import type { DataFrame, Frame } from '../urpc/frames.ts';
import type { EndpointCounters } from './owner.ts';
import type { Peer } from './peer.ts';

/** Turns queued messages into frames at the end of a step, and wakes channels when they are due. */
export class Outgoing {
  private readonly dirty: Peer[] = [];

  constructor(
    private readonly outbox: EffectSink,
    private readonly timers: TimerQueue,
    private readonly counters: EndpointCounters,
  ) {}

  /** Marks the peer's channel for the next `flush`. */
  touch(peer: Peer): void {
    if (peer.dirty) return;
    peer.dirty = true;
    this.dirty.push(peer);
  }

  /**
   * A frame has come. If it acknowledged everything and carried no message, the channel's timer has nothing left to do
   * and is cancelled, so that it does not wake the process. Otherwise it stays: under traffic an idle wake-up costs
   * less than cancelling a timer per message.
   */
  answer(peer: Peer, { batches }: DataFrame): void {
    if (batches.length === 0 && peer.timer !== null && peer.channel.idle) {
      this.timers.cancel(peer.timer);
      peer.timer = null;
      peer.armedAt = Infinity;
    }
    this.touch(peer);
  }

  /** Turns everything queued into frames. */
  flush(now: Nanos): void {
    for (let i = 0; i < this.dirty.length; i++) this.flushPeer(known(this.dirty[i]), now);
    clear(this.dirty);
  }

  /** Sends the peer a frame on its open link. */
  sendFrame(peer: Peer, frame: Frame, now: Nanos): void {
    peer.lastSentAt = now;
    this.outbox.push({ type: 'send_frame', link: peer.link, peer: peer.id, frame: encodeFrame(frame) });
  }

  private flushPeer(peer: Peer, now: Nanos): void {
    peer.dirty = false;
    if (peer.gone) return;
    if (peer.channel.unacknowledged === 0) peer.askedAt = Infinity;
    else if (peer.askedAt === Infinity) peer.askedAt = now;
    if (peer.link !== 0) this.sendQueued(peer, now);
    this.arm(peer);
  }

  private sendQueued(peer: Peer, now: Nanos): void {
    const { channel } = peer;
    const repeatedBefore = channel.retransmitted;
    for (;;) {
      const frame = channel.takeFrame(now, this.outbox.lamport);
      if (frame === null) break;
      this.counters.framesSent += 1;
      this.sendFrame(peer, frame, now);
    }
    this.counters.retransmitted += channel.retransmitted - repeatedBefore;
  }

  /** At most one timer per channel; it checks again when it fires, so that a message sets none. */
  private arm(peer: Peer): void {
    const { deadline } = peer.channel;
    if (deadline >= peer.armedAt) return;
    this.timers.cancel(peer.timer); // an ack is due long before a backed-off repeat, and each would leave its timer behind
    peer.armedAt = deadline;
    peer.timer = this.timers.set(deadline, this.lookAt, peer);
  }

  private readonly lookAt = (now: Nanos, peer: Peer): void => {
    peer.armedAt = Infinity;
    peer.timer = null;
    if (peer.link !== 0) peer.channel.expire(now);
    if (peer.link !== 0 || peer.channel.deadline > now) this.touch(peer);
  };
}
