/** From swipl-wasm's JavaScript rendering of terms to ours. Pure. */
import type { JsonTerm, QueryErrorName, Solution } from '@mk/monitor-proto/knowledge/query';
import type { Failure } from './protocol.ts';

/** What `sandbox.pl` answers: solution(NamesAndValues, ResidualGoals) or error(Kind, Detail, Position). */
export type Outcome = { readonly solution: Solution } | { readonly failure: Failure };

const ERROR_NAMES: { readonly [kind: string]: QueryErrorName } = {
  syntax: 'QuerySyntaxError',
  forbidden: 'QueryForbidden',
  unknown_predicate: 'QueryUnknownPredicate',
  time_limit: 'QueryTimeLimit',
  inference_limit: 'QueryInferenceLimit',
  resource: 'QueryStackLimit',
  answer_too_large: 'QueryAnswerTooLarge',
  raised: 'QueryRaised',
};

/** Decodes one outcome of `run/4`; throws if it is none, which means that the engine is broken. */
export function decodeOutcome(value: unknown): Outcome {
  const { functor, args } = compoundOf(value);
  if (functor === 'solution') return { solution: solutionOf(args[0], args[1]) };
  if (functor !== 'error') throw new Error(`the engine answered ${functor}/${args.length}`);
  const [kind, detail, position] = args;
  const name = ERROR_NAMES[String(kind)] ?? 'QueryRaised';
  return { failure: { name, detail: String(detail), position: Number(position) } };
}

/** Line and column, from 1, of a character position in a text. */
export function placeOf(text: string, position: number): { line: number; column: number } {
  const before = text.slice(0, Math.max(0, position)).split('\n');
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
}

function solutionOf(flat: unknown, residual: unknown): Solution {
  const pairs = Array.isArray(flat) ? flat : [];
  const bindings: { [name: string]: JsonTerm } = {};
  for (let index = 0; index + 1 < pairs.length; index += 2) bindings[String(pairs[index])] = termOf(pairs[index + 1]);
  const texts = Array.isArray(residual) ? residual.map(String) : [];
  return texts.length === 0 ? { bindings } : { bindings, residual: texts };
}

function termOf(value: unknown): JsonTerm {
  if (typeof value === 'number' || typeof value === 'string') return value;
  if (typeof value === 'bigint') return { integer: value.toString() };
  if (typeof value === 'boolean' || value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return value.map(termOf);
  return objectTerm(value as { readonly [key: string]: unknown });
}

function objectTerm(value: { readonly [key: string]: unknown }): JsonTerm {
  if (value['$t'] === 'r') return { rational: `${value['n']}r${value['d']}` };
  if (value['$t'] === 's') return String(value['v']);
  if (value['$t'] === 'v') return { variable: `_${value['v']}` };
  if (!isCompound(value)) return String(value);
  const { functor, args } = compoundOf(value);
  if (functor === '$mk_variable') return { variable: String(args[0]) };
  return { functor, args: args.map(termOf) };
}

function isCompound(value: { readonly [key: string]: unknown }): boolean {
  return value['$t'] === 't' || Array.isArray(value['$t']);
}

/** A compound is { $t: 't', NAME: [[arguments]] }; one named `$t` has lost its tag. */
function compoundOf(value: unknown): { functor: string; args: readonly unknown[] } {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  const found = entries.find(([, held]) => Array.isArray(held));
  if (found === undefined) throw new Error(`the engine answered ${String(value)}, which is no compound`);
  const [functor, held] = found;
  const inner: unknown = (held as readonly unknown[])[0];
  return { functor, args: Array.isArray(inner) ? inner : [] };
}
