import type { Session } from './session.ts';

/**
 * Stands in for what has not been reported: cores are asked when somebody looks, and a recording holds only what was
 * recorded.
 */
export function Awaited({ session, what }: { readonly session: Session; readonly what: string }) {
  return session.player === null ? (
    <p>The cores are being asked for their {what}.</p>
  ) : (
    <p>The recording does not hold their {what} up to here.</p>
  );
}
