/** Decodes what `sandbox.pl` answers to a query. Pure. */
import { known } from '@mk/monitor-proto/assert';
import type { JsonTerm, QueryErrorName, Solution } from '@mk/monitor-proto/knowledge/query';
import type { Failure } from './protocol.ts';

/** solution(NamesAndValues, ResidualGoals), or error(Kind, Detail, Position). */
export type Outcome = { readonly solution: Solution } | { readonly failure: Failure };

const ERROR_NAMES = new Map<string, QueryErrorName>([
  ['syntax', 'QuerySyntaxError'],
  ['forbidden', 'QueryForbidden'],
  ['unknown_predicate', 'QueryUnknownPredicate'],
  ['time_limit', 'QueryTimeLimit'],
  ['inference_limit', 'QueryInferenceLimit'],
  ['resource', 'QueryStackLimit'],
  ['answer_too_large', 'QueryAnswerTooLarge'],
  ['raised', 'QueryRaised'],
]);

/** Decodes one outcome; throws for anything else, which means that the engine is broken. */
export function decodeOutcome(term: JsonTerm): Outcome {
  if (typeof term === 'object' && 'functor' in term) {
    const [first = '', second = '', third = -1] = term.args;
    if (term.functor === 'solution' && term.args.length === 2) return { solution: solutionOf(first, second) };
    if (term.functor === 'error' && term.args.length === 3) {
      const name = ERROR_NAMES.get(String(first)) ?? 'QueryRaised';
      return { failure: { name, detail: String(second), position: Number(third) } };
    }
  }
  throw new Error(`the engine answered ${JSON.stringify(term).slice(0, 200)}`);
}

/** Line and column, from 1, of a character position in a text. */
export function placeOf(text: string, position: number): { line: number; column: number } {
  const before = text.slice(0, Math.max(0, position)).split('\n');
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
}

function solutionOf(flat: JsonTerm, residual: JsonTerm): Solution {
  const pairs: readonly JsonTerm[] = Array.isArray(flat) ? flat : [];
  const bindings: { [name: string]: JsonTerm } = {};
  for (let index = 0; index + 1 < pairs.length; index += 2) bindings[String(pairs[index])] = known(pairs[index + 1]);
  const texts = Array.isArray(residual) ? residual.map(String) : [];
  return texts.length === 0 ? { bindings } : { bindings, residual: texts };
}
