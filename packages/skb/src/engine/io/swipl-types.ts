import type { JsonTerm } from '@mk/monitor-proto/knowledge/query';
import type initSwipl from 'swipl-wasm/dist/swipl-node.js';

export type TermRef = number;

/** A step of swipl-wasm's iterator; `error` is set on an uncaught exception. */
interface Step {
  readonly done: boolean;
  readonly value?: JsonTerm;
  readonly error?: boolean;
  readonly message?: string;
}

export interface TermQuery {
  next(): Step;
  close(): void;
}

/** The result of one of our own goals, run once. */
export interface Once {
  readonly success?: boolean;
  readonly message?: string;
  readonly Refused?: readonly (readonly unknown[])[];
}

/** swipl-wasm's class with the parts of its own `query`, which its declarations leave out. */
export interface Prolog {
  readonly PL_VARIABLE: number;
  readonly PL_ATOM: number;
  readonly PL_STRING: number;
  readonly PL_INTEGER: number;
  readonly PL_RATIONAL: number;
  readonly PL_FLOAT: number;
  readonly PL_NIL: number;
  readonly PL_LIST_PAIR: number;
  readonly PL_DICT: number;
  readonly PL_TERM: number;
  readonly PL_Q_CATCH_EXCEPTION: number;
  readonly CVT_ATOM: number;
  readonly CVT_STRING: number;
  readonly CVT_INTEGER: number;
  readonly CVT_RATIONAL: number;
  readonly CVT_WRITEQ: number;
  readonly REP_UTF8: number;
  readonly bindings: {
    PL_open_foreign_frame(): number;
    PL_put_float(term: TermRef, value: number): number;
    PL_term_type(term: TermRef): number;
    PL_new_term_ref(): TermRef;
    PL_copy_term_ref(term: TermRef): TermRef;
    PL_put_atom(term: TermRef, atom: number): number;
    PL_reset_term_refs(term: TermRef): void;
    PL_get_list(list: TermRef, head: TermRef, tail: TermRef): number;
    PL_get_nil(term: TermRef): number;
    PL_functor_name(functor: number): number;
    PL_functor_arity(functor: number): number;
    WASM_variable_id(term: TermRef): number;
    WASM_mark_string_buffers(): number;
    PL_release_string_buffers_from_mark(mark: number): void;
  };
  get_arg(index: number, term: TermRef, into: TermRef): boolean;
  get_functor(term: TermRef): number;
  get_integer(term: TermRef): number | bigint;
  get_float(term: TermRef): number;
  predicate(indicator: string): number;
  new_term_ref(count: number): TermRef;
  put_chars(term: TermRef, text: string, type?: number): boolean;
  query(goal: string, input: Readonly<Record<string, unknown>>): { once(): Once };
  query(
    module: number,
    flags: number,
    predicate: number,
    firstArgument: TermRef,
    map: (firstArgument: TermRef) => JsonTerm,
    frame: number,
  ): TermQuery;
}

/** The engine's memory. What begins with an underscore is SWI-Prolog's C interface. */
export interface Memory {
  _malloc(bytes: number): number;
  _PL_get_nchars(term: TermRef, length: number, text: number, flags: number): number;
  getValue(address: number, type: 'i32'): number;
  UTF8ToString(address: number, bytes: number, pastNul: boolean): string;
}

/** SWI-Prolog in WebAssembly. */
export interface Swipl extends Memory, Pick<Awaited<ReturnType<typeof initSwipl>>, 'FS'> {
  readonly prolog: Prolog;
}
