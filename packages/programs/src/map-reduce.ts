/**
 * Map-reduce over a domain that spans all cores: a text is cut into chunks; threads on each core count words, then add
 * up a share of the words. A core that dies takes its threads with it, and their work is repeated elsewhere. `--count
 * N`: chunks.
 */
import type { PlainValue } from '@mk/libmk/dispatcher/plain-value';
import { roundRobin, known } from './common/known.ts';
import type { Mk } from '@mk/libmk/program/mk';
import { coresOf, tell, whole, tool } from './common/arguments.ts';

const WORDS_A_CHUNK = 200;
const NOUNS = 'core kernel message monitor domain frame capability lock record link token round view ring'.split(' ');

/** Words and their counts: a plain value, so that it may be a thread's state and result. */
type Counts = Readonly<Record<string, number>>;

function map(mk: Mk, { text }: { readonly text: string }): Counts {
  const counts: Record<string, number> = {};
  for (const word of text.split(' ')) counts[word] = (counts[word] ?? 0) + 1;
  mk.work(text.length * 20);
  return counts;
}

function reduce(mk: Mk, { parts }: { readonly parts: readonly Counts[] }): Counts {
  const sums: Record<string, number> = {};
  for (const part of parts) for (const [word, count] of Object.entries(part)) sums[word] = (sums[word] ?? 0) + count;
  mk.work(parts.length * 1000);
  return sums;
}

export const main = tool(
  {
    name: 'map-reduce',
    threads: { map, reduce },
  },
  async (mk) => {
    const chunks = chunksOf(mk, whole(mk, 'count', 24, 1, 10_000));
    const pool = new Pool(mk, await spanned(mk));
    const mapped = await pool.all<typeof map>(
      'map',
      chunks.map((text) => ({ text })),
    );
    // Each reducer gets its words from every chunk.
    const shares = Array.from({ length: pool.size }, (_, share) => ({
      parts: mapped.map((counts) => only(counts, (word) => hash(word) % pool.size === share)),
    }));
    const reduced: Counts = Object.assign({}, ...(await pool.all<typeof reduce>('reduce', shares)));
    const expected = chunks.join(' ').split(' ').length;
    const total = Object.values(reduced).reduce((sum, count) => sum + count, 0);
    mk.assert(total === expected, `${total} words counted where ${expected} are`);
    for (const word of NOUNS) {
      const there = chunks.reduce((sum, text) => sum + text.split(' ').filter((each) => each === word).length, 0);
      mk.assert((reduced[word] ?? 0) === there, `${word} counted ${reduced[word]} times where it is ${there}`);
    }
    const [most = ''] = Object.entries(reduced).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))[0] ?? [];
    const text = `${total} words in ${chunks.length} chunks, counted on ${pool.size} cores; ${pool.repeated} threads began again elsewhere; most often: ${most}, ${reduced[most]} times`;
    tell(mk, [text], { words: total, chunks: chunks.length, cores: pool.size, repeated: pool.repeated, most });
    return 0;
  },
);

/** The cores on which this domain has dispatchers: those that could be spanned. */
async function spanned(mk: Mk): Promise<readonly number[]> {
  const others = coresOf(mk).filter((core) => core !== mk.self.core);
  const there = await Promise.all(
    others.map((core) =>
      mk.span(core).then(
        () => core,
        () => null,
      ),
    ),
  );
  return [mk.self.core, ...there.filter((core) => core !== null)];
}

/** Runs threads on cores in turn; a thread whose core is gone runs again on another. */
class Pool {
  repeated = 0;
  private readonly gone = new Set<number>();

  constructor(
    private readonly mk: Mk,
    private readonly cores: readonly number[],
  ) {}

  get size(): number {
    return this.cores.length;
  }

  all<F extends typeof map | typeof reduce>(
    entry: 'map' | 'reduce',
    states: readonly Parameters<F>[1][],
  ): Promise<readonly Counts[]> {
    return Promise.all(states.map((state, n) => this.one(entry, state, n)));
  }

  private async one(entry: string, state: PlainValue, n: number): Promise<Counts> {
    for (;;) {
      const left = this.cores.filter((core) => !this.gone.has(core));
      const core = roundRobin(left, n);
      try {
        return await this.mk.spawnOn<(mk: Mk, given: PlainValue) => Counts>(core, entry, state).join();
      } catch (error) {
        if (core === this.mk.self.core) throw error; // nothing of ours is gone there: the thread itself is wrong
        this.gone.add(core);
        this.repeated += 1;
      }
    }
  }
}

function chunksOf(mk: Mk, count: number): readonly string[] {
  const word = (): string => known(NOUNS[Math.min(mk.randomInt(NOUNS.length), mk.randomInt(NOUNS.length))]);
  return Array.from({ length: count }, () => Array.from({ length: WORDS_A_CHUNK }, word).join(' '));
}

function only(counts: Counts, mine: (word: string) => boolean): Counts {
  return Object.fromEntries(Object.entries(counts).filter(([word]) => mine(word)));
}

function hash(word: string): number {
  let sum = 0;
  for (const character of word) sum = (Math.imul(sum, 31) + character.charCodeAt(0)) >>> 0;
  return sum;
}
