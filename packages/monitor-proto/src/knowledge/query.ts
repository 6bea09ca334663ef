/** Queries to the knowledge base and their answers, as both sides see them. */

/**
 * A Prolog term as JSON: atoms and strings are strings, lists are arrays. A list that does not end in `[]` is its cells,
 * `{functor: '[|]', args: [head, tail]}`; a dict is `dict(Tag, [Key-Value, …])`; `float` names what JSON has no number for:
 * `inf`, `-inf`, `nan`, `-0.0`.
 */
export type JsonTerm =
  | number
  | string
  | readonly JsonTerm[]
  | { readonly functor: string; readonly args: readonly JsonTerm[] }
  | { readonly variable: string }
  | { readonly integer: string }
  | { readonly float: 'inf' | '-inf' | 'nan' | '-0.0' }
  | { readonly rational: string };

/** One answer: its bindings by variable name, and the constraints that remain on unbound ones, as text. */
export interface Solution {
  readonly bindings: { readonly [name: string]: JsonTerm };
  readonly residual?: readonly string[];
}

/** Why a query or an addition of rules was refused or ended. The names are stable: clients tell them apart. */
export type QueryErrorName =
  | 'QuerySyntaxError'
  | 'QueryForbidden'
  | 'QueryUnknownPredicate'
  | 'QueryTimeLimit'
  | 'QueryInferenceLimit'
  | 'QueryStackLimit'
  | 'QueryAnswerTooLarge'
  | 'QueryRaised'
  | 'QueryTooLong'
  | 'QueryTooDeep'
  | 'QueryCancelled'
  | 'QueryCrashedEngine'
  | 'QueryFailed'
  | 'QueryPoisoned'
  | 'JournalFailed'
  | 'EngineBusy'
  | 'EngineRestarted'
  | 'SessionLost'
  | 'EngineClosed';

/** A query's named failure; `line` and `column` count from 1 and come with syntax errors only. */
export class QueryError extends Error {
  override readonly name: QueryErrorName;
  readonly line: number | undefined;
  readonly column: number | undefined;

  constructor(name: QueryErrorName, message: string, place?: { readonly line: number; readonly column: number }) {
    super(place === undefined ? message : `${message} at line ${place.line}, column ${place.column}`);
    this.name = name;
    this.line = place?.line;
    this.column = place?.column;
  }
}

/** Resource bounds of one query; omitted ones default to `limits.ts`. */
export interface QueryOptions {
  readonly timeLimitMs?: number;
  readonly inferenceLimit?: number;
  readonly maxSolutions?: number;
}

/** Receives a query's answers in order, in batches, and then exactly one end. */
export interface QuerySink {
  solutions(batch: readonly Solution[]): void;
  /** `more`: `maxSolutions` ended the search before it was exhausted. */
  end(outcome: { readonly more: boolean; readonly error?: QueryError }): void;
}
