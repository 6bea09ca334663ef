/**
 * The journal of a running SKB, across its failures: while it cannot be written nothing is acknowledged; when the cause
 * has gone it is reopened and rewritten from what the SKB holds, without a restart.
 *
 *   closed ──open──▶ open ──a write failed, its files are gone──▶ failed ──again every second──▶ open
 *      └──────────────────── cannot be opened ────────────────────▶ ▲
 */
import { makeFolder } from '@mk/monitor-proto/io/folder';
import { asError } from '@mk/monitor-proto/thrown';
import { known } from '@mk/monitor-proto/assert';
import { dirname } from 'node:path';
import type { LogEventName, LogFields } from '@mk/monitor-proto/log-events';
import type { JournalChange, JournalContents } from '../changes.ts';
import { JOURNAL_LIMITS } from '../limits.ts';
import { causeOf, whyUnwritable } from './cause.ts';
import type { FileLock } from './file-lock.ts';
import { JournalError, type JournalEvent, SqliteJournal, takeJournalLock } from './sqlite-journal.ts';

export interface KeeperOptions {
  readonly path: string;
  /** The lock that the process already holds; null: it could not get it. */
  readonly lock: FileLock | null;
  log(event: LogEventName, fields: LogFields): void;
  /** Prepares the journal's folder before it is opened; may throw. */
  prepare(): void;
  /** The journal was read for the first time in this life. */
  opened(contents: JournalContents): void;
  failed(text: string): void;
  /** It can be written again: call `replaceBy` before anything else. */
  recovered(): void;
}

export class JournalKeeper {
  private journal: SqliteJournal | null = null;
  private lock: FileLock | null;
  private failure: string | null = null;
  private wasOpen = false;
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly options: KeeperOptions) {
    this.lock = options.lock;
  }

  /** Opens the journal, which occupies this thread for some 150 ms of CPU time, and watches over it from then on. */
  open(): void {
    this.tryToOpen();
    this.timer ??= setInterval(() => this.look(), JOURNAL_LIMITS.lookMs).unref();
  }

  /** Why nothing can be kept now; null if it can. */
  get whyNot(): string | null {
    return this.journal === null ? (this.failure ?? 'the journal is not open yet') : null;
  }

  /** Resolves when the changes are on disk. A failure closes the journal until it is reopened. */
  async append(changes: readonly JournalChange[]): Promise<void> {
    const { journal } = this;
    if (journal === null) throw new JournalError(known(this.whyNot));
    try {
      await journal.append(changes);
    } catch (error) {
      if (journal === this.journal) this.fail(asError(error));
      throw error;
    }
  }

  /** Replaces what the journal held before it failed by the SKB's whole state. True: it is on disk. */
  replaceBy(changes: readonly JournalChange[]): boolean {
    try {
      if (this.journal === null) return false;
      this.journal.replaceBy(changes);
    } catch (error) {
      this.fail(asError(error));
      return false;
    }
    this.options.log('journal_recovered', { path: this.options.path, changes: changes.length });
    return true;
  }

  close(): void {
    if (this.timer !== null) clearInterval(this.timer);
    if (this.journal !== null) this.journal.close();
    else this.lock?.release();
    this.journal = null;
  }

  private look(): void {
    if (this.journal === null) return this.tryToOpen();
    try {
      this.journal.checkPlace();
    } catch (error) {
      this.fail(asError(error));
    }
  }

  private tryToOpen(): void {
    const { path, log } = this.options;
    const startedAt = performance.now();
    try {
      makeFolder(dirname(path));
      if (this.lock?.isInPlace !== true) this.lockAgain();
      this.options.prepare();
      if (this.wasOpen) this.mustBeWritable();
      this.journal = new SqliteJournal(path, known(this.lock));
    } catch (error) {
      return this.fail(asError(error));
    }
    this.failure = null;
    for (const event of this.journal.events) this.note(event);
    if (this.wasOpen) return this.options.recovered();
    this.wasOpen = true;
    const { contents } = this.journal;
    const records = contents.octopus.filter(({ type }) => type === 'put').length;
    const elapsedMs = performance.now() - startedAt;
    log('journal_opened', { path, records, rules: contents.rules.length, elapsed_ms: elapsedMs });
    this.options.opened(contents);
  }

  private lockAgain(): void {
    this.lock?.release();
    this.lock = null;
    this.lock = takeJournalLock(this.options.path);
  }

  private mustBeWritable(): void {
    const why = whyUnwritable(this.options.path);
    if (why !== null) throw new JournalError(why);
  }

  /** Reported once per cause; the journal's resources are released until it is reopened. */
  private fail(error: Error): void {
    const { path, log, failed } = this.options;
    const why = whyUnwritable(path);
    const cause = causeOf(error);
    const text = why === null || cause.includes(why) ? cause : `${cause}: ${why}`;
    this.journal?.close({ keepLock: true });
    this.journal = null;
    if (text === this.failure) return;
    this.failure = text;
    log('journal_failed', { path, text });
    failed(text);
  }

  private note(event: JournalEvent): void {
    const { path, log } = this.options;
    if (event.type === 'recovered') return;
    if (event.type === 'row_set_aside') {
      const { table, row, reason } = event;
      return log('journal_row_set_aside', { path, table, row, reason });
    }
    const amount =
      event.type === 'torn_write_repaired' ? event.tornBytes : event.type === 'compacted' ? event.freedBytes : 1;
    log('journal_repaired', { path, what: event.type, amount });
  }
}
