/**
 * Plays ping-pong between every two of the cores, one pair after the other. `--rounds N`, `--bytes N`. Pairs with a core
 * that is lost are left out and named; the status is then 3.
 */
import { known } from './common/known.ts';
import { defineInterface, message, rpc } from '@mk/libmk/interface/interface';
import { bytes, float, record, text, u32 } from '@mk/libmk/interface/kinds';
import { EXIT_STATUS } from '@mk/libmk/program/exit-status';
import type { Mk } from '@mk/libmk/program/mk';
import { coresOf, tell, whole, tool } from './common/arguments.ts';
import { Copies } from './common/copies.ts';
import { isByFault, tellLosses, unlessLost } from './common/losses.ts';
import { endWithParent } from './common/parent.ts';
import { describeTimes, duration, timesOf, type Times } from './common/times.ts';

const MOST_BYTES = 32 << 10;
const ball = { data: bytes(MOST_BYTES) };
export const PingPong = defineInterface('pingpong', { ping: rpc({ in: ball, out: ball }) });
const times = record({ count: u32, min_ns: float, p50_ns: float, max_ns: float });
/** A player's orders and reports: the pairs play one after the other, so that none measures another's queue. */
export const Player = defineInterface('player', {
  play: rpc({ in: { against: text(80), rounds: u32, data: bytes(MOST_BYTES) }, out: { times } }),
  stop: message({}),
});

export const main = tool({ name: 'pingpong', interfaces: [PingPong, Player] }, async (mk) => {
  if (mk.args[0] === 'player') return player(mk);
  const cores = coresOf(mk);
  const rounds = whole(mk, 'rounds', 100, 1, 1_000_000);
  const data = new Uint8Array(whole(mk, 'bytes', 64, 0, MOST_BYTES));
  if (cores.length < 2) {
    mk.console.error('pingpong needs at least 2 cores');
    return 2;
  }
  const players = await Copies.begin(mk, 'player', cores);
  const bound = cores.map((core, index) =>
    unlessLost(mk.bind(`player.${mk.self.domain}.${index}`, Player, { signal: players.gone(core) })),
  );
  const hands = await Promise.all(bound);
  const pairs: Pair[] = [];
  const lost: LostPair[] = [];
  for (const [a, from] of cores.entries())
    for (const [b, to] of [...cores.entries()].slice(a + 1)) {
      const against = `pong.${mk.self.domain}.${b}`;
      try {
        for (const core of [from, to]) players.gone(core).throwIfAborted();
        const { times: came } = await known(hands[a]).play({ against, rounds, data }, { signal: players.gone(to) });
        pairs.push({ ...came, from, to });
      } catch (error) {
        if (!isByFault(error)) throw error;
        lost.push({ from, to, why: error.message });
      }
    }
  for (const hand of hands) if (hand !== null) await unlessLost(hand.stop({}));
  if (lost.length > 0) await players.stop();
  else await players.end();
  tellLosses(mk, players.losses);
  const mean = pairs.reduce((sum, { p50_ns: median }) => sum + median, 0) / Math.max(1, pairs.length);
  const lines = [
    ...pairs.map((pair) => `core ${pair.from} ↔ ${pair.to}: ${pair.count} round trips, ${describeTimes(pair)}`),
    ...lost.map(({ from, to, why }) => `core ${from} ↔ ${to}: lost: ${why}`),
  ];
  tell(mk, [...lines, `mean of the medians ${duration(mean)}`], { pairs, lost, mean_ns: mean });
  return lost.length + players.losses.length === 0 ? EXIT_STATUS.done : EXIT_STATUS.lost;
});

interface Between {
  readonly from: number;
  readonly to: number;
}
type Pair = Times & Between;
type LostPair = Between & { readonly why: string };

async function player(mk: Mk): Promise<number> {
  const [, home = '', index = ''] = mk.args;
  endWithParent(mk, home);
  const over = mk.threads.semaphore(0, 'the end');
  const pong = await mk.export(`pong.${home}.${index}`, PingPong, { ping: (played) => played });
  const hand = await mk.export(`player.${home}.${index}`, Player, {
    async play({ against, rounds, data }, { signal }) {
      const other = await mk.bind(against, PingPong, { signal });
      const samples: number[] = [];
      for (let n = rounds; n > 0; n -= 1) {
        const begun = mk.now();
        const back = await other.ping({ data });
        samples.push(mk.now() - begun);
        mk.assert(back.data.length === data.length, 'what comes back is what was sent');
      }
      other.$close();
      return { times: timesOf(samples) };
    },
    stop: () => over.post(),
  });
  await over.wait();
  await hand.close();
  await pong.close();
  return 0;
}
