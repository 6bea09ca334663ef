import { expect, test } from '@jest/globals';
import { MILLISECOND, type Nanos } from '@mk/monitor-proto/ids';
import { createPrng, type Prng } from '@mk/monitor-proto/prng';
import { End, ping } from './ends.ts';

type Act = (now: Nanos) => void;

/** A link as the network sees it: its id at each end, and what is in flight to each end, in order. */
interface Wire {
  readonly ids: readonly [number, number];
  readonly underWay: readonly [Act[], Act[]];
}

/** Two ends that know each other's address: each link is FIFO in each direction, but links overtake one another. */
class Pair {
  readonly ends: readonly [End, End] = [new End(3, 'lower'), new End(7, 'higher')];
  private readonly wires: Wire[] = [];
  private readonly accepted = [0, 0];
  private now: Nanos = 0;

  constructor(private readonly random: Prng) {
    const [low, high] = this.ends;
    low.other = high;
    high.other = low;
    low.endpoint.know(7, 1, 'higher', 'its address');
    high.endpoint.know(3, 1, 'lower', 'its address');
  }

  get opened(): number {
    return this.wires.length;
  }

  /** Acts in a random order until nothing is in flight and nothing is owed. */
  settle(): void {
    for (let steps = 0; steps < 20_000; steps += 1) {
      if (this.deliver()) continue;
      if (this.ends.every(({ peer }) => peer.channel.idle && peer.pendingLink === 0)) return;
      this.now += MILLISECOND;
    }
    throw new Error('it does not come to rest');
  }

  /** Something arrives, and a little time passes. */
  stir(): void {
    this.deliver();
    this.now += this.random.nextInt(2 * MILLISECOND);
  }

  private deliver(): boolean {
    this.flush(0);
    this.flush(1);
    const busy = this.wires.flatMap(({ underWay }) => underWay.filter((queue) => queue.length > 0));
    if (busy.length === 0) return false;
    busy[this.random.nextInt(busy.length)]!.shift()!(this.now);
    return true;
  }

  private flush(mine: 0 | 1): void {
    const { endpoint, outbox, other } = this.ends[mine];
    const theirs = mine === 0 ? 1 : 0;
    endpoint.flush(this.now);
    for (const effect of outbox.take()) {
      if (effect.type === 'open_link') {
        const far = (this.accepted[theirs]! += 2);
        const wire: Wire = { ids: mine === 0 ? [effect.link, far] : [far, effect.link], underWay: [[], []] };
        this.wires.push(wire);
        wire.underWay[theirs].push((now) => other.endpoint.linkUp(far, effect.first, now));
      } else if (effect.type === 'send_frame' || effect.type === 'close_link') {
        const wire = this.wires.find(({ ids }) => ids[mine] === effect.link)!;
        const far = wire.ids[theirs];
        wire.underWay[theirs].push((now) =>
          effect.type === 'close_link'
            ? other.endpoint.linkDown(far, effect.reason, now)
            : other.endpoint.frameReceived(far, effect.frame, now),
        );
      }
    }
  }

  /** The link that both ends use; undefined if they use different ones or none. */
  get common(): Wire | undefined {
    const [low, high] = this.ends;
    return this.wires.find(({ ids }) => ids[0] === low.peer.link && ids[1] === high.peer.link);
  }
}

test('no link opens before something is said; what is said waits in order', () => {
  const pair = new Pair(createPrng('first use'));
  const [low, high] = pair.ends;
  pair.settle();
  expect(pair.opened).toBe(0);
  for (let id = 0; id < 5; id += 1) expect(high.endpoint.send(3, ping(id))).toBeNull();
  pair.settle();
  expect(low.got.map((message) => 'id' in message && message.id)).toEqual([0, 1, 2, 3, 4]);
  expect(pair.opened).toBe(1);
});

test('E2: ends that open a link at about the same time are left with one, and nothing is lost, doubled or out of order', () => {
  let crossed = 0;
  for (let seed = 0; seed < 200; seed += 1) {
    const random = createPrng(`crossing/${seed}`);
    const pair = new Pair(random);
    const counts = [0, 0];
    for (let said = 0; said < 12; said += 1) {
      const who = random.nextInt(2);
      expect(pair.ends[who]!.endpoint.send(pair.ends[1 - who]!.id, ping(counts[who]!))).toBeNull();
      counts[who]! += 1;
      for (let stirs = random.nextInt(4); stirs > 0; stirs -= 1) pair.stir();
    }
    pair.settle();
    const [low, high] = pair.ends;
    expect([high, low].map(({ got }) => got.map((message) => 'id' in message && message.id))).toEqual(
      counts.map((count) => Array.from({ length: count }, (_, id) => id)),
    );
    expect(pair.common).toBeDefined();
    if (pair.opened > 1) crossed += 1;
    expect(pair.opened).toBeLessThan(5);
  }
  expect(crossed).toBeGreaterThan(10);
});
