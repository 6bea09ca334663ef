import { isOneOf } from '../guards.ts';

/**
 * The meaning of record names. Recipes (locks, semaphores, barriers, services, names that programs offer on channels)
 * keep their records under prefixed names, `lock:NAME_7`. A request that sets or deletes such a record names the
 * recipe, so that no record of a user or another recipe is mistaken for one. Pure.
 */

/** The prefixes of recipes' records. `counter` belongs to the store itself: nobody may set it. */
export type Recipe = 'lock' | 'semaphore' | 'permit' | 'barrier' | 'service' | 'offer' | 'counter';

const RECIPES: readonly Recipe[] = ['lock', 'semaphore', 'permit', 'barrier', 'service', 'offer', 'counter'];
const LONGEST = Math.max(...RECIPES.map(({ length }) => length));

export function recipeOf(name: string): Recipe | undefined {
  const end = name.indexOf(':');
  if (end <= 0 || end > LONGEST) return undefined;
  const first = name.slice(0, end);
  return isOneOf(RECIPES, first) ? first : undefined;
}

export function isRecipe(text: unknown): text is Exclude<Recipe, 'counter'> {
  return isOneOf(RECIPES, text) && text !== 'counter';
}

/** The recipe's record name for a user's `name`. */
export function recipeName(recipe: Recipe, name: string): string {
  return `${recipe}:${name}`;
}

/** The name as a query for exactly that record. */
export function quotedName(name: string): string {
  return `'${name.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** A position in a sequence: the records of `base` are `base_1`, `base_2`, … */
export interface SequenceName {
  readonly base: string;
  readonly number: number;
}

/** Fifteen digits: larger numbers are not exact. */
const NUMBERED = /_([1-9]\d{0,14})$/;

/** A name's position in its sequence; undefined when it has none. */
export function sequenceOf(name: string): SequenceName | undefined {
  const digits = NUMBERED.exec(name)?.[1];
  if (digits === undefined) return undefined;
  return { base: name.slice(0, -digits.length - 1), number: Number(digits) };
}

export function sequenceName({ base, number }: SequenceName): string {
  return `${base}_${number}`;
}
