import { known } from './known.ts';

/**
 * Litmus tests of memory models: a few threads, each with a few accesses to shared words, and the outcomes that
 * sequential consistency allows, found by running every interleaving. Names are those of the literature (Alglave,
 * Maranget, Tautschnig, "Herding Cats").
 */

/** `W x 1`, `R x` into the thread's next register, `F x 1`: fetch and add, the old value into the next register. */
export interface Access {
  readonly kind: 'W' | 'R' | 'F';
  readonly word: string;
  readonly value: number;
}

export interface LitmusTest {
  readonly name: string;
  readonly threads: readonly (readonly Access[])[];
  readonly words: readonly string[];
  /** Whether the final memory is part of the outcome. */
  readonly final: boolean;
}

const TEXTS: Readonly<Record<string, readonly [threads: readonly string[], final?: boolean]>> = {
  SB: [['W x 1; R y', 'W y 1; R x']],
  MP: [['W x 1; W y 1', 'R y; R x']],
  LB: [['R x; W y 1', 'R y; W x 1']],
  IRIW: [['W x 1', 'W y 1', 'R x; R y', 'R y; R x']],
  WRC: [['W x 1', 'R x; W y 1', 'R y; R x']],
  ISA2: [['W x 1; W y 1', 'R y; W z 1', 'R z; R x']],
  '2+2W': [['W x 1; W y 2', 'W y 1; W x 2'], true],
  R: [['W x 1; W y 1', 'W y 2; R x'], true],
  S: [['W x 2; W y 1', 'R y; W x 1'], true],
  CoRR: [['W x 1', 'R x; R x']],
  CoRW: [['R x; W x 1', 'W x 2'], true],
  CoWR: [['W x 1; R x', 'W x 2'], true],
  CoWW: [['W x 1; W x 2'], true],
  atomics: [['F x 1; R x', 'F x 1; R x'], true],
};

/** Where the words of a test lie: on a page each (the default), on one, or on pages of different homes. */
export const LITMUS_PAGES = ['two', 'one', 'homes'] as const;
/** What memory they lie in: coherent (the default), or copies that nobody keeps coherent. */
export const LITMUS_KINDS = ['coherent', 'private'] as const;

export const LITMUS_NAMES: readonly string[] = Object.keys(TEXTS);

/** Looks up a test, whatever the case of its name; null if there is none. */
export function litmusTest(name: string): LitmusTest | null {
  const found = Object.entries(TEXTS).find(([known]) => known.toLowerCase() === name.toLowerCase());
  if (found === undefined) return null;
  const [known, [threads, final = false]] = found;
  const parsed = threads.map((text) => text.split('; ').map(accessOf));
  const words = [...new Set(parsed.flat().map(({ word }) => word))].sort();
  return { name: known, threads: parsed, words, final };
}

/** A run's outcome as a line: `0:r0=1 1:r0=0 x=1`. */
export function outcomeOf(
  { words, final }: LitmusTest,
  registers: readonly (readonly number[])[],
  memory: Readonly<Record<string, number>>,
): string {
  const read = registers.flatMap((values, thread) => values.map((value, i) => `${thread}:r${i}=${value}`));
  return [...read, ...(final ? words.map((word) => `${word}=${memory[word] ?? 0}`) : [])].join(' ');
}

/** The outcomes of all interleavings: what sequential consistency allows. */
export function allowedOutcomes(test: LitmusTest): ReadonlySet<string> {
  const allowed = new Set<string>();
  const at = test.threads.map(() => 0);
  const registers: number[][] = test.threads.map(() => []);
  const memory: Record<string, number> = {};
  const step = (): void => {
    let ended = true;
    for (const [thread, accesses] of test.threads.entries()) {
      const access = accesses[known(at[thread])];
      if (access === undefined) continue;
      ended = false;
      const { kind, word, value } = access;
      const old = memory[word] ?? 0;
      at[thread] = known(at[thread]) + 1;
      if (kind !== 'W') known(registers[thread]).push(old);
      if (kind !== 'R') memory[word] = kind === 'F' ? old + value : value;
      step();
      memory[word] = old;
      if (kind !== 'W') known(registers[thread]).pop();
      at[thread] = known(at[thread]) - 1;
    }
    if (ended) allowed.add(outcomeOf(test, registers, memory));
  };
  step();
  return allowed;
}

function accessOf(text: string): Access {
  const [kind = 'R', word = 'x', value = '0'] = text.split(' ');
  if (kind !== 'R' && kind !== 'W' && kind !== 'F') throw new Error(`${text} is not an access`);
  return { kind, word, value: Number(value) };
}
