/** What the journal keeps: records, their counters, unsettled answers, and the facts and rules that users added. */
import type { Fact } from '../facts/fact.ts';
import type { KeptAnswers } from '../octopus/answers.ts';
import type { OctopusChange } from '../octopus/change.ts';

export type JournalChange =
  | OctopusChange
  | ({ readonly type: 'answers_put' } & KeptAnswers)
  | { readonly type: 'answers_forget'; readonly client: string; readonly below: number }
  | { readonly type: 'fact_put'; readonly text: string; readonly fact: Fact }
  | { readonly type: 'fact_remove'; readonly text: string }
  | { readonly type: 'rules_put'; readonly name: string; readonly text: string }
  | { readonly type: 'rules_remove'; readonly name: string };

/** What a journal held when it was opened. */
export interface JournalContents {
  readonly octopus: readonly OctopusChange[];
  readonly answers: readonly KeptAnswers[];
  readonly facts: readonly Fact[];
  readonly rules: readonly { readonly name: string; readonly text: string }[];
}

/** A change's subject: of several changes of one subject in a batch only the last counts. */
export function keyOfChange(change: JournalChange): string {
  if (change.type === 'put' || change.type === 'remove') return `record ${change.name}`;
  if (change.type === 'answers_put') return `answers ${change.last} of ${change.client}`;
  if (change.type === 'answers_forget') return `settled of ${change.client}`;
  if (change.type === 'counter' || change.type === 'counter_remove') return `counter ${change.name}`;
  if (change.type === 'fact_put' || change.type === 'fact_remove') return `fact ${change.text}`;
  return `rules ${change.name}`;
}

/** A fact as JSON; integers too large for JSON become text. */
export function factJson(fact: Fact): string {
  return JSON.stringify(fact, (_key, value: unknown) =>
    typeof value === 'bigint' ? { integer: String(value) } : value,
  );
}

export function factOfJson(json: string): Fact {
  return JSON.parse(json, (_key, value: unknown) => (isInteger(value) ? BigInt(value.integer) : value));
}

function isInteger(value: unknown): value is { readonly integer: string } {
  return typeof value === 'object' && value !== null && 'integer' in value && Object.keys(value).length === 1;
}
