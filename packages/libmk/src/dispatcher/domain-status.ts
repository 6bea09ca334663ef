/** The state of a domain, or how it ended: the answer of its home's process manager. */
export interface DomainStatus {
  readonly domain: string;
  readonly finished: boolean;
  /** `exited`, or a name of the error table; empty while it runs. */
  readonly cause: string;
  readonly status: number;
  readonly text: string;
  /** By core, how the part there ended; `running` until it has. */
  readonly parts: Readonly<Record<string, string>>;
}
