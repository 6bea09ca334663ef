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

/** A host as the operating system takes it: people write IPv6 with and without brackets. */
export function bareHost(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}
