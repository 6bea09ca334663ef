/** Where a process listens: `host:port`; an IPv6 host stands in brackets, as in a URL. */
export interface Address {
  /** A name or a number, without brackets. */
  readonly host: string;
  readonly port: number;
}

/** The parts of `host:port` or `[ipv6]:port`; null when it is neither. A port is 1 to 65,535. */
export function parseAddress(text: string): Address | null {
  const match = /^(?:\[([^[\]\s]*:[^[\]\s]*)\]|([^:[\]\s/@]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port < 1 || port > 65_535 ? null : { host, port };
}

/** The text that `parseAddress` reads. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Where a process accepts links: a port of a host, or a Unix socket, reachable only from its own host. */
export type LinkPlace = Address | { readonly path: string };

const UNIX_SCHEME = 'ws+unix:';

/** The parts of `host:port` or of `ws+unix:/absolute/path`; null when it is neither. */
export function parseLinkAddress(text: string): LinkPlace | null {
  if (!text.startsWith(UNIX_SCHEME)) return parseAddress(text);
  const path = text.slice(UNIX_SCHEME.length);
  return path.startsWith('/') && !path.includes('\0') ? { path } : null;
}

/** The text form of a Unix socket that `parseLinkAddress` reads. */
export function unixAddress(path: string): string {
  return UNIX_SCHEME + path;
}

/** A host in the form the operating system takes: people write IPv6 with and without brackets. */
export function bareHost(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}
