import type { ProcessRecord } from '@mk/libmk/io/cluster-record';
import { type ProcessIdentity, signal } from '@mk/libmk/io/process-identity';
import type { ChildMessage, ParentMessage } from '@mk/monitor-proto/io/parent';
import { lastWordsOf, withCause } from './last-words.ts';
import { Leash } from './leash.ts';
import { KILLED, NOT_STARTED, type ProcessBody } from './process-body.ts';

export interface ProcessEvents {
  message(process: ManagedProcess, message: ParentMessage): void;
  /** The process logged a line. */
  logged(process: ManagedProcess, line: string): void;
  ended(process: ManagedProcess, how: string): void;
}

/**
 * starting ──listening──▶ listening ──registered──▶ running ◀──▶ hung
 *     └──────────────────────┴──────────────────────┴── exit ──▶ ended
 */
export type ProcessState = 'starting' | 'listening' | 'running' | 'hung' | 'ended';

const LAST_WORDS_LINES = 20;

/**
 * One process that the supervisor started, or took over. Its state follows its messages and the verbs that act on it.
 */
export class ManagedProcess {
  state: ProcessState = 'starting';
  /** Its address for HTTP. */
  address = '';
  /** Its address for links. */
  links = '';
  incarnation = 0;
  /** A core: it has had a lease in a view. */
  takesPart = false;
  /** Why the process ended; '' while it runs. */
  how = '';
  /** Somebody asked for its end, so it is not a failure. */
  endWanted = false;
  private lastErrors: string[] = [];
  private saidFailure = '';
  private notStarted = '';
  private leash: Leash | null = null;
  private stateBeforeHang: ProcessState = 'running';
  private readonly endWaiters: (() => void)[] = [];

  constructor(
    readonly name: string,
    private readonly body: ProcessBody,
    private readonly events: ProcessEvents,
  ) {
    body.listen({
      said: (message) => this.heard(message),
      logged: (line) => {
        if (line.includes('"level":"error"')) this.remember(line);
        events.logged(this, line);
      },
      errorLine: (line) => this.remember(line),
      ended: (how) => this.finish(how),
      notStarted: (why) => {
        this.notStarted = why;
        this.finish(NOT_STARTED);
      },
    });
  }

  /** Restores the record of a process that an earlier supervisor started. */
  wasRecorded({ address, links, incarnation = 0 }: Pick<ProcessRecord, 'address' | 'links' | 'incarnation'>): void {
    this.address = address;
    this.links = links ?? address;
    this.incarnation = incarnation;
    this.takesPart = incarnation > 0;
    this.state = this.name === 'skb' || incarnation > 0 ? 'running' : 'listening';
  }

  /** A core reported, by another way than through its supervisor, that it has registered; 0: that it has not yet. */
  registeredAs(incarnation: number): void {
    if (incarnation === 0 || this.incarnation > 0 || this.ended) return;
    this.takesPart = true;
    this.heard({ type: 'registered', core: Number(this.name.slice('core-'.length)), incarnation });
  }

  get identity(): ProcessIdentity {
    return this.body.identity;
  }

  get pid(): number {
    return this.identity.pid;
  }

  get ended(): boolean {
    return this.state === 'ended';
  }

  /**
   * The process's last words: its named error, its last error line, or the end of its stderr. Whoever is killed has none:
   * what stands in its log is of something else, and may be hours old.
   */
  get lastWords(): string {
    if (this.notStarted !== '') return this.notStarted;
    if (this.saidFailure !== '') return withCause(this.saidFailure);
    return this.how === KILLED ? '' : lastWordsOf(this.lastErrors);
  }

  tell(message: ChildMessage): void {
    this.body.tell(message);
  }

  /** SIGKILL: a crash. */
  kill(): void {
    this.send('SIGKILL');
  }

  /** Asks for a clean end. First wakes a stopped process, since it hears nothing, and ends a slowdown. */
  terminate(): void {
    this.endWanted = true;
    this.resume();
    this.pause(false);
    this.send('SIGTERM');
  }

  /** Only to a started process whose end has not been seen: until then its number is not reused. */
  private send(name: NodeJS.Signals): void {
    if (!this.ended) this.body.signal(name);
  }

  /** SIGSTOP: the process hangs with open sockets. It wakes when the supervisor dies, so that it never stays behind. */
  hang(): void {
    if (this.ended || this.state === 'hung' || this.pid < 0) return;
    this.leash = new Leash(this.identity);
    this.stateBeforeHang = this.state;
    signal(this.identity, 'SIGSTOP');
    this.state = 'hung';
  }

  /** SIGCONT; false if the process did not hang. */
  resume(): boolean {
    if (this.state !== 'hung') return false;
    signal(this.identity, 'SIGCONT');
    this.leash?.release();
    this.leash = null;
    this.state = this.stateBeforeHang;
    return true;
  }

  /** Stops or continues it for a moment, for a slowdown; a hung process stays hung, one that must end keeps running. */
  pause(stopped: boolean): void {
    if (this.ended || this.state === 'hung' || (stopped && this.endWanted)) return;
    signal(this.identity, stopped ? 'SIGSTOP' : 'SIGCONT');
  }

  /** Resolves when the process has ended and all its output was read. */
  whenEnded(): Promise<void> {
    return this.ended ? Promise.resolve() : new Promise((resolve) => this.endWaiters.push(resolve));
  }

  private heard(message: ParentMessage): void {
    if (message.type === 'listening') {
      this.address = message.address;
      this.links = message.links ?? message.address;
      if (this.state === 'starting') this.state = this.name === 'skb' ? 'running' : 'listening';
    } else if (message.type === 'registered') {
      this.incarnation = message.incarnation;
      if (this.state === 'listening' || this.state === 'starting') this.state = 'running';
    } else if (message.type === 'takes_part') this.takesPart = true;
    else if (message.type === 'failed') this.saidFailure = message.error;
    this.events.message(this, message);
  }

  private finish(how: string): void {
    if (this.ended) return;
    this.leash?.release();
    this.state = 'ended';
    this.how = how;
    this.events.ended(this, how);
    for (const waiter of this.endWaiters) waiter();
  }

  private remember(line: string): void {
    if (line.trim() === '') return;
    this.lastErrors.push(line);
    if (this.lastErrors.length > LAST_WORDS_LINES) this.lastErrors.shift();
  }
}
