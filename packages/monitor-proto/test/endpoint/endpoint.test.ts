import { describe, expect, test } from '@jest/globals';
import { MILLISECOND, type Nanos, SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import type { Effect } from '@mk/monitor-proto/step';
import { End, farId, pair, ping, settle } from './ends.ts';

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

/** The sent frames, including one that accompanies an opening. */
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

describe('a handshake', () => {
  test('that nobody answers is given up after ten seconds, and tried again a second later', () => {
    const [core] = pair();
    core.endpoint.send(1, ping(1));
    core.endpoint.flush(0);
    let now: Nanos = 0;
    const closed = (): boolean => core.outbox.take().some(({ type }) => type === 'close_link');
    while (!closed()) core.endpoint.flush((now += 100 * MILLISECOND));
    expect(now).toBe(10 * SECOND);
    const opened = (): boolean => core.outbox.take().some(({ type }) => type === 'open_link');
    while (!opened()) core.endpoint.flush((now += 100 * MILLISECOND));
    expect(now).toBe(11 * SECOND);
  });

  test.each(['dials', 'accepts'])('goes on when the process that %s got no turn for a minute', (side) => {
    const [core, other] = pair();
    core.endpoint.send(1, ping(1));
    core.endpoint.flush(0);
    other.endpoint.linkUp(2, side === 'dials' ? framesIn(core.outbox.take())[0]! : null, 0);
    const stood = side === 'dials' ? core : other;
    stood.endpoint.flush(60 * SECOND); // after a standstill, timers fire before received frames are read
    expect(stood.outbox.take().some(({ type }) => type === 'close_link')).toBe(false);
  });
});

describe('a channel has one timer', () => {
  /** A core whose messages were lost for so long that it will not repeat them for seconds. */
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

test('who is told again and again that an instance is over dials ever more seldom, and says so ever more seldom', () => {
  const [core, other] = pair();
  core.outbox.logFrom('info');
  other.admits = 'WRONG_INCARNATION';
  const ends = [core, other];
  const told: unknown[] = [];
  let attempts = 0;
  for (let now: Nanos = 0; now < 300 * SECOND; now = Math.max(now + 1, core.endpoint.timers.next)) {
    for (const end of ends) {
      end.endpoint.flush(now);
      for (const effect of end.outbox.take()) {
        if (effect.type === 'open_link') {
          attempts += 1;
          end.other.endpoint.linkUp(farId(effect.link), effect.first, now);
        } else if (effect.type === 'send_frame')
          end.other.endpoint.frameReceived(farId(effect.link), effect.frame, now);
        else if (effect.type === 'log' && effect.event === 'link_refused') told.push(effect.fields['count']);
      }
    }
  }
  // A dozen tries within the first ten seconds, then one every sixteen seconds.
  expect(attempts).toBeGreaterThan(20);
  expect(attempts).toBeLessThan(40);
  expect(told).toEqual([1, 2, 4, 8, 16]);
  other.admits = null;
  settle(ends, 400 * SECOND);
  expect(core.up).toEqual(['the other']);
});
