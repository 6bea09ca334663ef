/**
 * What the hardware behind each shootdown plan costs, derived from a machine's own costs (decision 0150). A message is
 * a cache line: the sender writes it, the receiver polls it, and its home, the node whose memory holds it, orders its
 * transfers. A machine's costs are those of lines at the sender's home, since the unicast curve was fitted to them.
 */
import { isCore, type CoreId, type Nanos, type PeerId } from '@mk/monitor-proto/ids';
import type { PlanKind } from '@mk/node-kernel/monitor/agreement/plan';
import type { MachineModel } from '@mk/skb/config';
import { type CostModel, costsOf } from '../engine/costs.ts';

/** A core of the node that holds the line between two cores. */
type Home = (from: CoreId, to: CoreId) => CoreId;

export function costsOfPlan(plan: PlanKind, machine: MachineModel, root: CoreId, cores: number): CostModel {
  switch (plan) {
    case 'unicast':
      return linesAt(machine, cores, () => root);
    case 'broadcast':
      return sharedLine(machine, root, cores);
    case 'multicast':
      return rootLeads(
        linesAt(machine, cores, () => root),
        machine,
        root,
        cores,
      );
    case 'numa':
      // At the aggregator: between packages that is the leader, within one the package itself.
      return rootLeads(
        linesAt(machine, cores, (from, to) => (from === root ? to : from)),
        machine,
        root,
        cores,
      );
  }
}

/**
 * Lines by their home. How long a message takes is the machine's table; how much of it keeps the sender busy is the home's:
 *
 *   at the sender's node   the write is over when the reader's copy has been invalidated: as the machine says, by distance;
 *   at the reader's node   the write is handed over on the first link, and put in order at its end: as to the nearest node;
 *   at a third node        the line goes there and back: as if the two spoke to a core of that node.
 */
function linesAt(machine: MachineModel, cores: number, homeOf: Home): CostModel {
  const plain = costsOf(machine);
  const nearest = new Map<CoreId, Nanos>();
  const firstLinkNs = (from: CoreId): Nanos => {
    let ns = nearest.get(from);
    if (ns === undefined) nearest.set(from, (ns = nearestNs(machine, from, cores)));
    return ns;
  };
  const isAt = (home: CoreId, core: CoreId): boolean => machine.packageOf(core) === machine.packageOf(home);
  /** The peer to which messages cost the same. */
  const other = (from: PeerId, to: PeerId): PeerId => {
    if (!isCore(from) || !isCore(to)) return to;
    const home = homeOf(from, to);
    return isAt(home, from) || isAt(home, to) ? to : home;
  };
  const sendNs = (from: PeerId, to: PeerId): Nanos => {
    const own = plain.sendNs(from, other(from, to));
    if (!isCore(from) || !isCore(to)) return own;
    const home = homeOf(from, to);
    return !isAt(home, from) && isAt(home, to) ? Math.min(own, firstLinkNs(from)) : own;
  };
  return {
    sendNs,
    receiveNs: (from, to) => plain.receiveNs(from, other(from, to)),
    latencyNs: (from, to) => {
      const as = other(from, to);
      return plain.latencyNs(from, as) + plain.sendNs(from, as) - sendNs(from, to);
    },
    eventNs: plain.eventNs,
  };
}

/** The least time that a message to another package occupies its sender; Infinity without another package. */
function nearestNs(machine: MachineModel, from: CoreId, cores: number): Nanos {
  let least: Nanos = Infinity;
  for (let to = 0; to < cores; to += 1)
    if (machine.packageOf(to) !== machine.packageOf(from)) least = Math.min(least, machine.sendOccupancyNs(from, to));
  return least;
}

/**
 * A tree has a leader in each package; the root leads its own. What other leaders do with messages happens in their own
 * memory: they read the request before they pass it on to their package, and their package's answer before they count
 * it. Each is a look at a line, and occupies them like a receipt. Other packages have been told by then.
 */
function rootLeads(lines: CostModel, machine: MachineModel, root: CoreId, cores: number): CostModel {
  const own = Array.from({ length: cores }, (_, core) => core).find(
    (core) => core !== root && machine.packageOf(core) === machine.packageOf(root),
  );
  if (own === undefined) return lines;
  const lookNs = lines.receiveNs(own, root);
  return {
    latencyNs: (from, to) => lines.latencyNs(from, to),
    sendNs: (from, to) => lines.sendNs(from, to) + (from === root && to === own ? lookNs : 0),
    receiveNs: (from, to) => lines.receiveNs(from, to) + (from === own && to === root ? lookNs : 0),
    eventNs: lines.eventNs,
  };
}

/**
 * One line that every core polls. The root writes it, which takes one line transfer (half of a message, which is two:
 * the writer takes the line from the reader, the reader fetches it back). Then all readers miss at once, and the home
 * serves them one after the other: each has the line for its transfer and its own look at it. The root is free
 * meanwhile, and takes the answers, which are messages, as they come.
 */
function sharedLine(machine: MachineModel, root: CoreId, cores: number): CostModel {
  const plain = linesAt(machine, cores, () => root);
  const transferNs = (to: CoreId): Nanos =>
    (machine.sendOccupancyNs(root, to) + machine.latencyNs(root, to) + machine.receiveOccupancyNs(root, to)) / 2;
  const servedNs = new Map<PeerId, Nanos>();
  let atNs: Nanos = cores > 1 ? transferNs(root === 0 ? 1 : 0) : 0;
  for (let core = 0; core < cores; core += 1) {
    if (core === root) continue;
    atNs += transferNs(core) + machine.receiveOccupancyNs(root, core);
    servedNs.set(core, atNs);
  }
  const served = (from: PeerId, to: PeerId): Nanos | undefined => (from === root ? servedNs.get(to) : undefined);
  return {
    // A reader is busy with its own look, which ends when it has been served.
    latencyNs: (from, to) => {
      const atServed = served(from, to);
      return atServed === undefined ? plain.latencyNs(from, to) : atServed - plain.receiveNs(from, to);
    },
    sendNs: (from, to) => (served(from, to) === undefined ? plain.sendNs(from, to) : 0),
    receiveNs: (from, to) => plain.receiveNs(from, to),
    eventNs: plain.eventNs,
  };
}
