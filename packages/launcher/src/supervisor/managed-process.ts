import { makeFolder } from '@mk/monitor-proto/io/folder';
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ChildMessage, ParentMessage } from '@mk/monitor-proto/io/parent';
import { identityOf, isRunning, type ProcessIdentity, signal } from '@mk/libmk/io/process-identity';
import { title } from '../boot/boot-machine.ts';
import { lastWordsOf, withCause } from './last-words.ts';
import { Leash } from './leash.ts';
import { lineSplitter } from './line-splitter.ts';
import { startError, startErrorText } from './start-error.ts';

/** What to start, and where its output goes. */
export interface ProcessSpec {
  readonly name: string;
  readonly program: string;
  readonly environment: Readonly<Record<string, string>>;
  /** A detached process outlives its supervisor: nothing of it may hang on the supervisor's pipes. */
  readonly detached: boolean;
  /** Where a detached process's stderr goes. */
  readonly errorFile: string | null;
}

export interface ProcessEvents {
  message(process: ManagedProcess, message: ParentMessage): void;
  /** One line that the process logged. */
  logged(process: ManagedProcess, line: string): void;
  ended(process: ManagedProcess, how: string): void;
}

/**
 * starting ──listening──▶ listening ──registered──▶ running ◀──▶ hung
 *     └──────────────────────┴──────────────────────┴── exit ──▶ ended
 */
export type ProcessState = 'starting' | 'listening' | 'running' | 'hung' | 'ended';

const LAST_WORDS_LINES = 20;
/** `how` of a process that the system did not start. */
export const NOT_STARTED = 'it could not be started';

/** One process that the supervisor started. Its state follows what the process says and what was done to it. */
export class ManagedProcess {
  readonly name: string;
  state: ProcessState = 'starting';
  /** Where it answers over HTTP. */
  address = '';
  /** Where it takes links. */
  links = '';
  incarnation = 0;
  /** A core: it has had a lease in a view. */
  takesPart = false;
  /** Why the process ended; '' while it runs. */
  how = '';
  /** Somebody asked for its end: it is no failure. */
  endWanted = false;
  readonly identity: ProcessIdentity;
  private readonly child: ChildProcess;
  private lastErrors: string[] = [];
  private saidFailure = '';
  private notStarted = '';
  private leash: Leash | null = null;
  private stateBeforeHang: ProcessState = 'running';
  private readonly endWaiters: (() => void)[] = [];

  constructor(
    spec: ProcessSpec,
    private readonly events: ProcessEvents,
  ) {
    this.name = spec.name;
    this.child = startChild(spec);
    this.identity = identityOf(this.child.pid ?? -1);
    this.listen();
  }

  get pid(): number {
    return this.identity.pid;
  }

  get ended(): boolean {
    return this.state === 'ended';
  }

  /** What the process said last before it ended: its named error, its last error line, or the end of its stderr. */
  get lastWords(): string {
    if (this.notStarted !== '') return this.notStarted;
    return this.saidFailure !== '' ? withCause(this.saidFailure) : lastWordsOf(this.lastErrors);
  }

  tell(message: ChildMessage): void {
    if (this.child.connected) this.child.send(message, () => undefined);
  }

  /** SIGKILL: what a crash is. */
  kill(): void {
    this.send('SIGKILL');
  }

  /** Asks for a clean end. A stopped process is woken first, for it hears nothing; a slowed one is slow no more. */
  terminate(): void {
    this.endWanted = true;
    this.resume();
    this.pause(false);
    this.send('SIGTERM');
  }

  /** Only to a process that was started and whose end has not been seen: until then nobody else has its number. */
  private send(name: NodeJS.Signals): void {
    if (!this.ended && this.child.pid !== undefined) this.child.kill(name);
  }

  /**
   * SIGSTOP: the process hangs, its sockets stay open. It is woken when the supervisor dies, so that it never stays
   * behind.
   */
  hang(): void {
    if (this.ended || this.state === 'hung' || this.child.pid === undefined) return;
    this.leash = new Leash(this.identity);
    this.stateBeforeHang = this.state;
    signal(this.identity, 'SIGSTOP');
    this.state = 'hung';
  }

  /** SIGCONT; false when the process did not hang. */
  resume(): boolean {
    if (this.state !== 'hung') return false;
    signal(this.identity, 'SIGCONT');
    this.leash?.release();
    this.leash = null;
    this.state = this.stateBeforeHang;
    return true;
  }

  /** Stops it or lets it go on for a moment, as what slows it says; one that hangs stays as it is, one that is to end has all its time. */
  pause(stopped: boolean): void {
    if (this.ended || this.state === 'hung' || (stopped && this.endWanted)) return;
    signal(this.identity, stopped ? 'SIGSTOP' : 'SIGCONT');
  }

  /** Resolves when the process has ended and everything that it wrote was read. */
  whenEnded(): Promise<void> {
    return this.ended ? Promise.resolve() : new Promise((resolve) => this.endWaiters.push(resolve));
  }

  /** Lets this (supervising) process end while the child runs on. */
  letGo(): void {
    this.child.unref();
    this.child.channel?.unref();
  }

  isRunning(): boolean {
    return !this.ended && isRunning(this.identity);
  }

  private listen(): void {
    const { child } = this;
    child.on('message', (message) => this.heard(message as ParentMessage));
    child.on('error', (error) => this.failed(error));
    const lines = lineSplitter((line) => {
      if (line.includes('"level":"error"')) this.remember(line);
      this.events.logged(this, line);
    });
    child.stdout?.setEncoding('utf8').on('data', lines);
    child.stderr?.setEncoding('utf8').on(
      'data',
      lineSplitter((line) => this.remember(line)),
    );
    child.on('close', (code, signalName) =>
      this.finish(signalName === null ? `exit status ${code}` : `killed by ${signalName}`),
    );
  }

  /** A process that was never started ends here; of one that runs, a signal or a message could not be delivered. */
  private failed(error: Error): void {
    if (this.child.pid !== undefined) return this.remember(error.message);
    this.notStarted = startErrorText(error);
    this.finish(NOT_STARTED);
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

/** A log folder that somebody has deleted is made again; where nothing can be written, nothing is. */
function openErrors(file: string): number | null {
  try {
    makeFolder(dirname(file));
    return openSync(file, 'a');
  } catch {
    return null;
  }
}

/** Throws where the system refuses at once; another refusal comes as the child's event `error`. */
function startChild({ name, program, environment, detached, errorFile }: ProcessSpec): ChildProcess {
  let errors: number | null = null;
  try {
    errors = errorFile === null ? null : openErrors(errorFile);
    // A session of its own: the terminal's Ctrl-C reaches the launcher only, which ends its processes in order.
    return spawn(process.execPath, ['--no-warnings', program], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', detached ? 'ignore' : 'pipe', errors ?? (detached ? 'ignore' : 'pipe'), 'ipc'],
      detached: true,
    });
  } catch (error) {
    throw startError(title(name), error);
  } finally {
    if (errors !== null) closeSync(errors);
  }
}
