/**
 * Reads Prolog terms out of the engine's memory. swipl-wasm's own conversion makes objects keyed by functor, so a term
 * called `__proto__` or `$t` is lost or breaks the engine; it also ends texts at a NUL and cannot represent open lists.
 */
import { known } from '@mk/monitor-proto/assert';
import type { JsonTerm } from '@mk/monitor-proto/knowledge/query';
import type { Memory, Prolog, Swipl, TermRef } from './swipl-types.ts';

const LIST_FUNCTOR = '[|]';

export class TermReader {
  private readonly prolog: Prolog;
  private readonly memory: Memory;
  /** Where the C interface puts a length and an address. */
  private readonly place: number;

  /** `variableMark`: the functor that stands for a variable with a name (sandbox.pl). */
  constructor(
    swipl: Swipl,
    private readonly variableMark: string,
  ) {
    this.prolog = swipl.prolog;
    this.memory = swipl;
    this.place = this.memory._malloc(8);
  }

  /** The whole term. */
  read(term: TermRef): JsonTerm {
    const { prolog } = this;
    const type = prolog.bindings.PL_term_type(term);
    if (type === prolog.PL_ATOM) return this.text(term, prolog.CVT_ATOM);
    if (type === prolog.PL_INTEGER) return integerTerm(prolog.get_integer(term));
    if (type === prolog.PL_STRING) return this.text(term, prolog.CVT_STRING);
    if (type === prolog.PL_FLOAT) return floatTerm(prolog.get_float(term));
    if (type === prolog.PL_NIL) return [];
    if (type === prolog.PL_LIST_PAIR) return this.list(term);
    if (type === prolog.PL_TERM) return this.compoundTerm(term);
    if (type === prolog.PL_DICT) return this.dict(term);
    if (type === prolog.PL_VARIABLE) return { variable: `_${prolog.bindings.WASM_variable_id(term)}` };
    if (type === prolog.PL_RATIONAL) return { rational: this.text(term, prolog.CVT_RATIONAL) };
    return this.text(term, prolog.CVT_WRITEQ);
  }

  private compound(term: TermRef): { readonly name: string; readonly arity: number } {
    const { prolog } = this;
    const functor = prolog.get_functor(term);
    const named = prolog.bindings.PL_new_term_ref();
    prolog.bindings.PL_put_atom(named, prolog.bindings.PL_functor_name(functor));
    const name = this.text(named, prolog.CVT_ATOM | prolog.CVT_WRITEQ);
    prolog.bindings.PL_reset_term_refs(named);
    return { name, arity: prolog.bindings.PL_functor_arity(functor) };
  }

  private compoundTerm(term: TermRef): JsonTerm {
    const { name, arity } = this.compound(term);
    const args = this.arguments(term, 1, arity);
    if (name === this.variableMark && arity === 1) return { variable: String(args[0]) };
    return { functor: name, args };
  }

  private arguments(term: TermRef, from: number, to: number): JsonTerm[] {
    const ref = this.prolog.bindings.PL_new_term_ref();
    const args: JsonTerm[] = [];
    for (let index = from; index <= to; index++) {
      this.prolog.get_arg(index, term, ref);
      args.push(this.read(ref));
    }
    this.prolog.bindings.PL_reset_term_refs(ref);
    return args;
  }

  /** A proper list becomes an array; a list with another end, or an open one, its cells. */
  private list(term: TermRef): JsonTerm {
    const { bindings } = this.prolog;
    const head = bindings.PL_new_term_ref();
    const tail = bindings.PL_copy_term_ref(term);
    const items: JsonTerm[] = [];
    while (bindings.PL_get_list(tail, head, tail) !== 0) items.push(this.read(head));
    const end = bindings.PL_get_nil(tail) !== 0 ? null : this.read(tail);
    bindings.PL_reset_term_refs(head);
    if (end === null) return items;
    return items.reduceRight<JsonTerm>((rest, item) => ({ functor: LIST_FUNCTOR, args: [item, rest] }), end);
  }

  /** `dict(Tag, [Key-Value, …])`, in the order of SWI-Prolog's `dict_pairs/3`. */
  private dict(term: TermRef): JsonTerm {
    const { arity } = this.compound(term);
    const [tag = '', ...flat] = this.arguments(term, 1, arity);
    const pairs: { functor: '-'; args: [JsonTerm, JsonTerm] }[] = [];
    for (let index = 0; index + 1 < flat.length; index += 2)
      pairs.push({ functor: '-', args: [known(flat[index + 1]), known(flat[index])] });
    return { functor: 'dict', args: [tag, pairs] };
  }

  /** NULs included: the length is given, not searched for. */
  private text(term: TermRef, kinds: number): string {
    const { prolog, memory, place } = this;
    const mark = prolog.bindings.WASM_mark_string_buffers();
    try {
      if (memory._PL_get_nchars(term, place, place + 4, kinds | prolog.REP_UTF8) === 0)
        throw new Error('the engine has no text for a term');
      return memory.UTF8ToString(memory.getValue(place + 4, 'i32'), memory.getValue(place, 'i32'), true);
    } finally {
      prolog.bindings.PL_release_string_buffers_from_mark(mark);
    }
  }
}

function integerTerm(value: number | bigint): JsonTerm {
  return typeof value === 'bigint' ? { integer: value.toString() } : value;
}

/** Floats that JSON has no number for, by name. */
function floatTerm(value: number): JsonTerm {
  if (Number.isFinite(value) && !Object.is(value, -0)) return value;
  if (Number.isNaN(value)) return { float: 'nan' };
  return { float: value === 0 ? '-0.0' : value > 0 ? 'inf' : '-inf' };
}
