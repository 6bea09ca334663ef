/**
 * Passes a token round the cores, and measures the rounds. `--rounds N`, `--bytes N`. When a core is lost
 * it ends with the rounds that it has, says which, and exits with 3.
 */
import { defineInterface, message } from '@mk/libmk/interface/interface';
import { bool, bytes, u32 } from '@mk/libmk/interface/kinds';
import { EXIT_STATUS } from '@mk/libmk/program/exit-status';
import type { Mk } from '@mk/libmk/program/mk';
import { coresOf, tell, whole, tool } from './common/arguments.ts';
import { Copies } from './common/copies.ts';
import { isByFault, tellLosses } from './common/losses.ts';
import { endWithParent } from './common/parent.ts';
import { describeTimes, timesOf } from './common/times.ts';

const MOST_BYTES = 32 << 10;
/** `last`: the token does not return. */
export const Ring = defineInterface('ring', { pass: message({ round: u32, last: bool, load: bytes(MOST_BYTES) }) });

export const main = tool({ name: 'ring', interfaces: [Ring] }, async (mk) => {
  if (mk.args[0] === 'member') return member(mk);
  const cores = coresOf(mk);
  const rounds = whole(mk, 'rounds', 100, 1, 1_000_000);
  const load = new Uint8Array(whole(mk, 'bytes', 64, 0, MOST_BYTES));
  if (cores.length < 2) {
    mk.console.error('a ring needs at least 2 cores');
    return 2;
  }
  const others = cores.slice(1);
  const back = mk.threads.semaphore(0, 'the token');
  const service = await mk.export(nameOf(mk.self.domain, 0), Ring, { pass: () => back.post() });
  const members = await Copies.begin(mk, 'member', others, String(cores.length));
  const signal = members.anyGone;
  const times: number[] = [];
  const play = async (): Promise<void> => {
    const next = await mk.bind(nameOf(mk.self.domain, 1), Ring, { signal });
    for (let round = 0; round < rounds; round += 1) {
      const begun = mk.now();
      await next.pass({ round, last: round === rounds - 1, load });
      await back.wait({ signal });
      times.push(mk.now() - begun);
    }
    await members.end();
  };
  let isWhole = true;
  try {
    await play();
  } catch (error) {
    if (!isByFault(error)) throw error;
    isWhole = false;
    await members.stop();
    if (members.losses.length === 0) mk.console.error(`ring: lost: ${error.message}`);
  }
  await service.close();
  tellLosses(mk, members.losses);
  const summary = timesOf(times);
  const count = isWhole ? `${rounds} rounds` : `${times.length} of ${rounds} rounds`;
  tell(mk, [`ring of ${cores.length}: ${count}, ${describeTimes(summary)}`], { ...summary, lost: members.losses });
  return isWhole ? EXIT_STATUS.done : EXIT_STATUS.lost;
});

/** Passes the token on until it comes for the last time. */
async function member(mk: Mk): Promise<number> {
  const [, home = '', index = '', count = ''] = mk.args;
  endWithParent(mk, home);
  const own = Number(index) + 1;
  const tokens = mk.threads.events<{ readonly round: number; readonly last: boolean; readonly load: Uint8Array }>(
    'tokens',
  );
  const service = await mk.export(nameOf(home, own), Ring, { pass: (token) => tokens.push(token) });
  const next = await mk.bind(nameOf(home, (own + 1) % Number(count)), Ring);
  for await (const token of tokens) {
    await next.pass(token);
    if (token.last) break;
  }
  // What was handed over arrives before the channel closes.
  next.$close();
  await service.close();
  return 0;
}

function nameOf(home: string, index: number): string {
  return `ring.${home}.${index}`;
}
