import type { Nanos, PeerId } from '../ids.ts';

/** What one message costs its sender and its receiver, by the other end; nanoseconds of wall time. */
export interface MessageCosts {
  sendNs(to: PeerId): Nanos;
  receiveNs(from: PeerId): Nanos;
}

/**
 * A core's two serialisers: one for all that it sends, one for all that it takes.
 *
 *   OC1  the k-th message leaves at max(now, when the previous one left) + the cost of its receiver's distance;
 *   OC2  it is taken at max(its arrival, when the previous one was taken) + the cost of its sender's distance.
 *
 * Without them a core of a running cluster could send to 31 others at once, and a tree of messages could only lose.
 * Source: the simulator's cost model (sim/src/engine/costs.ts), and the occupancies of the Multikernel paper's
 * machines.
 */
export class Occupancy {
  private sentNs: Nanos = 0;
  private takenNs: Nanos = 0;

  constructor(private readonly costs: MessageCosts) {}

  /** When so many messages for a peer have left. */
  leave(now: Nanos, to: PeerId, messages: number): Nanos {
    return (this.sentNs = Math.max(now, this.sentNs) + messages * this.costs.sendNs(to));
  }

  /** When so many messages of a peer have been taken. */
  take(now: Nanos, from: PeerId, messages: number): Nanos {
    return (this.takenNs = Math.max(now, this.takenNs) + messages * this.costs.receiveNs(from));
  }
}
