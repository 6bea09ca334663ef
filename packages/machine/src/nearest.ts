import { known } from '@mk/monitor-proto/assert';
import { shown } from './one-line.ts';

/** A longer word is not a misspelling, and comparing it takes time in proportion to its length. */
const MAX_WORD = 80;

/** The candidate with the fewest edits from the word, or null when all are too far. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  if (word.length > MAX_WORD) return null;
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(word.length / 2)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** `unknown KIND "word"; did you mean …?`, or the list of known words. */
export function unknownWord(kind: string, word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  const hint = near === null ? `known: ${known.join(', ')}` : `did you mean ${near}?`;
  return `unknown ${kind} "${shown(word)}"; ${hint}`;
}

/** Insertions, deletions, substitutions and swaps of neighbours that turn one text into the other. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = known(last[j - 1]) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min(known(last[j]) + 1, known(row[j - 1]) + 1, substitution);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) cost = Math.min(cost, known(beforeLast[j - 2]) + 1);
      row.push(cost);
    }
    [beforeLast, last] = [last, row];
  }
  return known(last[b.length]);
}
