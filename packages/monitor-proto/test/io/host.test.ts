import { expect, test } from '@jest/globals';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { Host } from '../../src/io/host.ts';
import type { Effect, HostEvent } from '../../src/step.ts';

/** A machine that refuses every link: it says why, and closes. */
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

test('T3 what was sent on a link with delay arrives before the close that came right after it', async () => {
  const host = new Host<HostEvent, Effect>(refusing, {
    controlToken: 'x',
    logger: { source: { core: 0, incarnation: 0 }, write: () => undefined, load: () => Promise.resolve(), flushNow: () => undefined },
    verdict: () => ({ kind: 'deliver_after', delayNs: 20_000_000 }),
    perform: () => undefined,
    control: () => null,
    halted: () => undefined,
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
