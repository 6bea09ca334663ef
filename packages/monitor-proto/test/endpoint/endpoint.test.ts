import { describe, expect, test } from '@jest/globals';
import { Endpoint, type EndpointOwner } from '@mk/monitor-proto/endpoint/endpoint';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import type { ErrorName } from '@mk/monitor-proto/errors';
import { type LinkId, MILLISECOND, type Nanos, type PeerId, SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import { hmacSha256 } from '@mk/monitor-proto/io/crypto';
import type { Message } from '@mk/monitor-proto/messages/table';
import { Outbox } from '@mk/monitor-proto/outbox';
import type { Effect } from '@mk/monitor-proto/step';

/** An endpoint, what it was handed, and whether what it sends is lost. */
class End implements EndpointOwner {
  readonly outbox = new Outbox('off');
  readonly endpoint: Endpoint;
  readonly got: Message[] = [];
  other!: End;
  lossy = false;
  /** Why nobody is let in; null: everybody is. */
  admits: ErrorName | null = null;
  /** Instances whose links came up. */
  readonly up: string[] = [];

  constructor(
    readonly id: PeerId,
    readonly instance: string,
    incarnation = 1,
  ) {
    this.endpoint = new Endpoint(
      {
        cluster: 'mk',
        secret: new Uint8Array(32),
        instance,
        peer: id,
        incarnation,
        entropy: new Uint8Array(32),
        hmac: hmacSha256,
      },
      this,
      this.outbox,
    );
  }

  /** The other end as this one knows it. */
  get peer(): Peer {
    return this.endpoint.peers.get(this.other.id)!;
  }

  admit(): ErrorName | null {
    return this.admits;
  }
  peerUp(peer: Peer): void {
    this.up.push(peer.instance);
  }
  peerDown(): void {}
  peerGone(): void {}
  dialFailed(): boolean {
    return true;
  }
  message(_peer: Peer, message: Message): void {
    this.got.push(message);
  }
  volley(): void {}
  sendable(): void {}
}

function pair(instance = 'the other'): readonly [End, End] {
  const core = new End(0, 'the core');
  const other = new End(instance === '' ? SKB_PEER : 1, instance === '' ? 'the SKB' : instance);
  core.other = other;
  other.other = core;
  core.endpoint.connect(other.id, 1, instance, 'its address', 0);
  return [core, other];
}

/** Lets both ends act until neither has anything to do at `now`. The dialling end's link 1 is the other one's link 2. */
function settle(ends: readonly End[], now: Nanos): void {
  for (let quiet = false; !quiet;) {
    quiet = true;
    for (const end of ends) {
      end.endpoint.flush(now);
      for (const effect of end.outbox.take()) {
        quiet = false;
        if (effect.type === 'open_link') end.other.endpoint.linkUp(2, effect.first, now);
        else if (effect.type === 'send_frame' && !end.lossy)
          end.other.endpoint.frameReceived(farId(effect.link), effect.frame, now);
      }
    }
  }
}

function farId(link: LinkId): LinkId {
  return 3 - link;
}

function ping(id: number): Message {
  return { type: 'ping_request', id, payload: new Uint8Array() };
}

describe('a peer that is dialled by address alone', () => {
  test('is sent nothing before it has said which instance it is: that was meant for an earlier one (seeds 10422, 12356)', () => {
    const [core, skb] = pair('');
    expect(core.endpoint.send(SKB_PEER, { type: 'mesh_report', links: 1 })).toBe('PEER_UNKNOWN');
    expect(core.endpoint.sendTo(core.peer, { type: 'mesh_report', links: 2 })).toBe(false);
    settle([core, skb], 0);
    expect(core.peer).toMatchObject({ met: true, instance: 'the SKB' });
    expect(core.endpoint.send(SKB_PEER, { type: 'mesh_report', links: 3 })).toBeNull();
    settle([core, skb], 0);
    expect(skb.got).toEqual([{ type: 'mesh_report', links: 3 }]);
  });

  test('whose instance is known may be sent to before the first link is open', () => {
    const [core, other] = pair();
    expect(core.endpoint.send(1, ping(1))).toBeNull();
    settle([core, other], 0);
    expect(other.got).toMatchObject([{ id: 1 }]);
  });
});

/** The frames that were sent, with the one that goes with an opening. */
function framesIn(effects: readonly Effect[]): readonly Uint8Array[] {
  return effects.flatMap((effect) =>
    effect.type === 'send_frame' ? [effect.frame] : effect.type === 'open_link' ? [effect.first] : [],
  );
}

test('a proof that comes when its maker has been declared gone opens nothing, and the newer incarnation keeps its place (nemesis seeds 10044, 11676)', () => {
  const [old, acceptor] = [new End(2, 'old', 3), new End(4, 'acceptor')];
  const known = acceptor.endpoint.expect(2, 3, 'old');
  old.endpoint.connect(4, 1, 'acceptor', 'somewhere', 0);
  acceptor.endpoint.linkUp(2, framesIn(old.outbox.take())[0]!, 0);
  old.endpoint.frameReceived(1, framesIn(acceptor.outbox.take())[0]!, 0);
  const [proof] = framesIn(old.outbox.take());

  acceptor.endpoint.forget(known, 'the registry declared it gone', 1);
  const newer = acceptor.endpoint.expect(2, 4, 'newer');
  acceptor.admits = 'WRONG_INCARNATION';
  acceptor.endpoint.frameReceived(2, proof!, 2);

  expect(acceptor.up).toEqual([]);
  expect(acceptor.endpoint.peers.get(2)).toBe(newer);
  expect(acceptor.outbox.take()).toContainEqual({ type: 'close_link', link: 2, reason: 'WRONG_INCARNATION' });
});

describe('a channel has one timer', () => {
  /** A core whose messages have been lost for so long that it next repeats them in seconds. */
  function backedOff(): { readonly core: End; readonly other: End; readonly now: Nanos } {
    const [core, other] = pair();
    let now: Nanos = 0;
    for (; now < SECOND; now += MILLISECOND) settle([core, other], now);
    core.lossy = true;
    core.endpoint.send(1, ping(0));
    for (const until = now + 4 * SECOND; now < until; now += MILLISECOND) settle([core, other], now);
    expect(core.peer.channel.deadline).toBeGreaterThan(now + SECOND);
    return { core, other, now };
  }

  test('however many acks are due before the repeat that it waits for (seed 13418)', () => {
    const { core, other, now } = backedOff();
    for (let at = now; at < now + SECOND; at += 25 * MILLISECOND) {
      other.endpoint.send(0, ping(at / MILLISECOND));
      settle([core, other], at);
      expect(core.endpoint.timers.size).toBe(1);
      settle([core, other], at + 20 * MILLISECOND);
      expect(core.endpoint.timers.size).toBe(1);
    }
    expect(core.got).toHaveLength(40);
  });

  test('and none when its peer is gone', () => {
    const { core, now } = backedOff();
    core.endpoint.forget(core.peer, 'the test says so', now);
    expect(core.endpoint.timers.size).toBe(0);
  });
});
