import type { Nanos, PeerId } from '../ids.ts';

/** The cost of one message to its sender and its receiver, depending on the other end; nanoseconds of wall time. */
export interface MessageCosts {
  sendNs(to: PeerId): Nanos;
  receiveNs(from: PeerId): Nanos;
}

/**
 * A core's two serialisers: one for everything it sends, one for everything it takes.
 *
 *   OC1  the k-th message leaves at max(now, when the previous one left) + the cost of its receiver's distance;
 *   OC2  it is taken at max(its arrival, when the previous one was taken) + the cost of its sender's distance.
 *
 * Without them a core of a running cluster could send to 31 others at once, and no message tree could ever win. Source:
 * the simulator's cost model (sim/src/engine/costs.ts), and the occupancies of the Multikernel paper's machines.
 */
export class Occupancy {
  private sentNs: Nanos = 0;
  private takenNs: Nanos = 0;

  constructor(private readonly costs: MessageCosts) {}

  /** When the next so many messages for a peer will have left. */
  leave(now: Nanos, to: PeerId, messages: number): Nanos {
    return (this.sentNs = Math.max(now, this.sentNs) + messages * this.costs.sendNs(to));
  }

  /** When the next so many messages of a peer will have been taken. */
  take(now: Nanos, from: PeerId, messages: number): Nanos {
    return (this.takenNs = Math.max(now, this.takenNs) + messages * this.costs.receiveNs(from));
  }
}
