import { known } from '@mk/monitor-proto/assert';
import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { Kernel } from '@mk/node-kernel/kernel';
import type { End } from '@mk/node-kernel/monitor/channels/end';
import type { Simulation } from '../engine/simulation.ts';
import type { SimNode } from '../engine/sim-node.ts';
import type { Checker, Report } from './checker.ts';

/** The checker's hooks into a kernel: a message leaves an end, or arrives at one. */
interface Inside {
  send(end: End, parcel: { readonly data: Uint8Array }, now: Nanos): void;
  unsent(end: End, parcel: { readonly data: Uint8Array }, ...rest: unknown[]): void;
  carry(end: End, data: Uint8Array, capabilities: readonly number[], ...rest: unknown[]): void;
  deliver(end: End, data: Uint8Array, capabilities: readonly number[], now: Nanos): void;
}

/** Messages that have left one end and not reached the other. */
interface Stream {
  readonly parcels: { readonly data: Uint8Array; readonly capabilities: number }[];
  received: number;
}

/**
 * K1–K6 over all cores: compares what leaves an end with what reaches the other, byte for byte, and the counters of
 * both ends after every step.
 */
export function channelChecker(): Checker {
  const kernels = new Map<number, Kernel>();
  const streams = new Map<string, Stream>();
  return {
    name: 'channels',
    afterStep(node, _event, report) {
      const { kernel } = node;
      if (kernel === null || node.incarnation === 0) return;
      if (kernels.get(node.id) !== kernel) {
        kernels.set(node.id, kernel);
        watch(node, kernel, streams, report);
      }
      for (const end of kernel.services.channels.ends.all()) checkCounters(kernel, end, kernels, report);
    },
    died(node) {
      kernels.delete(node.id);
    },
    atEnd(simulation, report) {
      for (const [core, kernel] of kernels) checkSettled(simulation, core, kernel, kernels, report);
    },
  };
}

function watch(node: SimNode, kernel: Kernel, streams: Map<string, Stream>, report: Report): void {
  const ends = kernel.services.channels.ends as unknown as Inside;
  const self = `${node.id}.${node.life}`;
  const handedOver = new Map<End, Uint8Array[]>();
  const send = ends.send.bind(ends);
  ends.send = (end, parcel, now) => {
    const queue = handedOver.get(end) ?? [];
    handedOver.set(end, queue);
    queue.push(parcel.data);
    send(end, parcel, now);
  };
  const unsent = ends.unsent.bind(ends);
  ends.unsent = (end, parcel, ...rest) => {
    handedOver.get(end)?.splice(known(handedOver.get(end)).indexOf(parcel.data), 1);
    unsent(end, parcel, ...rest);
  };
  const carry = ends.carry.bind(ends);
  ends.carry = (end, data, capabilities, ...rest) => {
    if (data.length > 0) {
      if (handedOver.get(end)?.shift() !== data) report('K1', `end ${end.id} of core ${node.id} sends out of order`);
      const stream = streamFrom(streams, self, end.id);
      stream.parcels.push({ data: data.slice(), capabilities: capabilities.length });
    }
    carry(end, data, capabilities, ...rest);
  };
  const deliver = ends.deliver.bind(ends);
  ends.deliver = (end, data, capabilities, now) => {
    const from = lifeOf(node, end);
    if (from !== null) expectNext(streamFrom(streams, from, end.otherEnd), end, data, capabilities, report);
    if (capabilities.some((address) => !end.arrived.has(address)))
      report('K5', `end ${end.id} of core ${node.id} is told of a capability that has not come for it`);
    deliver(end, data, capabilities, now);
  };
}

/** `core.life` of an end's other core, as introduced to this one; null while unknown. */
function lifeOf(node: SimNode, end: End): string | null {
  const { context } = known(node.kernel).monitor;
  if (end.otherCore === context.core) return `${node.id}.${node.life}`;
  const incarnation = context.monitors.get(end.otherCore)?.incarnation;
  return incarnation === undefined ? null : `${end.otherCore}.${incarnation}`;
}

function streamFrom(streams: Map<string, Stream>, life: string, end: number): Stream {
  const key = `${life}/${end}`;
  let stream = streams.get(key);
  if (stream === undefined) streams.set(key, (stream = { parcels: [], received: 0 }));
  return stream;
}

function expectNext(stream: Stream, end: End, data: Uint8Array, caps: readonly number[], report: Report): void {
  const next = stream.parcels.shift();
  if (next === undefined)
    return report('K1', `end ${end.id} was handed ${data.length} bytes that nobody sent, or twice`);
  stream.received += data.length;
  if (next.data.length !== data.length || next.data.some((byte, i) => byte !== data[i]))
    report('K1', `end ${end.id} was handed other bytes than were next`);
  if (next.capabilities !== caps.length)
    report('K5', `end ${end.id} was told of ${caps.length} capabilities where ${next.capabilities} were sent`);
}

/** K2: what each end's counters imply about the other's. */
function checkCounters(kernel: Kernel, end: End, kernels: ReadonlyMap<number, Kernel>, report: Report): void {
  const { core } = kernel.monitor.context;
  const say = (text: string): void => report('K2', `end ${end.id} of core ${core}: ${text}`);
  if (end.sent - end.credited > end.window) say(`${end.sent - end.credited} bytes on a window of ${end.window}`);
  if (end.taken > end.received) say('took more than it was given');
  if (end.credited > end.sent) say('was credited what it did not send');
  const other = otherOf(kernel, end, kernels);
  if (other === undefined) return;
  if (end.credited > other.taken) say(`was credited ${end.credited} of ${other.taken} taken`);
  if (other.received > end.sent) say(`${other.received} bytes arrived of ${end.sent}`);
}

/** The other end, if it exists and belongs to this one. */
function otherOf(kernel: Kernel, end: End, kernels: ReadonlyMap<number, Kernel>): End | undefined {
  const { core } = kernel.monitor.context;
  const away = kernels.get(end.otherCore);
  if (away === undefined || end.otherEnd === 0) return undefined;
  const known = kernel.monitor.context.monitors.get(end.otherCore);
  if (end.otherCore !== core && known?.incarnation !== away.monitor.context.incarnation) return undefined;
  const other = away.services.channels.ends.get(end.otherEnd);
  return other?.otherEnd === end.id && other.otherCore === core ? other : undefined;
}

/** Once settled: everything sent has come, every circuit has its other end, and no end stands alone. */
function checkSettled(
  simulation: Simulation,
  core: CoreId,
  kernel: Kernel,
  kernels: ReadonlyMap<number, Kernel>,
  report: Report,
): void {
  const { channels } = kernel.services;
  for (const end of channels.ends.all()) {
    const other = otherOf(kernel, end, kernels);
    const name = `end ${end.id} of core ${core}`;
    if (other === undefined) report('K6', `${name} is open and its other end is gone`);
    else if (other.received !== end.sent) report('K1', `${name} sent ${end.sent} bytes and ${other.received} came`);
    else if (other.taken - end.credited !== 0)
      report('K2', `${name} lacks ${other.taken - end.credited} bytes of credit`);
    if (end.transferring || end.outbox.length > 0)
      report('K7', `${name} has ${end.outbox.length} parcels that do not go`);
    if (end.arrived.size > 0) report('K5', `${name} keeps ${end.arrived.size} capabilities whose message has not come`);
  }
  for (const { peer, circuit } of channels.circuits.all()) {
    const there = kernels.get(peer)?.services.channels.circuits;
    if (there === undefined || ![...there.all()].some((leg) => leg.peer === core && leg.circuit === circuit))
      report('K3', `circuit ${circuit} of core ${core} to core ${peer} has no other end at ${simulation.now}`);
  }
}
