/**
 * Calls one of our predicates with terms. swipl-wasm's own `query` parses the call from text each time and returns a
 * dictionary, which took half the time of a look-up; this uses its parts.
 */
import type { JsonTerm } from '@mk/monitor-proto/knowledge/query';
import type { Prolog, Swipl, TermQuery, TermRef } from './swipl-types.ts';
import { TermReader } from './term-reader.ts';

export class TermQueries {
  private readonly prolog: Prolog;
  private readonly predicate: number;
  private readonly reader: TermReader;

  constructor(swipl: Swipl, variableMark: string) {
    this.prolog = swipl.prolog;
    this.reader = new TermReader(swipl, variableMark);
    this.predicate = this.prolog.predicate('mk_sandbox:run/4');
  }

  /** Calls a predicate of the sandbox with texts, which must succeed; returns its last argument. */
  answer(predicate: string, ...texts: readonly string[]): JsonTerm {
    const { prolog } = this;
    const frame = prolog.bindings.PL_open_foreign_frame();
    const first = prolog.new_term_ref(texts.length + 1);
    texts.forEach((text, index) => prolog.put_chars(first + index, text, prolog.PL_ATOM));
    const indicator = prolog.predicate(`mk_sandbox:${predicate}/${texts.length + 1}`);
    const read = (term: TermRef): JsonTerm => this.reader.read(term + texts.length);
    const query = prolog.query(0, prolog.PL_Q_CATCH_EXCEPTION, indicator, first, read, frame);
    const step = query.next();
    if (!step.done) query.close();
    if (step.error === true || step.value === undefined) throw new Error(`${predicate}: ${step.message ?? 'failed'}`);
    return step.value;
  }

  /** `run(Goal, InferenceLimit, Deadline, Outcome)`; each step's value is an Outcome. The deadline in seconds. */
  run(goal: string, inferenceLimit: number, deadline: number): TermQuery {
    const { prolog } = this;
    const frame = prolog.bindings.PL_open_foreign_frame();
    const first = prolog.new_term_ref(4);
    prolog.put_chars(first, goal);
    // As a float: this interface truncates integers to 32 bits.
    prolog.bindings.PL_put_float(first + 1, inferenceLimit);
    prolog.bindings.PL_put_float(first + 2, deadline);
    return prolog.query(
      0,
      prolog.PL_Q_CATCH_EXCEPTION,
      this.predicate,
      first,
      (term) => this.reader.read(term + 3),
      frame,
    );
  }
}
