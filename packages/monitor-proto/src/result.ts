import type { ErrorName } from './errors.ts';

/**
 * A value, or the error of a function that may refuse. `E`: its errors by name, or `string` for one line of text, as
 * parsers of files and options return it.
 */
export type Result<T, E extends string = ErrorName> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };

export function succeed<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function refuse<E extends string>(error: E): { readonly ok: false; readonly error: E } {
  return { ok: false, error };
}
