import type { Upcall } from '@mk/libmk/dispatcher/protocol';
import type { ErrorName } from '@mk/monitor-proto/errors';
import type { CoreId, DomainId, Nanos } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { MessageOf } from '@mk/monitor-proto/messages/table';
import type { SystemCallDone } from '../../cpu-driver/system-calls.ts';
import type { Outcome } from '../operations.ts';
import type { Circuits, CircuitUsers, Leg } from './circuits.ts';
import { type Carrier, End, type Parcel, type Way, WAYS } from './end.ts';
import type { Ports } from './ports.ts';

/** The dispatchers of this core, as channels see them, each by the number of its domain here. */
export interface Receivers {
  upcall(dispatcher: number, upcall: Upcall, now: Nanos): void;
}

/** Moves capabilities beside messages. */
export interface CapabilityMover {
  /**
   * Sends a parcel's capabilities to the other end; answers their addresses there. On failure, those already sent are
   * dropped there.
   */
  transfer(end: End, parcel: Extract<Parcel, { kind: 'data' }>, now: Nanos, done: Transferred): void;
  /** Deletes capabilities that came for a channel whose message never will. */
  discard(domain: DomainId, addresses: Iterable<number>): void;
}
export type Transferred = (
  outcome: Outcome<readonly number[]>,
  /** Capabilities that the receiver has although the transfer failed. */
  stranded: readonly number[],
  now: Nanos,
) => void;

/*
 * The ends of channels on one core. Messages of a dispatcher are passed on in order, whatever carries them:
 *
 *   K1  exactly once and FIFO: the bytes received at one end are a prefix of the bytes sent at the other, and all of
 *       them while both ends live and the carrier does
 *   K5  a capability in a message is with its sender, under way, or with the receiver; a copy is made once. It arrives
 *       before its message, which gives its address; one whose message never comes is deleted
 *   K6  when an end is gone, the other end's dispatcher learns the reason, after everything sent before
 */
export class Ends implements CircuitUsers {
  private readonly byId = new Map<number, End>();
  private readonly ofDomain = new Map<number, Set<End>>();

  constructor(
    private readonly ports: Ports,
    private readonly receivers: Receivers,
    private readonly mover: CapabilityMover,
    private readonly takeId: () => number,
    /** Called with the outcome of a channel that we requested. */
    private readonly onAnswer: (end: End, error: ErrorName | null, now: Nanos) => void,
    /** The circuits beneath the ends; used from the first message on, not before. */
    private readonly circuits: () => Circuits,
  ) {}

  get size(): number {
    return this.byId.size;
  }

  all(): Iterable<End> {
    return this.byId.values();
  }

  get(id: number): End | undefined {
    return this.byId.get(id);
  }

  /** The end of that number, if it belongs to this dispatcher. */
  ownedBy(domain: DomainId, id: number): End | undefined {
    const end = this.byId.get(id);
    return end?.domain === domain && !end.closing ? end : undefined;
  }

  /** The number of a dispatcher's channels. */
  countOf(domain: DomainId): number {
    return this.ofDomain.get(domain)?.size ?? 0;
  }

  make(domain: DomainId, way: Way, otherCore: CoreId, window: number, now: Nanos): End {
    const end = new End(this.takeId(), domain, way, otherCore, window, now);
    this.byId.set(end.id, end);
    const siblings = this.ofDomain.get(domain);
    if (siblings === undefined) this.ofDomain.set(domain, new Set([end]));
    else siblings.add(end);
    return end;
  }

  /** Joins two ends of this core into a channel, and notifies the port's dispatcher. */
  join(client: End, port: { readonly id: number; readonly domain: DomainId }, core: CoreId, now: Nanos): End {
    const server = this.make(port.domain, 'lmp', core, client.window, now);
    this.connect(client, { kind: 'local', other: server }, server.id);
    this.connect(server, { kind: 'local', other: client }, client.id);
    this.tellPort(port.id, server, now);
    return server;
  }

  connect(end: End, carrier: Carrier, otherEnd: number): void {
    end.carrier = carrier;
    end.otherEnd = otherEnd;
  }

  // Calls from dispatchers.

  /** Accepts messages. Exceeding the window is the program's fault, and ends the channel. */
  send(end: End, parcel: Extract<Parcel, { kind: 'data' }>, now: Nanos): void {
    if (parcel.data.length > end.room) return this.fault(end, parcel.done, now);
    end.sent += parcel.data.length;
    end.invariants();
    end.outbox.push(parcel);
    this.pump(end, now);
  }

  /** The dispatcher has taken so many more bytes; false: more than it was given. */
  took(end: End, bytes: number, now: Nanos): boolean {
    if (bytes > end.received - end.taken) return false;
    end.taken += bytes;
    end.invariants();
    const { carrier } = end;
    if (carrier?.kind === 'local') this.credited(carrier.other, end.taken, now);
    else if (carrier?.kind === 'circuit') this.circuits().credit(carrier.peer, carrier.circuit, end.taken);
    return true;
  }

  /** This dispatcher sends nothing more; its messages are still passed on, and then the other end is notified. */
  close(end: End, error: ErrorName, now: Nanos): void {
    if (end.closing) return;
    end.closing = true;
    end.outbox.push({ kind: 'close', error });
    this.pump(end, now);
  }

  /** Closes all ends of a dispatcher that has ended. */
  dispatcherGone(domain: DomainId, now: Nanos): void {
    for (const end of [...(this.ofDomain.get(domain) ?? [])]) this.close(end, 'DISPATCHER_GONE', now);
  }

  // Events from other cores.

  opened(leg: Leg, request: MessageOf<'circuit_open'>, now: Nanos): number | ErrorName {
    const port = this.ports.get(request.port);
    if (port === undefined) return 'NO_SUCH_SERVICE';
    if (port.interface !== request.interface) return 'INTERFACE_MISMATCH';
    if (this.countOf(port.domain) >= limit('channelsPerDispatcher')) return 'TOO_MANY_CHANNELS';
    const { window, origin } = request;
    if (window < limit('channelWindowLeastBytes') || window > limit('channelWindowMostBytes')) return 'BAD_REQUEST';
    const end = this.make(port.domain, leg.peer === origin ? 'urpc' : 'multihop', origin, window, now);
    this.connect(end, { kind: 'circuit', peer: leg.peer, circuit: leg.circuit }, request.end);
    this.tellPort(port.id, end, now);
    return end.id;
  }

  accepted(id: number, otherEnd: number, now: Nanos): void {
    const end = this.byId.get(id);
    if (end === undefined || end.otherEnd !== 0) return;
    end.otherEnd = otherEnd;
    this.onAnswer(end, null, now);
  }

  data(id: number, { payload, caps }: MessageOf<'circuit_data'>, now: Nanos): void {
    const end = this.byId.get(id);
    if (end === undefined) return;
    if (payload.length === 0 || end.closing) this.drop(end, caps);
    else this.deliver(end, payload, caps, now);
  }

  credit(id: number, taken: number, now: Nanos): void {
    const end = this.byId.get(id);
    if (end !== undefined) this.credited(end, taken, now);
  }

  closed(id: number, error: ErrorName, now: Nanos): void {
    const end = this.byId.get(id);
    if (end === undefined) return;
    if (end.otherEnd === 0) {
      this.remove(end);
      return this.onAnswer(end, error, now);
    }
    this.over(end, error, now);
  }

  // Internals.

  private tellPort(port: number, end: End, now: Nanos): void {
    const words = [end.id, end.otherCore, WAYS.indexOf(end.way), end.window];
    const upcall = { type: 'message', channel: port, words, data: NO_BYTES, capabilities: [] } as const;
    this.receivers.upcall(end.domain, upcall, now);
  }

  /** Passes on parcels in order, as far as possible. */
  private pump(end: End, now: Nanos): void {
    while (!end.transferring && !end.gone) {
      const parcel = end.outbox[0];
      if (parcel === undefined) return;
      if (parcel.kind === 'data' && parcel.capabilities.length > 0) return this.transfer(end, parcel, now);
      end.outbox.shift();
      if (parcel.kind === 'data') this.carry(end, parcel.data, [], parcel.done, now);
      else this.finish(end, parcel.error, now);
    }
  }

  private transfer(end: End, parcel: Extract<Parcel, { kind: 'data' }>, now: Nanos): void {
    end.transferring = true;
    this.mover.transfer(end, parcel, now, (outcome, stranded, at) => {
      end.transferring = false;
      if (end.gone) return;
      end.outbox.shift();
      if (outcome.ok) this.carry(end, parcel.data, outcome.value, parcel.done, at);
      else this.unsent(end, parcel, outcome.error, stranded, at);
      this.pump(end, at);
    });
  }

  /** A message whose capabilities cannot be sent is not sent; the refusal returns its sender's credit. */
  private unsent(
    end: End,
    { data, done }: Extract<Parcel, { kind: 'data' }>,
    error: ErrorName,
    stranded: readonly number[],
    now: Nanos,
  ): void {
    end.sent -= data.length;
    if (stranded.length > 0) this.carry(end, NO_BYTES, stranded, null, now);
    done?.({ ok: false, error }, now);
  }

  private carry(
    end: End,
    data: Uint8Array,
    capabilities: readonly number[],
    done: SystemCallDone | null,
    now: Nanos,
  ): void {
    const { carrier } = end;
    if (carrier?.kind === 'circuit') this.circuits().data(carrier.peer, carrier.circuit, data, capabilities);
    else if (carrier?.kind === 'local') {
      if (data.length === 0) this.drop(carrier.other, capabilities);
      else this.deliver(carrier.other, data, capabilities, now);
    }
    done?.({ ok: true, value: null }, now);
  }

  private deliver(end: End, data: Uint8Array, capabilities: readonly number[], now: Nanos): void {
    if (end.closing || end.gone) return this.drop(end, capabilities);
    if (end.received + data.length - end.taken > end.window) return this.fault(end, null, now);
    for (const address of capabilities) end.arrived.delete(address);
    end.received += data.length;
    end.invariants();
    const upcall = { type: 'message', channel: end.id, words: NO_WORDS, data, capabilities } as const;
    this.receivers.upcall(end.domain, upcall, now);
  }

  private drop(end: End, capabilities: readonly number[]): void {
    for (const address of capabilities) end.arrived.delete(address);
    if (capabilities.length > 0) this.mover.discard(end.domain, capabilities);
  }

  private credited(end: End, taken: number, now: Nanos): void {
    if (taken > end.sent || taken < end.credited) return this.fault(end, null, now);
    const more = taken - end.credited;
    end.credited = taken;
    end.invariants();
    if (more > 0 && !end.closing)
      this.receivers.upcall(end.domain, { type: 'credit', channel: end.id, bytes: more }, now);
  }

  /** The last parcel has gone: notifies the other end, and ends this one. */
  private finish(end: End, error: ErrorName, now: Nanos): void {
    const { carrier } = end;
    this.remove(end);
    if (carrier?.kind === 'local') this.over(carrier.other, error, now);
    else if (carrier?.kind === 'circuit') this.circuits().close(carrier.peer, carrier.circuit, error);
  }

  /** The other end is gone: notifies the dispatcher, and drops its unsent messages. */
  private over(end: End, error: ErrorName, now: Nanos): void {
    if (end.gone) return;
    this.remove(end);
    for (const parcel of end.outbox) if (parcel.kind === 'data') parcel.done?.({ ok: false, error }, now);
    end.outbox.length = 0;
    if (!end.closing) this.receivers.upcall(end.domain, { type: 'closed', channel: end.id, error }, now);
  }

  /** Somebody sent or credited more than allowed: the channel ends, at both ends, with a reason. */
  private fault(end: End, done: SystemCallDone | null, now: Nanos): void {
    const { carrier } = end;
    done?.({ ok: false, error: 'ENDPOINT_OVERFLOW' }, now);
    this.over(end, 'ENDPOINT_OVERFLOW', now);
    if (carrier?.kind === 'local') this.over(carrier.other, 'ENDPOINT_OVERFLOW', now);
    else if (carrier?.kind === 'circuit') this.circuits().close(carrier.peer, carrier.circuit, 'ENDPOINT_OVERFLOW');
  }

  remove(end: End): void {
    end.gone = true;
    this.byId.delete(end.id);
    const siblings = this.ofDomain.get(end.domain);
    siblings?.delete(end);
    if (siblings?.size === 0) this.ofDomain.delete(end.domain);
    if (end.arrived.size > 0) this.mover.discard(end.domain, end.arrived);
    end.arrived.clear();
  }
}

const NO_BYTES = new Uint8Array();
const NO_WORDS: readonly number[] = [];
