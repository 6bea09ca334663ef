import { expect, test } from '@jest/globals';
import { createHmac } from 'node:crypto';
import { Endpoint, type EndpointOwner } from '../../src/endpoint/endpoint.ts';
import type { ErrorName } from '../../src/errors.ts';
import { Outbox } from '../../src/outbox.ts';
import type { Effect } from '../../src/step.ts';

/** An endpoint whose owner lets in whom the test says, and the effects that it has had since the last look. */
function endpointOf(instance: string, peer: number, incarnation: number) {
  const outbox = new Outbox<Effect>('off');
  const says = { admit: null as ErrorName | null, up: [] as string[] };
  const owner: EndpointOwner = {
    admit: () => says.admit,
    peerUp: (up) => void says.up.push(up.instance),
    peerDown: () => undefined,
    peerGone: () => undefined,
    dialFailed: () => false,
    message: () => undefined,
    volley: () => undefined,
    sendable: () => undefined,
  };
  const hmac = (key: Uint8Array, data: Uint8Array): Uint8Array => createHmac('sha256', key).update(data).digest();
  const endpoint = new Endpoint({ cluster: 'c', secret: Buffer.from('s'), instance, peer, incarnation, entropy: Buffer.from(instance), hmac }, owner, outbox);
  return { endpoint, says, take: () => outbox.take() };
}

/** The frames that were sent, with the one that goes with an opening. */
function framesIn(effects: readonly Effect[]): readonly Uint8Array[] {
  return effects.flatMap((effect) => (effect.type === 'send_frame' ? [effect.frame] : effect.type === 'open_link' ? [effect.first] : []));
}

test('a proof that comes when its maker has been declared gone opens nothing, and the newer incarnation keeps its place (nemesis seeds 10044, 11676)', () => {
  const old = endpointOf('old', 2, 3);
  const acceptor = endpointOf('acceptor', 4, 1);
  const known = acceptor.endpoint.expect(2, 3, 'old');
  old.endpoint.connect(4, 1, 'acceptor', 'somewhere', 0);
  acceptor.endpoint.linkUp(2, framesIn(old.take())[0]!, 0);
  old.endpoint.frameReceived(1, framesIn(acceptor.take())[0]!, 0);
  const [proof] = framesIn(old.take());

  acceptor.endpoint.forget(known, 'the registry declared it gone', 1);
  const newer = acceptor.endpoint.expect(2, 4, 'newer');
  acceptor.says.admit = 'WRONG_INCARNATION';
  acceptor.endpoint.frameReceived(2, proof!, 2);

  expect(acceptor.says.up).toEqual([]);
  expect(acceptor.endpoint.peers.get(2)).toBe(newer);
  expect(acceptor.take()).toContainEqual({ type: 'close_link', link: 2, reason: 'WRONG_INCARNATION' });
});
