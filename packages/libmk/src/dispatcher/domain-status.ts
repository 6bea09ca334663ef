/** How a domain is, or how it ended: what the process manager of its home core answers. */
export interface DomainStatus {
  readonly domain: string;
  readonly finished: boolean;
  /** `exited`, or a name of the error table; empty while it runs. */
  readonly cause: string;
  readonly status: number;
  readonly text: string;
  /** Cores, and how the part there ended; `running` while it has not. */
  readonly parts: Readonly<Record<string, string>>;
}
