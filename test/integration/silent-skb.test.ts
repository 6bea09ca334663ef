/*
 * The host of the SKB vanishes: no connection is closed, nothing is answered (decision 0189). Processes as in containers,
 * without a launcher: core 0 reaches the SKB directly, core 1 and a client through a proxy that can swallow everything.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { isRecord } from '@mk/monitor-proto/guards';
import { portOf } from '@mk/monitor-proto/io/port';
import { accessOf, callControl, fetchText } from '@mk/libmk/io/control-call';
import { SkbClient } from '@mk/libmk/io/skb-client';
import { ClusterPlace, freePort, type Running, until } from './running-cluster.ts';

const SECRET = '00112233445566778899aabbccddeeff';
const access = accessOf(SECRET, null);

/** Passes bytes on, or swallows them and closes nothing, like a cable that was pulled. */
class Proxy {
  swallows = false;
  /** Connections that were opened through it. */
  opened = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly target: number,
  ) {
    server.on('connection', (socket) => this.opens(socket));
  }

  static async to(target: number): Promise<Proxy> {
    const proxy = new Proxy(createServer(), target);
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${portOf(this.server)}`;
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private opens(near: Socket): void {
    this.opened += 1;
    this.keep(near);
    // What is swallowed while a connection opens never arrives: a lost packet is not remembered.
    if (this.swallows) return void near.resume();
    const far = connect(this.target, '127.0.0.1');
    this.keep(far);
    this.hand(near, far);
    this.hand(far, near);
  }

  private hand(from: Socket, to: Socket): void {
    let cut = false;
    from.on('data', (bytes) => {
      cut ||= this.swallows;
      if (!cut) to.write(bytes);
    });
    from.on('close', () => {
      if (!cut && !this.swallows) to.destroy();
    });
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => this.sockets.delete(socket));
  }
}

const place = new ClusterPlace();
let proxy: Proxy;
let skb: Running;
let cores: readonly { readonly process: Running; readonly address: string }[];

beforeAll(async () => {
  const ports = [await freePort(), await freePort(), await freePort()];
  proxy = await Proxy.to(ports[0]!);
  const shared = { MK_SECRET: SECRET, MK_LISTEN_HOST: '127.0.0.1', MK_ADVERTISE_HOST: '127.0.0.1', MK_LEASE: '5m' };
  const skbVariables = { MK_CORES: '2', MK_SKB_SILENCE: '8s', MK_PORT: String(ports[0]) };
  skb = place.start('mk-node.cjs', ['skb'], { ...shared, ...skbVariables });
  const ways = [`127.0.0.1:${ports[0]}`, proxy.address];
  cores = ways.map((way, core) => ({
    process: place.start('mk-node.cjs', ['core'], {
      ...shared,
      MK_SKB_ADDRESS: way,
      MK_CORE_ID: String(core),
      MK_PORT: String(ports[core + 1]),
    }),
    address: `127.0.0.1:${ports[core + 1]}`,
  }));
  for (const core of [0, 1]) await until(`core ${core} takes part`, async () => (await health(core))['members'] === 2);
});

afterAll(async () => {
  proxy.close();
  await place.cleanUp();
});

async function health(core: number): Promise<Readonly<Record<string, unknown>>> {
  const { body } = await fetchText(cores[core]!.address, access, '/healthz').catch(() => ({ body: '{}' }));
  const found: unknown = JSON.parse(body);
  return isRecord(found) ? found : {};
}

/** How often a core has logged an event so far. */
const logged = (core: number, event: string): number =>
  cores[core]!.process.stdout.split(`"event":"${event}"`).length - 1;

/** Everything that ends a member, a session of a core or a link between cores. */
const harm = (): number[] =>
  [0, 1].map((core) => logged(core, 'peer_gone') + logged(core, 'core_fenced') + logged(core, 'process_stopping'));

test('a network that swallows everything: who is behind it says so, closes the link, and is back by itself', async () => {
  const client = await SkbClient.connect({ cluster: 'mk', secret: SECRET, address: proxy.address, skbSilenceMs: 4000 });
  await client.octopus.set('before { value: 1 }');
  proxy.swallows = true;
  const openedBefore = proxy.opened;
  const answer = client.octopus.get('before');
  await until('core 1 says that the SKB is silent', () => logged(1, 'skb_silent') > 0);
  expect((await health(1))['skb']).toMatch(/^silent for \d+ s$/);
  await until('core 1 and the client dial again', () => proxy.opened >= openedBefore + 2);
  expect(logged(0, 'skb_silent')).toBe(0);
  proxy.swallows = false;
  await until('core 1 hears the SKB', () => logged(1, 'skb_heard') > 0);
  expect(await health(1)).not.toHaveProperty('skb');
  expect(await answer).toMatchObject({ name: 'before' });
  await client.close();
  expect({ silent: logged(1, 'skb_silent'), harm: harm() }).toEqual({ silent: 1, harm: [0, 0] });
});

test('an SKB that is stopped is dialled, not dropped in a loop, and does no harm when it wakes', async () => {
  const before = [0, 1].map((core) => logged(core, 'skb_silent'));
  const openedBefore = proxy.opened;
  process.kill(skb.pid, 'SIGSTOP');
  for (const core of [0, 1]) await until(`core ${core} says so`, () => logged(core, 'skb_silent') > before[core]!);
  // Cores carry on without it.
  expect(await callControl(cores[0]!.address, access, 'ping', { core: 1 })).toMatchObject({});
  await until('core 1 dials it', () => proxy.opened > openedBefore);
  process.kill(skb.pid, 'SIGCONT');
  for (const core of [0, 1]) await until(`core ${core} hears it`, async () => !('skb' in (await health(core))));
  expect([0, 1].map((core) => logged(core, 'skb_silent') - before[core]!)).toEqual([1, 1]);
  expect(harm()).toEqual([0, 0]);
  const members = await callControl(`127.0.0.1:${new URL(`http://${cores[0]!.address}`).port}`, access, 'view');
  expect(members).toMatchObject({
    members: [
      { core: 0, incarnation: 1 },
      { core: 1, incarnation: 1 },
    ],
  });
});
