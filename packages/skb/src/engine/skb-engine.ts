/** The Prolog engine, as the rest of the knowledge base sees it. */
import type { QueryOptions, QuerySink, Solution } from '@mk/monitor-proto/knowledge/query';
import type { Fact, FactPattern } from '../facts/fact.ts';
import type { Program } from './protocol.ts';

export interface SkbEngine {
  /** Settles when the first query can be answered. */
  readonly ready: Promise<void>;
  /** Adds and removes facts in one step between two queries; a fact that is already there is not added again. */
  updateFacts(update: FactUpdate): Promise<FactChange>;
  /** Replaces the rules of that name, all or none; rejects with a `QueryError`. */
  setRules(name: string, text: string): Promise<void>;
  removeRules(name: string): Promise<void>;
  /** Restores rules accepted in an earlier life, in any order; resolves with those now refused, and why. */
  restoreRules(programs: readonly Program[]): Promise<readonly RefusedProgram[]>;
  /** Starts a query and returns what cancels it; a cancelled query ends with `QueryCancelled`. */
  run(goal: string, options: QueryOptions, sink: QuerySink): () => void;
  /** Collects a query's answers; rejects with a `QueryError`. */
  query(
    goal: string,
    options?: QueryOptions,
  ): Promise<{ readonly solutions: readonly Solution[]; readonly more: boolean }>;
  /** Streams a query's answers; throws a `QueryError`; leaving the loop cancels the query. */
  stream(goal: string, options?: QueryOptions): AsyncGenerator<Solution, { readonly more: boolean }>;
  close(): Promise<void>;
}

export interface RefusedProgram {
  readonly name: string;
  readonly why: string;
}

/** Removals come before additions. */
export interface FactUpdate {
  readonly remove?: readonly FactPattern[];
  readonly add?: readonly Fact[];
}

/** What an update actually changed. */
export interface FactChange {
  readonly removed: readonly Fact[];
  readonly added: readonly Fact[];
}
