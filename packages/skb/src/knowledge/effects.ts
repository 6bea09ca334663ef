/** Effects of the SKB's state machine beyond those of every state machine, and the events that answer them. */
import type { LogEventName, LogFields } from '@mk/monitor-proto/log-events';
import type { QueryError, QueryOptions, Solution } from '@mk/monitor-proto/knowledge/query';
import type { FactUpdate } from '../engine/skb-engine.ts';
import type { JournalChange, JournalContents } from '../journal/changes.ts';

export type KnowledgeEffect =
  | { readonly type: 'run_query'; readonly job: number; readonly goal: string; readonly options: QueryOptions }
  | { readonly type: 'cancel_query'; readonly job: number }
  /** An empty text removes the rules. */
  | { readonly type: 'set_rules'; readonly job: number; readonly name: string; readonly text: string }
  | { readonly type: 'update_facts'; readonly update: FactUpdate }
  /** Must be on disk before `journal_written` of this entry; entries rise by one. */
  | { readonly type: 'journal'; readonly entry: number; readonly changes: readonly JournalChange[] }
  /** Like `journal`, but replaces everything that the journal holds for the state machine. */
  | { readonly type: 'journal_anew'; readonly entry: number; readonly changes: readonly JournalChange[] };

export type KnowledgeEvent =
  | { readonly type: 'engine_ready'; readonly facts: number }
  | { readonly type: 'engine_restarted'; readonly cause: string }
  | { readonly type: 'facts_refused'; readonly text: string }
  /** Solutions of a query, in order; `end` comes with the last. Rules get an end alone. */
  | {
      readonly type: 'query_answered';
      readonly job: number;
      readonly solutions: readonly Solution[];
      readonly end: QueryEnd | null;
    }
  | { readonly type: 'journal_opened'; readonly contents: JournalContents }
  | { readonly type: 'journal_written'; readonly entry: number }
  /** Nothing can be kept until the journal has been opened, or has recovered. */
  | { readonly type: 'journal_failed'; readonly text: string }
  /** A journal that had been opened and failed can be written again. */
  | { readonly type: 'journal_recovered' };

export interface QueryEnd {
  readonly more: boolean;
  readonly error?: QueryError | undefined;
}

/** Where the knowledge base puts its effects and log lines. */
export interface KnowledgeSink {
  push(effect: KnowledgeEffect): void;
  log(event: LogEventName, fields: LogFields): void;
}
