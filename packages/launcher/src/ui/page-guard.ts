/*
 * Who may speak to the page's server. A browser sends requests for any site that it shows, so the sender's address
 * proves nothing; Host and Origin do.
 *
 *   Host    a name that somebody else's DNS points here (rebinding) is refused: it must be an IP address, localhost, this
 *           host's own name, or one that the operator gave. Nobody can point another site's IP address at us.
 *   Origin  a WebSocket's must be the very host that it asks; browsers always send it, and a page cannot forge it.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';

/** Why a request is refused; null if it is not. */
export function hostRefusal({ host }: IncomingHttpHeaders, allowed: readonly string[]): string | null {
  const name = hostNameOf(host);
  if (name === null) return 'the Host header is missing or malformed';
  if (isIP(name) !== 0 || name === 'localhost' || name === hostname().toLowerCase() || allowed.includes(name))
    return null;
  return `the page is not served under the name ${name.slice(0, 100)}; open it by its address, or allow the name with --ui-name`;
}

/** Why a WebSocket is refused; null if it is not. */
export function originRefusal(headers: IncomingHttpHeaders, allowed: readonly string[]): string | null {
  const wrongHost = hostRefusal(headers, allowed);
  if (wrongHost !== null) return wrongHost;
  const { origin, host } = headers;
  if (origin === undefined) return 'the Origin header is missing';
  // A TLS proxy in front of us keeps the host and changes the scheme.
  if (origin === `http://${host}` || origin === `https://${host}`) return null;
  return `a page from ${origin.slice(0, 100)} may not use this cluster`;
}

/** Whether a token is the cluster's, in constant time. */
export function isToken(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

/** The host without port and brackets: of `[::1]:80`, `localhost:80`, `10.0.0.1`. */
function hostNameOf(host: string | undefined): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:/\s@]+))(?::\d{1,5})?$/i.exec(host ?? '');
  const name = match?.[1] ?? match?.[2];
  return name === undefined ? null : name.toLowerCase();
}
