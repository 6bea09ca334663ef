import type { LogLine } from '../display/log-printer.ts';

/** Lines kept of domains with unknown names: most of what others print on this cluster is not ours. */
const KEPT_MOST = 10_000;

/** A line of a program: its origin, and whether it is an error. */
export interface ProgramLine {
  readonly core: number | string;
  readonly domain: string;
  readonly text: string;
  readonly isError: boolean;
}

/**
 * The output of a run's domains, and of those they spawn. A domain may print before its name has come back, so unknown
 * lines are kept. The run is over when the homes of the domains that it began say so, which they do after all output.
 */
export class OpenDomains {
  /** All requested domains have names. */
  private allBegun = false;
  private readonly stop = new AbortController();
  private readonly open = new Set<string>();
  /** Domains of this run, ended or not, and those they spawned. */
  private readonly own = new Set<string>();
  private kept: LogLine[] = [];

  constructor(private readonly print: (line: ProgramLine) => void) {}

  /** Aborted when all have ended. */
  get over(): AbortSignal {
    return this.stop.signal;
  }

  /** Resolves when all have ended, and the last lines of their output have come. */
  async allOver(): Promise<void> {
    const { signal } = this.stop;
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  }

  haveBegun(): void {
    this.allBegun = true;
    this.stopIfOver();
  }

  begun(domain: string): void {
    this.open.add(domain);
    this.learn(domain);
  }

  line(line: LogLine): void {
    if (line.event === 'domain_spawned') return this.spawned(line);
    if (line.event !== 'program_output' && line.event !== 'domain_finished') return;
    if (!this.own.has(String(line['domain']))) this.keep(line);
    else if (line.event === 'program_output') this.tell(line);
    else if (this.open.delete(String(line['domain']))) this.stopIfOver();
  }

  private spawned(line: LogLine): void {
    if (this.own.has(String(line['parent']))) this.learn(String(line['domain']));
    else this.keep(line);
  }

  private learn(domain: string): void {
    if (this.own.has(domain)) return;
    this.own.add(domain);
    const { kept } = this;
    this.kept = [];
    for (const line of kept) this.line(line);
  }

  private keep(line: LogLine): void {
    this.kept.push(line);
    if (this.kept.length > KEPT_MOST) this.kept = this.kept.slice(-KEPT_MOST / 2);
  }

  private stopIfOver(): void {
    if (this.allBegun && this.open.size === 0) this.stop.abort();
  }

  private tell(line: LogLine): void {
    this.print({
      core: line.core,
      domain: String(line['domain']),
      text: String(line['text']),
      isError: line['stream'] === 'err',
    });
  }
}
