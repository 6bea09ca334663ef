import type { ErrorName } from './errors.ts';

/** A value or a named error, from a function that may refuse. `E`: its errors. */
export type Result<T, E extends ErrorName = ErrorName> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };

export function succeed<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function refuse<E extends ErrorName>(error: E): { readonly ok: false; readonly error: E } {
  return { ok: false, error };
}
