import { type Address, formatAddress } from '../address.ts';
import { codeOf } from '../thrown.ts';

/** Error codes for an address that is none of this host's. */
const NOT_OURS: readonly unknown[] = ['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EINVAL'];

/** Explains in one line why a process cannot listen on an address. */
export function faultOfListening(error: unknown, place: Address): string {
  const code = codeOf(error) ?? 'unknown';
  if (code === 'EADDRINUSE') return `PORT_IN_USE: ${formatAddress(place)} is taken by another process`;
  const instead = NOT_OURS.includes(code) ? '; MK_LISTEN_HOST must be an address of this host' : '';
  return `cannot listen on ${formatAddress(place)}: ${code}${instead}`;
}
