/**
 * Barrelfish's spantest and its relatives: a domain over all cores, threads begun there and joined, many at once (*interleaved*),
 * joined from another core than they were begun on (*xcorejoin*), moved with their state, and the end of main while others run
 * (*exit*). The first argument lists the cores to span, the second picks one part.
 */
import type { PlainValue } from '@mk/libmk/dispatcher/plain-value';
import { known, roundRobin } from '../common/known.ts';
import { program } from '@mk/libmk/program/program';
import type { Mk } from '@mk/libmk/program/mk';
import type { ThreadHandle } from '@mk/libmk/threads/remote-threads';
import { coresOf, errorOf, same } from './expecting.ts';

interface Journey {
  readonly left: readonly number[];
  readonly visited: readonly number[];
}

const joinOther = (mk: Mk, handle: ThreadHandle): Promise<PlainValue> => mk.join(handle);

export const main = program(
  {
    name: 'spantest',
    threads: {
      whereami: (mk) => mk.self.core,
      square: async (mk, n: number) => {
        await mk.sleep(1_000 * (n % 7));
        return n * n;
      },
      fail: (mk) => {
        throw mk.error('BUSY', `core ${mk.self.core} has no time`);
      },
      travel: async (mk, { left, visited }: Journey) => {
        const seen = [...visited, mk.self.core];
        await mk.yield();
        const [next, ...rest] = left;
        return next === undefined ? seen : mk.moveTo(next, 'travel', { left: rest, visited: seen });
      },
      joinOther,
      forever: (mk) => mk.sleep(1e15),
    },
  },
  async (mk) => {
    const others = coresOf(mk).filter((core) => core !== mk.self.core);
    await Promise.all(others.map((core) => mk.span(core)));
    const part = mk.args[1] ?? 'plain';
    if (part === 'plain') await plain(mk, others);
    else if (part === 'interleaved') await interleaved(mk, others);
    else if (part === 'xcorejoin') await crossJoin(mk, others);
    else if (part === 'migrate') await migrate(mk, others);
    else if (part === 'exit') for (const core of others) mk.spawnOn(core, 'forever').detach();
    return 0;
  },
);

async function plain(mk: Mk, others: readonly number[]): Promise<void> {
  for (const core of [...others, mk.self.core])
    same(mk, await mk.spawnOn(core, 'whereami').join(), core, 'where it ran');
  same(mk, await errorOf(mk, mk.spawnOn(known(others[0]), 'fail').join()), 'BUSY', 'what it threw');
  same(mk, await errorOf(mk, mk.spawnOn(known(others[0]), 'nothing').join()), 'NO_SUCH_THREAD', 'no such thread');
  same(mk, await errorOf(mk, mk.span(known(others[0]))), 'ALREADY_SPANNED', 'a second dispatcher on a core');
}

async function interleaved(mk: Mk, others: readonly number[]): Promise<void> {
  const threads = Array.from({ length: 40 }, (_, n) => mk.spawnOn(roundRobin(others, n), 'square', n));
  const order = threads.map((_, n) => (n * 17) % threads.length);
  for (const n of order) same(mk, await known(threads[n]).join(), n * n, `thread ${n}`);
}

async function crossJoin(mk: Mk, others: readonly number[]): Promise<void> {
  const target = mk.spawnOn(known(others[0]), 'square', 12);
  const joiner = mk.spawnOn<typeof joinOther>(known(others.at(-1)), 'joinOther', target.handle);
  same(mk, await joiner.join(), 144, 'joined from another core');
  same(mk, await target.join(), 144, 'and from here');
}

async function migrate(mk: Mk, others: readonly number[]): Promise<void> {
  const left = [...others, mk.self.core, ...others];
  const traveller = mk.spawnOn(mk.self.core, 'travel', { left, visited: [] });
  same(mk, await traveller.join(), [mk.self.core, ...left], 'where it was');
  same(mk, traveller.core, left.at(-1), 'where it ended');
}
