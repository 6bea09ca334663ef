/** Where a process listens: `host:port`; an IPv6 host stands in brackets, as in a URL. */
export interface Address {
  /** A name or an IP address, without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Parses `host:port` or `[ipv6]:port`, with a port of 1 to 65,535; null when the text is neither. */
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

/** Parses `host:port` or `ws+unix:/absolute/path`; null when the text is neither. */
export function parseLinkAddress(text: string): LinkPlace | null {
  if (!text.startsWith(UNIX_SCHEME)) return parseAddress(text);
  const path = text.slice(UNIX_SCHEME.length);
  return path.startsWith('/') && !path.includes('\0') ? { path } : null;
}

/** The address of a Unix socket, as `parseLinkAddress` reads it. */
export function unixAddress(path: string): string {
  return UNIX_SCHEME + path;
}

/** A host as the operating system takes it, without the brackets that people may put around IPv6. */
export function bareHost(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}
