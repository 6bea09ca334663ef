import type { Nanos, PeerId } from '@mk/monitor-proto/ids';
import { SKB_PEER } from '@mk/monitor-proto/ids';
import type { MachineModel } from '@mk/skb/config';

/**
 * The cost of messages on the simulated machine, in nanoseconds: every message occupies its sender, travels, and
 * occupies its receiver, so that fan-out has its price and queues form.
 */
export interface CostModel {
  /** How long the message is under way. */
  latencyNs(from: PeerId, to: PeerId): Nanos;
  /** How long one message occupies its sender. */
  sendNs(from: PeerId, to: PeerId): Nanos;
  /** How long one message occupies its receiver. */
  receiveNs(from: PeerId, to: PeerId): Nanos;
  /** How long anything but a message occupies a core: a timer, a request over the control port. */
  readonly eventNs: Nanos;
}

/** The SKB is on no core of the machine: talking to it costs every core the same. */
const SKB_LATENCY: Nanos = 1_000;

/** The costs of a machine description. */
export function costsOf(machine: MachineModel): CostModel {
  return {
    latencyNs: (from, to) => (from === SKB_PEER || to === SKB_PEER ? SKB_LATENCY : machine.latencyNs(from, to)),
    sendNs: (from, to) => (from === SKB_PEER || to === SKB_PEER ? 0 : machine.sendOccupancyNs(from, to)),
    receiveNs: (from, to) => (from === SKB_PEER || to === SKB_PEER ? 0 : machine.receiveOccupancyNs(from, to)),
    eventNs: 0,
  };
}
