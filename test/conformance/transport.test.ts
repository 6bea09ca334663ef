import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import { unixAddress } from '@mk/monitor-proto/address';
import type { LinkId, Nanos, PeerId } from '@mk/monitor-proto/ids';
import { Authority } from '@mk/launcher/tls/authority';
import { TlsEnd } from '@mk/monitor-proto/io/tls';
import { isDialled, WebSocketTransport } from '@mk/monitor-proto/io/transport';
import { FaultEngine } from '@mk/monitor-proto/link/fault-engine';
import { Heap } from '@mk/monitor-proto/heap';
import { createPrng } from '@mk/monitor-proto/prng';
import { costsOf } from '@mk/sim/engine/costs';
import { flatMachine } from '@mk/sim/engine/machines';
import { Network, type NetworkHost } from '@mk/sim/network/network';
import { type AnyEvent, type LinkEnd, SimNode } from '@mk/sim/engine/sim-node';
import { type TransportEnd, type TransportEvent, type TransportPair, transportSuite } from './transport-suite.ts';

transportSuite('the simulated network', simulatedPair);
transportSuite('WebSockets over TCP', () => webSocketPair(overTcp));
transportSuite('WebSockets over Unix sockets', () => webSocketPair(overUnix));
transportSuite('WebSockets over TLS', async () => webSocketPair(overTcp, await tlsEnd()));
transportSuite('WebSockets over TLS at Unix sockets', async () => webSocketPair(overUnix, await tlsEnd()));

async function tlsEnd(): Promise<TlsEnd> {
  const authority = await Authority.create('conformance', 1);
  const issued = await authority.issue(['core-*'], 1);
  return new TlsEnd({ ca: authority.ca, ...issued });
}

/** Two nodes on the simulator's network, running only the suite. */
async function simulatedPair(): Promise<TransportPair> {
  const clock = new BareClock();
  const costs = costsOf(flatMachine());
  const network = new Network(clock, new FaultEngine({ prng: createPrng('conformance') }), costs);
  const [a, b] = [0, 1].map((id) => simulatedEnd(clock, network, id)) as [TransportEnd, TransportEnd];
  return {
    a,
    b,
    nowhere: 'sim:9.1',
    until: async (condition) => clock.run(condition),
    settle: async () => void clock.run(() => false),
    dispose: async () => undefined,
  };
}

/** The part of a simulation that the network needs: a clock, a queue, two nodes. */
class BareClock implements NetworkHost {
  now: Nanos = 0;
  readonly nodes = new Map<PeerId, SimNode>();
  readonly events = new Map<PeerId, TransportEvent[]>();
  private readonly queue = new Heap<() => void>();

  deliver(at: Nanos, node: SimNode, end: LinkEnd | null, event: AnyEvent): void {
    this.after(at, () => {
      if (end !== null && node.links.get(end.id) !== end) return;
      if (event.type === 'link_down') node.links.delete(event.link);
      const told = this.events.get(node.id)!;
      if (event.type === 'frame_received') told.push({ type: 'frame', link: event.link, frame: event.frame });
      else if (event.type === 'link_up' || event.type === 'link_down') told.push(event);
    });
  }

  after(at: Nanos, run: () => void): void {
    this.queue.push(at, run);
  }

  lookUp(address: string): SimNode | null {
    return [...this.nodes.values()].find((node) => node.address === address) ?? null;
  }

  run(condition: () => boolean): boolean {
    while (!condition() && this.queue.size > 0) {
      this.now = this.queue.minKey;
      this.queue.pop()!();
    }
    return condition();
  }
}

function simulatedEnd(clock: BareClock, network: Network, id: PeerId): TransportEnd {
  const node = new SimNode(id);
  node.life = 1;
  clock.nodes.set(id, node);
  const events: TransportEvent[] = [];
  clock.events.set(id, events);
  const on = (link: LinkId, act: (end: LinkEnd) => void): void => {
    const end = node.links.get(link);
    if (end !== undefined) act(end);
  };
  return {
    address: node.address,
    events,
    open: (link, address, first) => network.open(node, link, address, first ?? null, clock.now, 0),
    isUp: (link) => (node.links.get(link)?.other ?? null) !== null,
    send: (link, frame) => on(link, (end) => network.send(end, frame, clock.now, 0)),
    close: (link, reason) => on(link, (end) => network.close(end, reason, clock.now)),
    reset: (link) => on(link, (end) => network.reset(end, clock.now)),
  };
}

/** Two transports over real sockets on this machine. */
async function webSocketPair(listen: Listen, tls: TlsEnd | null = null): Promise<TransportPair> {
  const [first, second] = await Promise.all([webSocketEnd(listen, tls), webSocketEnd(listen, tls)]);
  const idle = await webSocketEnd(listen, tls);
  await idle.shutdown();
  const bystanders = await twoBystanders(listen, tls);
  return {
    a: first.end,
    b: second.end,
    nowhere: idle.end.address,
    async until(condition) {
      for (const deadline = performance.now() + 120_000; !condition(); await pause(1))
        if (performance.now() > deadline) return false;
      return true;
    },
    settle: () => bystanders.talk(),
    async dispose() {
      await Promise.all([first.shutdown(), second.shutdown(), bystanders.shutdown()]);
    },
  };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Two more ends in the same event loop. That an event does not come cannot be awaited; but bytes within one machine lie
 * in their receiver's buffer once they are sent, so whatever was under way is read while these two open a link, ask and
 * answer on it, and close it.
 */
async function twoBystanders(listen: Listen, tls: TlsEnd | null) {
  const [asking, answering] = await Promise.all([webSocketEnd(listen, tls), webSocketEnd(listen, tls)]);
  let link = -1;
  const comes = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await pause(1);
  };
  const talk = async (): Promise<void> => {
    link += 2;
    const [a, b] = [asking.end, answering.end];
    [a, b].forEach(({ events }) => events.splice(0));
    a.open(link, b.address);
    await comes(() => a.isUp(link) && b.events.length === 1);
    const [accepted] = b.events;
    for (let times = 1; times <= 3; times += 1) {
      a.send(link, Uint8Array.of(times));
      await comes(() => b.events.length > times);
      b.send(accepted!.link, Uint8Array.of(times));
      await comes(() => a.events.length === times);
    }
    a.close(link, 'done');
    await comes(() => b.events.some(({ type }) => type === 'link_down'));
  };
  return { talk, shutdown: async () => void (await Promise.all([asking.shutdown(), answering.shutdown()])) };
}

/** Makes a transport listen; returns the address at which it accepts links. */
type Listen = (transport: WebSocketTransport) => Promise<string>;

const overTcp: Listen = async (transport) => `127.0.0.1:${await transport.listen('127.0.0.1', 0)}`;

const folder = mkdtempSync(join(tmpdir(), 'mk-sockets-'));
let sockets = 0;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const overUnix: Listen = async (transport) => {
  const path = join(folder, `${sockets++}.sock`);
  await transport.listen('127.0.0.1', 0);
  await transport.listenAt(path);
  return unixAddress(path);
};

async function webSocketEnd(
  listen: Listen,
  tls: TlsEnd | null,
): Promise<{ readonly end: TransportEnd; shutdown(): Promise<void> }> {
  const events: TransportEvent[] = [];
  const up = new Set<number>();
  const transport = new WebSocketTransport(
    {
      linkUp: (link, first) => void (isDialled(link) ? up.add(link) : events.push({ type: 'link_up', link, first })),
      linkDown: (link, reason) => void events.push({ type: 'link_down', link, reason }),
      frame: (link, frame) => void events.push({ type: 'frame', link, frame: Uint8Array.from(frame) }),
    },
    (_request, response) => response.end(),
    tls,
  );
  const address = await listen(transport);
  const end: TransportEnd = {
    address,
    events,
    open: (link, address, first) => transport.open(link, address, first ?? null, 'core-1'),
    isUp: (link) => up.has(link),
    send: (link, frame) => transport.send(link, frame),
    close: (link, reason) => transport.close(link, reason),
    reset: (link) => transport.reset(link),
  };
  return { end, shutdown: async () => transport.shutdown() };
}
