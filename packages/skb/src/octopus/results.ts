/** A request's result before its trigger is considered, and the reasons for refusals. Pure. */
import { RECORD_LIMITS } from '@mk/monitor-proto/octopus/limits';
import { recipeOf, type Recipe } from '@mk/monitor-proto/octopus/names';
import {
  type Attributes,
  costOf,
  type ParsedRecord,
  recordText,
  RecordSyntaxError,
} from '@mk/monitor-proto/octopus/record';
import type { OctopusErrorName } from '@mk/monitor-proto/octopus/requests';
import { OCTOPUS_LIMITS } from './limits.ts';

export type OctopusResult =
  | { readonly ok: true; readonly record?: string; readonly names?: readonly string[]; readonly more?: boolean }
  | { readonly ok: false; readonly error: OctopusErrorName; readonly detail: string };

export const OK: OctopusResult = { ok: true };
/** The common answer, without an error object: its stack would be expensive. */
export const NO_RECORD: OctopusResult = { ok: false, error: 'NO_RECORD', detail: '' };

/** As many names as one answer holds, and whether there are more. */
export function pageOf(names: readonly string[]): OctopusResult {
  const page = names.slice(0, OCTOPUS_LIMITS.maxNames);
  return { ok: true, names: page, ...(page.length < names.length && { more: true }) };
}

/** A refusal thrown by a handler: nothing was changed. */
export class Refusal extends Error {
  constructor(
    readonly error: OctopusErrorName,
    detail = '',
  ) {
    super(detail);
  }
}

/** An error as a result, our own bugs included. */
export function failed(error: unknown): Extract<OctopusResult, { ok: false }> {
  if (error instanceof Refusal) return { ok: false, error: error.error, detail: error.message };
  if (error instanceof RecordSyntaxError) return { ok: false, error: 'PARSE_ERROR', detail: error.message };
  const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { ok: false, error: 'FAILED', detail };
}

/** A record as it is kept and reported, within its readers' bounds: it may be longer than it was sent. */
export function boundedText(name: string, attributes: Attributes): string {
  const text = recordText(name, attributes);
  const most = RECORD_LIMITS.maxTextChars - (isPermit(name) ? NUMBER_CHARS : 0);
  if (name.length > RECORD_LIMITS.maxNameChars) throw tooLong('a name', RECORD_LIMITS.maxNameChars, name.length);
  if (text.length > most) throw tooLong('a record', most, text.length);
  return text;
}

/** Whether the record changes its name when it is taken and given back, which must not fail. */
function isPermit(name: string): boolean {
  const recipe = recipeOf(name);
  return recipe === 'semaphore' || recipe === 'permit';
}

/**
 * Only requests of a recipe may use its names, which must leave room for any number: returning a permit must not fail.
 */
export function checkRecipe(name: string, said: Recipe | undefined): void {
  const recipe = recipeOf(name);
  if (recipe !== said) {
    const whose = recipe === undefined ? `not of the recipe ${said}` : `of the recipe ${recipe}`;
    throw new Refusal('RESERVED_NAME', `${JSON.stringify(name)} is a name ${whose}`);
  }
  const most = RECORD_LIMITS.maxNameChars - NUMBER_CHARS;
  if (recipe !== undefined && name.length > RECORD_LIMITS.maxNameChars - NUMBER_CHARS)
    throw tooLong('the name of a recipe', most - recipe.length - 1, name.length - recipe.length - 1);
}

/** A change is atomic, and so are the matches that it depends on: they must fit in one turn. */
export function checkCost(query: ParsedRecord, { attributes }: { readonly attributes: Attributes }): void {
  if (costOf(query, attributes) > 2 * OCTOPUS_LIMITS.turnSteps)
    throw new Refusal(
      'QUERY_TOO_COSTLY',
      'this pattern costs too much on a text this long for a change to depend on it',
    );
}

/** An underscore, fifteen digits, and the difference between recipes' names. */
const NUMBER_CHARS = 32;

function tooLong(what: string, most: number, chars: number): RecordSyntaxError {
  return new RecordSyntaxError(`${what} may have ${most} characters, written out this one has ${chars}`);
}
