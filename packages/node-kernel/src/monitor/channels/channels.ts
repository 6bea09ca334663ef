import { isErrorName } from '@mk/monitor-proto/errors';
import type { Nanos } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { MetricFamily } from '@mk/monitor-proto/metrics';
import { isCorePeer, type Peer } from '@mk/monitor-proto/endpoint/peer';
import type { Domain } from '../../cpu-driver/domains.ts';
import type { GiveUp } from '../../cpu-driver/give-up.ts';
import type { ArgumentsOf, SystemCallDone } from '../../cpu-driver/system-calls.ts';
import type { CapopsContext } from '../capops/context.ts';
import type { MonitorContext } from '../context.ts';
import { givingUp, type Operation, OperationError, type Outcome } from '../operations.ts';
import type { MessageHandlers, Service, SystemCallHandlers, Verbs } from '../service.ts';
import { Binding, wayNamed } from './binding.ts';
import { ChannelCapabilities } from './capability-mover.ts';
import { Circuits } from './circuits.ts';
import { type End, WAYS } from './end.ts';
import { Ends, type Receivers } from './ends.ts';
import { failUnlessName, type NameRecords, Names } from './names.ts';
import { Outlets } from '../outlets.ts';
import { type Port, Ports } from './ports.ts';

/**
 * Channels between dispatchers: names, binding, and the ends on this core (invariants K1–K7, each stated where it is
 * maintained). The dispatcher's library knows interfaces and requests; here messages are bytes, and counters give
 * credit.
 */
export class Channels implements Service {
  readonly ports = new Ports();
  readonly ends: Ends;
  readonly circuits: Circuits;
  readonly outlets: Outlets;
  private readonly names: Names;
  private readonly binding: Binding;
  private lastId = 0;

  readonly messages = {
    circuit_open: (from, message, now) => this.circuits.onOpen(from.id, message, now),
    circuit_opened: (from, message, now) => this.circuits.onOpened(from.id, message, now),
    circuit_data: (from, message, now) => this.circuits.onData(from.id, message, now),
    circuit_credit: (from, message, now) => this.circuits.onCredit(from.id, message, now),
    circuit_close: (from, message, now) => this.circuits.onClose(from.id, message, now),
  } satisfies MessageHandlers;

  readonly systemCalls = {
    channel_look_up: (caller, { name, wait, timeout }, now, done) => {
      failUnlessName(name);
      const deadline = timeout === undefined ? Infinity : now + timeout;
      return this.run(this.binding.lookUp(caller.id, name, wait, deadline), now, (outcome, at) => {
        if (!outcome.ok) return done(outcome, at);
        if (outcome.value === null) return done({ ok: false, error: 'NO_SUCH_SERVICE' }, at);
        done({ ok: true, value: outcome.value }, at);
      });
    },
    channel_export: (caller, args, now, done) => this.offer(caller, args, now, done),
    channel_withdraw: (caller, { port }, now, done) => {
      this.withdraw(this.portOf(caller, port));
      done({ ok: true, value: null }, now);
    },
    channel_bind: (caller, { request }, now, done) => this.bind(caller, request, now, done),
    channel_send: (caller, args, now, done) => this.send(caller, args, now, done),
    channel_taken: (caller, { channel, bytes }, now, done) => {
      const end = this.ends.ownedBy(caller.id, channel);
      // Ignored when the channel ended meanwhile, which is not the caller's mistake.
      if (end !== undefined && !this.ends.took(end, bytes, now))
        throw new OperationError('BAD_SYSTEM_CALL', 'more was taken than came');
      done({ ok: true, value: null }, now);
    },
    channel_close: (caller, { channel, error }, now, done) => {
      const end = this.ends.ownedBy(caller.id, channel);
      if (end !== undefined) this.ends.close(end, isErrorName(error) ? error : 'CHANNEL_CLOSED', now);
      done({ ok: true, value: null }, now);
    },
  } satisfies SystemCallHandlers;

  readonly verbs: Verbs = {
    channels: { args: [], doc: 'The channels and offered names of this core’s dispatchers.', run: () => this.rows() },
  };

  constructor(
    private readonly context: MonitorContext,
    capops: CapopsContext,
    records: NameRecords,
    receivers: Receivers,
  ) {
    const takeId = (): number => ++this.lastId;
    this.outlets = new Outlets(context);
    this.ends = new Ends(
      this.ports,
      receivers,
      new ChannelCapabilities(capops),
      takeId,
      (end, error, now) => this.binding.answered(end, error, now),
      () => this.circuits,
    );
    this.circuits = new Circuits(context, this.outlets, this.ends);
    this.names = new Names(context, records, this.ports);
    this.binding = new Binding(context, this.ports, this.names, this.ends, this.circuits);
    capops.receivers.addEnds((id) => {
      const end = this.ends.get(id);
      if (end === undefined || end.closing || end.gone) return undefined;
      return { domain: end.domain, arrived: (address) => void end.arrived.add(address) };
    });
  }

  /** A dispatcher of this core is gone: its names are free, and its channels notify their other ends. */
  dispatcherGone({ id }: Domain, now: Nanos): void {
    this.binding.dispatcherGone(id, now);
    for (const port of this.ports.all()) if (port.domain === id) this.withdraw(port);
    this.ends.dispatcherGone(id, now);
  }

  sendable(peer: Peer): void {
    if (isCorePeer(peer)) this.outlets.sendable(peer.id);
  }

  peerGone(peer: Peer, now: Nanos): void {
    if (!isCorePeer(peer)) return;
    this.outlets.peerGone(peer.id);
    this.circuits.peerGone(peer.id, now);
  }

  metrics(): readonly MetricFamily[] {
    const ways = WAYS.map((way) => ({
      labels: { way },
      value: [...this.ends.all()].filter((end) => end.way === way).length,
    }));
    return [
      { name: 'mk_channel_ends', type: 'gauge', help: 'Ends of channels of this core’s dispatchers.', samples: ways },
      {
        name: 'mk_circuits_relayed',
        type: 'gauge',
        help: 'Channels between other cores that this one relays.',
        samples: [{ value: this.circuits.relayed }],
      },
    ];
  }

  leftovers(): readonly string[] {
    const counts = [
      [this.ends.size, 'ends of channels'],
      [this.ports.size, 'offered names'],
      [this.circuits.size, 'circuits'],
      [this.outlets.size, 'messages of channels that wait for room'],
      [this.binding.size, 'binds'],
    ] as const;
    return counts.flatMap(([count, what]) => (count > 0 ? [`${count} ${what}`] : []));
  }

  private bind(
    caller: Domain,
    request: ArgumentsOf<'channel_bind'>['request'],
    now: Nanos,
    done: SystemCallDone,
  ): GiveUp {
    const { name, interface: spoken, wait, transport, via, window = limit('channelWindowBytes'), timeout } = request;
    failUnlessName(name);
    if (window < limit('channelWindowLeastBytes') || window > limit('channelWindowMostBytes'))
      throw new OperationError('BAD_REQUEST', `a window of ${window} bytes`);
    if (this.ends.countOf(caller.id) >= limit('channelsPerDispatcher'))
      throw new OperationError('TOO_MANY_CHANNELS', 'this dispatcher has reached its limit of channels');
    const bind = {
      name,
      interface: spoken,
      wait,
      window,
      way: wayNamed(transport),
      via: via ?? null,
      deadline: timeout === undefined ? Infinity : now + timeout,
    };
    return this.run(this.binding.run(caller.id, bind), now, (outcome, at) => {
      if (!outcome.ok) return done(outcome, at);
      const { id, way, otherCore } = outcome.value;
      done({ ok: true, value: { channel: id, way: WAYS.indexOf(way), core: otherCore, window } }, at);
    });
  }

  private offer(
    caller: Domain,
    { name, interface: spoken, scope }: ArgumentsOf<'channel_export'>,
    now: Nanos,
    done: SystemCallDone,
  ): GiveUp | void {
    failUnlessName(name);
    if (scope !== 'machine' && scope !== 'core') throw new OperationError('BAD_REQUEST', `no scope is called ${scope}`);
    const port: Port = { id: ++this.lastId, domain: caller.id, name, interface: spoken, scope };
    const taken = this.ports.add(port);
    if (taken !== null) throw new OperationError(taken, `${name} is offered on this core already`);
    if (scope === 'core') return done({ ok: true, value: port.id }, now);
    this.run(this.names.register(port), now, (outcome, at) => {
      const error = outcome.ok ? outcome.value : outcome.error;
      if (error !== null) this.withdraw(port); // after a lost session the record may exist nevertheless
      done(error === null ? { ok: true, value: port.id } : { ok: false, error }, at);
    });
    return () => this.withdraw(port);
  }

  private withdraw(port: Port): void {
    if (this.ports.remove(port.id) === undefined || port.scope === 'core') return;
    const { operations, now } = this.context;
    operations.start(operations.nextId(), this.names.withdraw(port), now, () => undefined, true);
  }

  private portOf(caller: Domain, id: number): Port {
    const port = this.ports.get(id);
    if (port?.domain !== caller.id) throw new OperationError('NO_SUCH_SERVICE', 'the caller offers no such name');
    return port;
  }

  private send(
    caller: Domain,
    { channel, data, capabilities, give }: ArgumentsOf<'channel_send'>,
    now: Nanos,
    done: SystemCallDone,
  ): void {
    const end = this.ends.ownedBy(caller.id, channel);
    if (end === undefined) throw new OperationError('NO_SUCH_CHANNEL', 'it has ended, or never was');
    if (data.length === 0) throw new OperationError('BAD_SYSTEM_CALL', 'a message of no bytes');
    const giveAway = capabilities.map((_address, i) => give[i] === 1);
    this.ends.send(end, { kind: 'data', data, capabilities, giveAway, done }, now);
  }

  private run<T>(operation: Operation<T>, now: Nanos, done: (outcome: Outcome<T>, now: Nanos) => void): GiveUp {
    const { operations } = this.context;
    return givingUp(operations.start(operations.nextId(), operation, now, done));
  }

  private rows(): unknown {
    const ends = [...this.ends.all()].map((end: End) => ({
      channel: end.id,
      domain: end.domain,
      way: end.way,
      core: end.otherCore,
      sent: end.sent,
      credited: end.credited,
      received: end.received,
      taken: end.taken,
      window: end.window,
    }));
    const names = this.ports.all().map(({ name, id, domain, scope }) => ({ name, port: id, domain, scope }));
    return { channels: ends, names, relayed: this.circuits.relayed };
  }
}
