import { isIP } from 'node:net';
import { UsageError } from '../cli/usage-error.ts';
import { wholeNumber } from '../cli/values.ts';

/** Where the page listens, and the host names under which it may be requested besides addresses. */
export interface PagePlace {
  /** An address of this host; loopback by default. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly names: readonly string[];
}

/** A page that is served. */
export interface OpenPage {
  /** Without the token. */
  readonly url: string;
  close(): void;
}

/** Serves the page of a cluster that runs on this host. */
export type ServePage = (place: PagePlace, cluster: string) => Promise<OpenPage>;

type Args = Readonly<Record<string, unknown>>;

/** Where the page listens, by the options `PREFIXhost`, `PREFIXport` and `ui-name`. */
export function pagePlaceOf(args: Args, prefix: string): PagePlace {
  const text = (name: string): string | undefined => (args[name] === undefined ? undefined : String(args[name]));
  const host = text(`${prefix}host`) ?? '127.0.0.1';
  if (isIP(host) === 0)
    throw new UsageError(`--${prefix}host must be an IP address of this host, not ${JSON.stringify(host)}`);
  const port = wholeNumber(`--${prefix}port`, text(`${prefix}port`) ?? '0', 0, 65_535);
  const names = (text('ui-name') ?? '').toLowerCase().split(',').filter(Boolean);
  return { host, port, names };
}

/** The page's address with the right to act: the token follows the #, which browsers do not send. */
export function actingUrl(url: string, token: string): string {
  return `${url}#token=${token}`;
}
