/** Plays ping-pong between every two of the cores, one pair after the other. `--rounds N`, `--bytes N`. */
import { known } from './common/known.ts';
import { defineInterface, message, rpc } from '@mk/libmk/interface/interface';
import { bytes, float, record, text, u32 } from '@mk/libmk/interface/kinds';
import type { Mk } from '@mk/libmk/program/mk';
import { coresOf, tell, whole, tool } from './common/arguments.ts';
import { copiesOf, endOf } from './common/copies.ts';
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
  const players = await copiesOf(mk, 'player', cores);
  const hands = await Promise.all(cores.map((_, index) => mk.bind(`player.${mk.self.domain}.${index}`, Player)));
  const pairs: (Times & { readonly from: number; readonly to: number })[] = [];
  for (let a = 0; a < cores.length; a += 1)
    for (let b = a + 1; b < cores.length; b += 1) {
      const came = await known(hands[a]).play({ against: `pong.${mk.self.domain}.${b}`, rounds, data });
      pairs.push({ ...came.times, from: known(cores[a]), to: known(cores[b]) });
    }
  for (const hand of hands) await hand.stop({});
  await endOf(mk, players);
  const mean = pairs.reduce((sum, { p50_ns: median }) => sum + median, 0) / pairs.length;
  const lines = pairs.map(
    (pair) => `core ${pair.from} ↔ ${pair.to}: ${pair.count} round trips, ${describeTimes(pair)}`,
  );
  tell(mk, [...lines, `mean of the medians ${duration(mean)}`], { pairs, mean_ns: mean });
  return 0;
});

async function player(mk: Mk): Promise<number> {
  const [, home = '', index = ''] = mk.args;
  const over = mk.threads.semaphore(0, 'the end');
  const pong = await mk.export(`pong.${home}.${index}`, PingPong, { ping: (played) => played });
  const hand = await mk.export(`player.${home}.${index}`, Player, {
    async play({ against, rounds, data }) {
      const other = await mk.bind(against, PingPong);
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
