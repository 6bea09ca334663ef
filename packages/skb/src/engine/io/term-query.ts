/**
 * Queries whose goal is one of our predicates, called with terms. swipl-wasm's own `query` reads the call itself from a
 * text each time and answers a dictionary, which took half of a look-up's time; the parts it is made of are used here.
 */
import type { Swipl } from './swipl.ts';

/** What swipl-wasm's iterator gives back; `error` is set on an exception nobody caught. */
export interface Step {
  readonly done: boolean;
  readonly value?: unknown;
  readonly error?: boolean;
  readonly message?: string;
}

export interface TermQuery {
  next(): Step;
  close(): void;
}

type TermRef = number;

/** The part of swipl-wasm's class that its declarations leave out. */
interface Internals {
  readonly PL_Q_CATCH_EXCEPTION: number;
  readonly bindings: {
    PL_open_foreign_frame(): number;
    PL_put_float(term: TermRef, value: number): number;
  };
  predicate(indicator: string): number;
  new_term_ref(count: number): TermRef;
  put_chars(term: TermRef, text: string): boolean;
  toJSON(term: TermRef): unknown;
  query(
    module: number,
    flags: number,
    predicate: number,
    firstArgument: TermRef,
    map: (firstArgument: TermRef) => unknown,
    frame: number,
  ): TermQuery;
}

export class TermQueries {
  private readonly prolog: Internals;
  private readonly predicate: number;

  constructor(swipl: Swipl) {
    this.prolog = swipl.prolog as unknown as Internals;
    this.predicate = this.prolog.predicate('mk_sandbox:run/4');
  }

  /** `run(Goal, InferenceLimit, Deadline, Outcome)`; each step's value is an Outcome. The deadline in seconds. */
  run(goal: string, inferenceLimit: number, deadline: number): TermQuery {
    const { prolog } = this;
    const frame = prolog.bindings.PL_open_foreign_frame();
    const first = prolog.new_term_ref(4);
    prolog.put_chars(first, goal);
    // As a float: integers that go through this interface are cut to 32 bits.
    prolog.bindings.PL_put_float(first + 1, inferenceLimit);
    prolog.bindings.PL_put_float(first + 2, deadline);
    return prolog.query(
      0,
      prolog.PL_Q_CATCH_EXCEPTION,
      this.predicate,
      first,
      (term) => prolog.toJSON(term + 3),
      frame,
    );
  }
}
