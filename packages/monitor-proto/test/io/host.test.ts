import { expect, test } from '@jest/globals';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { Host, type HostOptions } from '../../src/io/host.ts';
import type { Effect, HostEvent } from '../../src/step.ts';
import type { TransportOwner } from '../../src/io/transport.ts';

/** A machine that refuses every link with a reason, and closes it. */
const refusing = {
  step: (event: HostEvent): readonly Effect[] =>
    event.type === 'link_up'
      ? [
          { type: 'send_frame', link: event.link, peer: 7, frame: Uint8Array.of(1, 2, 3) },
          { type: 'close_link', link: event.link, reason: 'NOT_A_MEMBER' },
        ]
      : [],
  health: () => ({ ok: true }),
  metrics: () => '',
};

const options: HostOptions<Effect> = {
  controlToken: 'x',
  logger: { write: () => undefined, metrics: () => [] },
  verdict: () => ({ kind: 'pass' }),
  clear: () => true,
  perform: () => undefined,
  control: () => null,
  halted: () => undefined,
};

test('T3 what was sent on a link with delay arrives before the close that came right after it', async () => {
  const host = new Host<HostEvent, Effect>(refusing, {
    ...options,
    verdict: () => ({ kind: 'deliver_after', delayNs: 20_000_000 }),
  });
  const port = await host.transport.listen('127.0.0.1', 0);
  const peer = new WebSocket(`ws://127.0.0.1:${port}/link`);
  const got: string[] = [];
  peer.on('message', (data: Buffer) => got.push(data.toString('hex')));
  const [, reason] = (await once(peer, 'close')) as [number, Buffer];
  expect(got).toEqual(['010203']);
  expect(reason.toString()).toBe('NOT_A_MEMBER');
  host.post({ type: 'link_down', link: 2, reason: '' });
  host.transport.shutdown();
});

test('a frame that has to wait keeps its bytes when the next read overwrites the buffer in which it came', () => {
  const got: string[] = [];
  /** While it handles the first, two frames arrive in one lent buffer, one after another. */
  const busy = {
    step: (event: HostEvent): readonly Effect[] => {
      if (event.type === 'link_up') for (const byte of [1, 2]) deliver(Buffer.from([byte, byte]));
      if (event.type === 'frame_received') got.push(Buffer.from(event.frame).toString('hex'));
      return [];
    },
    health: () => ({ ok: true }),
    metrics: () => '',
  };
  const host = new Host<HostEvent, Effect>(busy, options);
  const { owner } = host.transport as unknown as { readonly owner: TransportOwner };
  const lent = Buffer.alloc(2);
  const deliver = (bytes: Buffer): void => {
    bytes.copy(lent);
    owner.frame(2, lent);
  };
  owner.linkUp(2, null);
  deliver(Buffer.from([3, 3]));
  expect(got).toEqual(['0101', '0202', '0303']);
  host.transport.shutdown();
});

/** Opens a link to a host from one with this link model; returns the accepting machine's events, with times. */
async function openedOver(
  model: Pick<HostOptions<Effect>, 'verdict' | 'clear'>,
): Promise<{ readonly told: readonly HostEvent[]; readonly tookMs: number }> {
  const told: HostEvent[] = [];
  const dialling = {
    ...refusing,
    step: (event: HostEvent): readonly Effect[] =>
      event.type === 'start'
        ? [{ type: 'open_link', link: 1, peer: 7, address: `127.0.0.1:${port}`, first: Uint8Array.of(9, 8, 7) }]
        : [],
  };
  const listening = {
    ...refusing,
    step: (event: HostEvent): readonly Effect[] => (
      told.push(event.type === 'frame_received' ? { ...event, frame: Uint8Array.from(event.frame) } : event),
      []
    ),
  };
  const acceptor = new Host<HostEvent, Effect>(listening, options);
  const port = await acceptor.transport.listen('127.0.0.1', 0);
  const dialler = new Host<HostEvent, Effect>(dialling, { ...options, ...model });
  const startedAt = performance.now();
  dialler.post({ type: 'start' });
  const came = (): boolean =>
    told.some((event) => event.type === 'frame_received' || (event.type === 'link_up' && event.first !== null));
  while (!came() && performance.now() - startedAt < 120_000) await new Promise((resolve) => setImmediate(resolve));
  const tookMs = performance.now() - startedAt;
  for (const host of [dialler, acceptor]) {
    host.post({ type: 'link_down', link: 2, reason: '' });
    host.transport.shutdown();
  }
  return { told, tookMs };
}

test('the first frame of a link goes with its opening', async () => {
  const { told } = await openedOver({ verdict: () => ({ kind: 'pass' }), clear: () => true });
  expect(told[0]).toEqual({ type: 'link_up', link: 2, first: Buffer.from([9, 8, 7]) });
});

test('the first frame does not pass by the link model: where it has a say, the frame follows the opening', async () => {
  const { told, tookMs } = await openedOver({
    verdict: () => ({ kind: 'deliver_after', delayNs: 30_000_000 }),
    clear: () => false,
  });
  expect(told.slice(0, 2)).toEqual([
    { type: 'link_up', link: 2, first: null },
    { type: 'frame_received', link: 2, frame: Uint8Array.of(9, 8, 7) },
  ]);
  expect(tookMs).toBeGreaterThan(29);
});
