import { handlerFor } from '@mk/monitor-proto/handlers';
import { known } from '@mk/monitor-proto/assert';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { MachineDescription } from '@mk/machine/description';
import { ENGINE_LIMITS } from '../engine/limits.ts';
import { QueryError, type Solution } from '@mk/monitor-proto/knowledge/query';
import type { LogEventName, LogFields } from '@mk/monitor-proto/log-events';
import { WorkerEngine } from '../engine/io/worker-engine.ts';
import { hostFacts } from '../facts/io/host-facts.ts';
import { coresIn, ToldMachine } from '../facts/told-machine.ts';
import type { JournalContents } from '../journal/changes.ts';
import type { JournalKeeper } from '../journal/io/journal-keeper.ts';
import type { KnowledgeEffect, KnowledgeEvent } from '../knowledge/effects.ts';
import type { DataPlace } from './data-place.ts';
import type { Witness } from './witness.ts';

export interface KnowledgeHostOptions {
  readonly place: DataPlace;
  /** Sized for the cores that may join. */
  readonly machine: MachineDescription;
  /** How many of its cores are described from the start; later ones when they join. */
  readonly cores: number;
  /** The data directory can be written to, perhaps again. */
  prepared?(): void;
  /** Records what this process is busy with, if that can be recorded. */
  witness?(): Witness | null;
  post(event: KnowledgeEvent): void;
  log(event: LogEventName, fields: LogFields): void;
}

type Perform<T extends KnowledgeEffect['type']> = (effect: Extract<KnowledgeEffect, { type: T }>) => void;

/** The build puts both beside the program. */
const WORKER = new URL('./skb-engine.cjs', import.meta.url);
const STATE = new URL('./skb-engine.prc', import.meta.url);
const CLOSED = new QueryError('EngineClosed', 'the knowledge base could not be started; see the SKB’s log');

/**
 * Performs the effects of the knowledge base: the Prolog engine in its thread, the journal on disk. Effects that come
 * before both have started wait for them.
 */
export class KnowledgeHost {
  private engine: WorkerEngine | null = null;
  private keeper: JournalKeeper | null = null;
  private readonly cancels = new Map<number, () => void>();
  private told: ToldMachine | null = null;
  private readonly rules = new Map<string, string>();
  private early: KnowledgeEffect[] | null = [];
  private beginning = false;

  constructor(private readonly options: KnowledgeHostOptions) {}

  /** Whether an earlier life of this SKB has left a journal. */
  get hasJournal(): boolean {
    const { journalPath } = this.options.place;
    return journalPath !== null && existsSync(journalPath);
  }

  /** Reports what is wrong with the data directory, before anything is opened. */
  sayFailure(): void {
    const { failure, journalPath } = this.options.place;
    if (failure === null) return;
    this.options.log('journal_failed', { path: journalPath, text: failure });
    this.options.post({ type: 'journal_failed', text: failure });
  }

  /**
   * Opens the journal if one is kept, and starts the engine. Its thread starts after SQLite's module is compiled: it
   * briefly changes a setting of V8 that must not affect SQLite.
   */
  async begin(): Promise<void> {
    if (this.beginning) return;
    this.beginning = true;
    const { journalPath, lock, keepLife } = this.options.place;
    const { post, log } = this.options;
    if (journalPath !== null) {
      const { JournalKeeper } = await import('../journal/io/journal-keeper.ts');
      this.startEngine();
      this.keeper = new JournalKeeper({
        path: journalPath,
        lock,
        log,
        prepare: () => {
          keepLife();
          this.options.prepared?.();
        },
        opened: (contents) => this.opened(contents),
        failed: (text) => post({ type: 'journal_failed', text }),
        recovered: () => post({ type: 'journal_recovered' }),
      });
      this.keeper.open();
    } else this.startEngine();
    const { early } = this;
    this.early = null;
    for (const effect of early ?? []) this.perform(effect);
  }

  /** Starting the engine costs the host a third of a second of CPU time, and this thread next to nothing. */
  private startEngine(): void {
    if (this.engine !== null) return;
    const { post, machine } = this.options;
    const onRestart = (cause: string): void => post({ type: 'engine_restarted', cause });
    const onLook = (goal: string | null, grown: number): void => this.options.witness?.()?.queryRuns(goal, grown);
    const workerPath = fileURLToPath(WORKER);
    const engine = new WorkerEngine({ workerPath, state: readFileSync(STATE), onRestart, onLook });
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
  }

  /** Rules of an earlier life are restored before anything that this life is asked. */
  private opened(contents: JournalContents): void {
    const { post } = this.options;
    for (const { name, text } of contents.rules) this.rules.set(name, text);
    void this.restore(contents.rules);
    if (contents.facts.length > 0)
      known(this.engine)
        .updateFacts({ add: contents.facts })
        .catch((error: Error) => this.factsRefused('the journal', error));
    post({ type: 'journal_opened', contents });
  }

  private async restore(rules: JournalContents['rules']): Promise<void> {
    const refused = await known(this.engine)
      .restoreRules(rules)
      .catch(() => []);
    for (const { name, why } of refused) this.options.log('rules_not_restored', { name, text: why });
  }

  perform(effect: KnowledgeEffect): void {
    if (this.early !== null) this.early.push(effect);
    else handlerFor(this.performers, effect.type)(effect);
  }

  close(): void {
    this.keeper?.close();
    this.keeper = null;
    void this.engine?.close();
  }

  private readonly performers: { readonly [T in KnowledgeEffect['type']]: Perform<T> } = {
    run_query: (effect) => this.runQuery(effect),
    cancel_query: ({ job }) => this.cancels.get(job)?.(),
    set_rules: (effect) => void this.setRules(effect),
    update_facts: ({ update }) => {
      const engine = known(this.engine);
      this.told?.describe(coresIn(update), (change) => engine.updateFacts(change));
      engine.updateFacts(update).catch((error: Error) => this.factsRefused('the cluster', error));
    },
    journal: ({ entry, changes }) => {
      this.keeper?.append(changes).then(
        () => this.options.post({ type: 'journal_written', entry }),
        () => undefined, // the keeper has reported it
      );
    },
    journal_anew: ({ entry, changes }) => {
      const rules = [...this.rules].map(([name, text]) => ({ type: 'rules_put', name, text }) as const);
      if (this.keeper?.replaceBy([...changes, ...rules]) === true)
        this.options.post({ type: 'journal_written', entry });
    },
  };

  /** One event per turn of the event loop: solutions that arrive with the end leave with it. */
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
    const cancel = known(this.engine).run(goal, options, {
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

  /** Refuses rules that cannot be kept: the engine would lose them with the process. */
  private async setRules({ job, name, text }: Extract<KnowledgeEffect, { type: 'set_rules' }>): Promise<void> {
    const end = (error?: QueryError): void =>
      this.options.post({ type: 'query_answered', job, solutions: [], end: { more: false, error } });
    const whyNot = this.keeper?.whyNot ?? null;
    if (whyNot !== null) return end(new QueryError('JournalFailed', whyNot));
    const tooMuch = tooManyRules(this.rules, name, text);
    if (tooMuch !== null) return end(new QueryError('QueryTooLong', tooMuch));
    const before = this.rules.get(name) ?? '';
    try {
      await this.load(name, text);
      await this.keeper
        ?.append([text === '' ? { type: 'rules_remove', name } : { type: 'rules_put', name, text }])
        .catch(async (error: Error) => {
          await this.load(name, before);
          throw new QueryError('JournalFailed', error.message);
        });
      end();
    } catch (error) {
      end(error instanceof QueryError ? error : CLOSED);
    }
  }

  /** One bad fact rejects a whole update: callers must not mistake that for an empty machine. */
  private factsRefused(whose: string, error: Error): void {
    if (error instanceof QueryError && error.name === 'EngineClosed') return;
    const text = `the facts of ${whose} are not in the knowledge base: ${error.message}`;
    this.options.log('facts_refused', { whose, text: error.message });
    this.options.post({ type: 'facts_refused', text });
  }

  private async load(name: string, text: string): Promise<void> {
    if (text === '') await known(this.engine).removeRules(name);
    else await known(this.engine).setRules(name, text);
    if (text === '') this.rules.delete(name);
    else this.rules.set(name, text);
  }
}

/**
 * Why there would be too many rules after this change; null if there would not. A change that shrinks them is always
 * accepted.
 */
export function tooManyRules(rules: ReadonlyMap<string, string>, name: string, text: string): string | null {
  const before = rules.get(name);
  const { maxAllRulesChars, maxRulePrograms } = ENGINE_LIMITS;
  if (before === undefined && text !== '' && rules.size >= maxRulePrograms)
    return `there are ${rules.size} programs of rules, the most allowed`;
  const grows = text.length - (before?.length ?? 0);
  const all = [...rules.values()].reduce((sum, { length }) => sum + length, grows);
  return grows > 0 && all > maxAllRulesChars
    ? `all rules together may have ${maxAllRulesChars} characters; with these they have ${all}`
    : null;
}
