/*
 * Circuits, the segments of a channel on each link that it crosses, and the relays between them (Barrelfish Technical
 * Note 006, “Routing in Barrelfish”). The opener chooses a circuit's number; the two ends of a link never choose the
 * same. Links are exactly once and FIFO, and so is a chain.
 *
 *   K3  a circuit is at both ends of its link, or a message that ends or begins it is under way
 *   K4  a relay forwards what comes, in order, and keeps none of it: the ends' windows bound the bytes under way
 */
import { known } from '@mk/monitor-proto/assert';
import { ERRORS, type ErrorName, errorOfCode } from '@mk/monitor-proto/errors';
import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { Message, MessageOf } from '@mk/monitor-proto/messages/table';
import type { MonitorContext } from '../context.ts';
import type { Outlets } from '../outlets.ts';

/** One circuit at one end of its link. */
export interface Leg {
  readonly peer: CoreId;
  readonly circuit: number;
  /** The destination of its messages. */
  to: { readonly kind: 'end'; readonly end: number } | { readonly kind: 'relay'; readonly other: Leg };
}

/** The ends of channels, as circuits see them. */
export interface CircuitUsers {
  /** A channel asks for a port of this core: returns its end here, or why not. */
  opened(leg: Leg, request: MessageOf<'circuit_open'>, now: Nanos): number | ErrorName;
  /** The channel that we requested exists. */
  accepted(end: number, otherEnd: number, now: Nanos): void;
  data(end: number, message: MessageOf<'circuit_data'>, now: Nanos): void;
  credit(end: number, taken: number, now: Nanos): void;
  closed(end: number, error: ErrorName, now: Nanos): void;
}

type CircuitMessage = MessageOf<
  'circuit_open' | 'circuit_opened' | 'circuit_data' | 'circuit_credit' | 'circuit_close'
>;

export class Circuits {
  private readonly legs = new Map<CoreId, Map<number, Leg>>();
  private readonly nextNumber = new Map<CoreId, number>();
  private relays = 0;

  constructor(
    private readonly context: MonitorContext,
    private readonly outlets: Outlets,
    private readonly users: CircuitUsers,
  ) {}

  /** Circuits of ends and relays of this core. */
  get size(): number {
    let size = 0;
    for (const ofPeer of this.legs.values()) size += ofPeer.size;
    return size;
  }

  /** The number of circuits between others that this core relays. */
  get relayed(): number {
    return this.relays;
  }

  *all(): Generator<Leg> {
    for (const ofPeer of this.legs.values()) yield* ofPeer.values();
  }

  /** Asks the first core of a route for a circuit to a port at its last. */
  open(end: number, route: readonly CoreId[], port: number, spoken: string, window: number): Leg {
    const [first, ...rest] = route;
    const leg = this.add(known(first), this.takeNumber(known(first)), { kind: 'end', end });
    const { core } = this.context;
    this.tell(leg, 'circuit_open', { origin: core, end, route: rest, port, interface: spoken, window });
    return leg;
  }

  data(peer: CoreId, circuit: number, payload: Uint8Array, caps: readonly number[]): void {
    const leg = this.legs.get(peer)?.get(circuit);
    if (leg !== undefined) this.tell(leg, 'circuit_data', { caps, payload });
  }

  credit(peer: CoreId, circuit: number, taken: number): void {
    const leg = this.legs.get(peer)?.get(circuit);
    if (leg !== undefined) this.tell(leg, 'circuit_credit', { taken });
  }

  /** Ends a circuit at this end, after everything sent on it. */
  close(peer: CoreId, circuit: number, error: ErrorName): void {
    const leg = this.legs.get(peer)?.get(circuit);
    if (leg !== undefined) this.end(leg, error);
  }

  // Messages from other cores.

  onOpen(from: CoreId, request: MessageOf<'circuit_open'>, now: Nanos): void {
    const { circuit, route } = request;
    if (this.isOurs(from, circuit) || this.legs.get(from)?.has(circuit) === true)
      return this.reject(from, `circuit ${circuit} cannot be opened by core ${from}`);
    const leg = this.add(from, circuit, { kind: 'end', end: 0 });
    if (route.length > 0) return this.relay(leg, request);
    const taken = this.users.opened(leg, request, now);
    if (typeof taken !== 'number') return this.end(leg, taken);
    leg.to = { kind: 'end', end: taken };
    this.tell(leg, 'circuit_opened', { end: taken });
  }

  onOpened(from: CoreId, message: MessageOf<'circuit_opened'>, now: Nanos): void {
    this.pass(from, message, (end) => this.users.accepted(end, message.end, now));
  }

  onData(from: CoreId, message: MessageOf<'circuit_data'>, now: Nanos): void {
    this.pass(from, message, (end) => this.users.data(end, message, now));
  }

  onCredit(from: CoreId, message: MessageOf<'circuit_credit'>, now: Nanos): void {
    this.pass(from, message, (end) => this.users.credit(end, message.taken, now));
  }

  onClose(from: CoreId, { circuit, error }: MessageOf<'circuit_close'>, now: Nanos): void {
    const leg = this.legs.get(from)?.get(circuit);
    if (leg !== undefined) this.lost(leg, errorOfCode(error) ?? 'CHANNEL_CLOSED', now);
  }

  peerGone(core: CoreId, now: Nanos): void {
    for (const leg of [...(this.legs.get(core)?.values() ?? [])]) this.lost(leg, 'PEER_GONE', now);
    this.legs.delete(core);
    this.nextNumber.delete(core);
  }

  /**
   * Delivers a message on a circuit to its end, or relays it; a message on an unknown circuit was under way when the
   * circuit ended.
   */
  private pass(from: CoreId, message: CircuitMessage, deliver: (end: number) => void): void {
    const leg = this.legs.get(from)?.get(message.circuit);
    if (leg === undefined) return;
    if (leg.to.kind === 'end') return deliver(leg.to.end);
    const { peer, circuit } = leg.to.other;
    this.outlets.send(peer, { ...message, circuit } as Message);
  }

  private relay(leg: Leg, request: MessageOf<'circuit_open'>): void {
    const [next, ...rest] = request.route;
    const { core, endpoint } = this.context;
    if (next === core || rest.length >= limit('circuitHops')) return this.end(leg, 'NO_ROUTE');
    if (this.relays >= limit('circuitRelays')) return this.end(leg, 'TOO_MANY_CHANNELS');
    if ((endpoint.peers.get(known(next))?.link ?? 0) === 0 || !this.context.monitors.has(known(next)))
      return this.end(leg, 'NO_ROUTE');
    const other = this.add(known(next), this.takeNumber(known(next)), { kind: 'relay', other: leg });
    leg.to = { kind: 'relay', other };
    this.relays += 1;
    this.outlets.send(known(next), { ...request, circuit: other.circuit, route: rest });
  }

  /** A circuit is over, and the other end of its link knows it or is gone. */
  private lost(leg: Leg, error: ErrorName, now: Nanos): void {
    this.remove(leg);
    if (leg.to.kind === 'end') this.users.closed(leg.to.end, error, now);
    else {
      this.relays -= 1;
      this.end(leg.to.other, error);
    }
  }

  private end(leg: Leg, error: ErrorName): void {
    this.remove(leg);
    this.outlets.send(leg.peer, { type: 'circuit_close', circuit: leg.circuit, error: ERRORS[error].code });
  }

  private tell<T extends CircuitMessage['type']>(
    { peer, circuit }: Leg,
    type: T,
    fields: Omit<MessageOf<T>, 'type' | 'circuit'>,
  ): void {
    this.outlets.send(peer, { type, circuit, ...fields } as unknown as Message);
  }

  private add(peer: CoreId, circuit: number, to: Leg['to']): Leg {
    const leg = { peer, circuit, to };
    const ofPeer = this.legs.get(peer);
    if (ofPeer === undefined) this.legs.set(peer, new Map([[circuit, leg]]));
    else ofPeer.set(circuit, leg);
    return leg;
  }

  private remove({ peer, circuit }: Leg): void {
    const ofPeer = this.legs.get(peer);
    ofPeer?.delete(circuit);
    if (ofPeer?.size === 0) this.legs.delete(peer);
  }

  private takeNumber(peer: CoreId): number {
    const number = this.nextNumber.get(peer) ?? (this.context.core < peer ? 2 : 1);
    this.nextNumber.set(peer, number + 2);
    return number;
  }

  private isOurs(peer: CoreId, circuit: number): boolean {
    return (circuit % 2 === 0) === this.context.core < peer;
  }

  private reject(from: CoreId, text: string): void {
    const link = this.context.endpoint.peers.get(from)?.link ?? 0;
    this.context.outbox.log('frame_rejected', { peer: from, link, error: 'OUT_OF_PLACE', text });
  }
}
