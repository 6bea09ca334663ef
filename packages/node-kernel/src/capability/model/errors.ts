import type { ErrorName } from '@mk/monitor-proto/errors';
import { CAPABILITY_ERRORS as ROWS } from '@mk/monitor-proto/capability-errors';

/** A row of monitor-proto's `CAPABILITY_ERRORS`, in lower case as the CPU driver answers it. */
export type CapabilityError = Lowercase<keyof typeof ROWS>;

/** The rows by lower-case name. */
export const CAPABILITY_ERRORS = Object.fromEntries(
  Object.entries(ROWS).map(([name, { definite, doc }]) => [name.toLowerCase(), { definite, doc }]),
) as Readonly<Record<CapabilityError, { readonly definite: boolean; readonly doc: string }>>;

/** The name under which the error travels and is shown. */
export function errorNameOf(error: CapabilityError): ErrorName {
  return error.toUpperCase() as ErrorName;
}

export type Result<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: CapabilityError };

export function succeed<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function refuse(error: CapabilityError): { readonly ok: false; readonly error: CapabilityError } {
  return { ok: false, error };
}
