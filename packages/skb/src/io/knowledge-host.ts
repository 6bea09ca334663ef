import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MachineDescription } from '@mk/machine/description';
import { QueryError, type Solution } from '@mk/monitor-proto/knowledge/query';
import type { LogEventName, LogFields } from '@mk/monitor-proto/log-events';
import { WorkerEngine } from '../engine/io/worker-engine.ts';
import { hostFacts } from '../facts/io/host-facts.ts';
import { coresIn, ToldMachine } from '../facts/told-machine.ts';
import type { JournalEvent, SqliteJournal } from '../journal/io/sqlite-journal.ts';
import type { KnowledgeEffect, KnowledgeEvent } from '../knowledge/effects.ts';

export interface KnowledgeHostOptions {
  /** Where the journal lies; null: nothing outlives the process. */
  readonly dataDir: string | null;
  /** Has room for more cores than the cluster has. */
  readonly machine: MachineDescription;
  /** How many cores of it are described from the start; those that join beyond are described when they do. */
  readonly cores: number;
  post(event: KnowledgeEvent): void;
  log(event: LogEventName, fields: LogFields): void;
}

type Perform<T extends KnowledgeEffect['type']> = (effect: Extract<KnowledgeEffect, { type: T }>) => void;

/** The build puts both beside the program. */
const WORKER = new URL('./skb-engine.cjs', import.meta.url);
const STATE = new URL('./skb-engine.prc', import.meta.url);
const JOURNAL_FILE = 'journal.sqlite';
const CLOSED = new QueryError('EngineClosed', 'the knowledge base could not be started; see the SKB’s log');

/**
 * Performs what the pure part of the knowledge base asks for: the Prolog engine in its thread, the journal on the disk.
 * What comes before the engine is started waits for it.
 */
export class KnowledgeHost {
  private engine: WorkerEngine | null = null;
  private journal: SqliteJournal | null = null;
  private journalFailed = false;
  private readonly cancels = new Map<number, () => void>();
  private told: ToldMachine | null = null;
  private early: KnowledgeEffect[] = [];
  private opening = false;
  private readonly journalPath: string | null;

  constructor(private readonly options: KnowledgeHostOptions) {
    this.journalPath = options.dataDir === null ? null : join(options.dataDir, JOURNAL_FILE);
  }

  /** Whether an earlier life of this SKB has left a journal. */
  get hasJournal(): boolean {
    return this.journalPath !== null && existsSync(this.journalPath);
  }

  /** Opens the journal if there is one to keep, and starts the engine. */
  begin(): void {
    if (this.journalPath === null) this.startEngine();
    else void this.openJournal(this.journalPath);
  }

  /** Starts the engine, which costs the host a third of a second of a CPU and this thread next to nothing. */
  private startEngine(): void {
    if (this.engine !== null) return;
    const { post, machine } = this.options;
    const onRestart = (cause: string): void => post({ type: 'engine_restarted', cause });
    const engine = new WorkerEngine({ workerPath: fileURLToPath(WORKER), state: readFileSync(STATE), onRestart });
    this.engine = engine;
    this.told = new ToldMachine(machine, {
      refused: (error) => this.factsRefused('the machine', error),
      leftOut: (name, facts, most) => this.options.log('facts_left_out', { name, facts, most }),
    });
    this.told.describe(this.options.cores, (update) => engine.updateFacts(update));
    engine.updateFacts({ add: hostFacts() }).catch((error: Error) => this.factsRefused('the host', error));
    engine.ready.then(
      () => post({ type: 'engine_ready', facts: engine.factCount }),
      (error: Error) => this.options.log('process_failed', { error: 'EngineClosed', text: error.message }),
    );
    for (const effect of this.early.splice(0)) this.perform(effect);
  }

  /**
   * Opens the journal, which occupies this thread for some 150 ms of CPU time; what it held is posted. The engine's thread
   * starts when SQLite's module has been compiled: it changes a setting of V8 for a moment that SQLite must not be under.
   */
  private async openJournal(path: string): Promise<void> {
    if (this.opening) return;
    this.opening = true;
    const startedAt = performance.now();
    try {
      mkdirSync(dirname(path), { recursive: true });
      const { SqliteJournal } = await import('../journal/io/sqlite-journal.ts');
      this.startEngine();
      this.journal = new SqliteJournal(path);
    } catch (error) {
      this.startEngine();
      return this.noJournal(error as Error);
    }
    const { contents, events } = this.journal;
    for (const event of events) this.noteRepair(path, event);
    const records = contents.octopus.filter(({ type }) => type === 'put').length;
    const elapsedMs = performance.now() - startedAt;
    this.options.log('journal_opened', { path, records, rules: contents.rules.length, elapsed_ms: elapsedMs });
    for (const { name, text } of contents.rules) this.engine!.setRules(name, text).catch(() => undefined);
    if (contents.facts.length > 0)
      this.engine!.updateFacts({ add: contents.facts }).catch((error: Error) =>
        this.factsRefused('the journal', error),
      );
    this.options.post({ type: 'journal_opened', contents });
  }

  perform(effect: KnowledgeEffect): void {
    if (this.engine === null) this.early.push(effect);
    else (this.performers[effect.type] as (effect: KnowledgeEffect) => void)(effect);
  }

  close(): void {
    this.journal?.close();
    this.journal = null;
    void this.engine?.close();
  }

  private readonly performers: { readonly [T in KnowledgeEffect['type']]: Perform<T> } = {
    run_query: (effect) => this.runQuery(effect),
    cancel_query: ({ job }) => this.cancels.get(job)?.(),
    set_rules: (effect) => void this.setRules(effect),
    update_facts: ({ update }) => {
      const engine = this.engine!;
      this.told?.describe(coresIn(update), (change) => engine.updateFacts(change));
      engine.updateFacts(update).catch((error: Error) => this.factsRefused('the cluster', error));
    },
    journal: ({ entry, changes }) => {
      if (this.journal === null) return;
      this.journal.append(changes).then(
        () => this.options.post({ type: 'journal_written', entry }),
        (error: Error) => this.noJournal(error),
      );
    },
  };

  /** One event a turn of the event loop: solutions that come together with the end leave with it. */
  private runQuery({ job, goal, options }: Extract<KnowledgeEffect, { type: 'run_query' }>): void {
    let waiting: Solution[] = [];
    let end: Extract<KnowledgeEvent, { type: 'query_answered' }>['end'] = null;
    let scheduled = false;
    const schedule = (): void => {
      if (scheduled) return;
      scheduled = true;
      queueMicrotask(() => {
        scheduled = false;
        const solutions = waiting;
        waiting = [];
        if (end !== null) this.cancels.delete(job);
        this.options.post({ type: 'query_answered', job, solutions, end });
      });
    };
    const cancel = this.engine!.run(goal, options, {
      solutions: (batch) => {
        waiting.push(...batch);
        schedule();
      },
      end: (outcome) => {
        end = outcome;
        schedule();
      },
    });
    this.cancels.set(job, cancel);
  }

  private async setRules({ job, name, text }: Extract<KnowledgeEffect, { type: 'set_rules' }>): Promise<void> {
    const end = (error?: QueryError): void =>
      this.options.post({ type: 'query_answered', job, solutions: [], end: { more: false, error } });
    try {
      if (text === '') await this.engine!.removeRules(name);
      else await this.engine!.setRules(name, text);
      await this.journal?.append([text === '' ? { type: 'rules_remove', name } : { type: 'rules_put', name, text }]);
      end();
    } catch (error) {
      end(error instanceof QueryError ? error : CLOSED);
    }
  }

  /** Nothing of an update is there when one of its facts is bad: whoever asks must not take that for an empty machine. */
  private factsRefused(whose: string, error: Error): void {
    if (error instanceof QueryError && error.name === 'EngineClosed') return;
    const text = `the facts of ${whose} are not in the knowledge base: ${error.message}`;
    this.options.log('facts_refused', { whose, text: error.message });
    this.options.post({ type: 'facts_refused', text });
  }

  private noteRepair(path: string, event: JournalEvent): void {
    if (event.type === 'recovered') return;
    const amount =
      event.type === 'torn_write_repaired'
        ? event.tornBytes
        : event.type === 'compacted'
          ? event.freedBytes
          : event.pid;
    this.options.log('journal_repaired', { path, what: event.type, amount });
  }

  private noJournal(error: Error): void {
    if (this.journalFailed) return;
    this.journalFailed = true;
    this.options.log('journal_failed', { path: this.journalPath, text: error.message });
    this.options.post({ type: 'journal_failed', text: error.message });
  }
}
