import type { CoreId, OperationId, Nanos } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import { type Operation, OperationError, wait } from '../operations.ts';
import type { Plan } from './plan.ts';
import type { Phase, RoundActionName } from './round-actions.ts';
import { firstRefusal, type PhaseResult } from './round-answers.ts';
import type { Rounds } from './rounds.ts';

/** Cores named in an error, which is one line; the log has all of them. */
const MOST_NAMED = 16;

/** The parameters of a round. */
export interface RoundSpec {
  readonly op: OperationId;
  readonly action: RoundActionName;
  readonly payload: Uint8Array;
  readonly plan: Plan;
  /** Absent: each phase has the usual time of an operation. */
  readonly deadline?: Nanos | undefined;
}

/** What a completed round reports. */
export interface RoundReport {
  readonly cores: number;
  readonly phases: number;
  readonly messages: number;
}

/** Runs one phase over the plan; returns every member's vote, with refusals for the unreachable. */
export function* phaseOf(rounds: Rounds, phase: Phase, spec: RoundSpec): Operation<PhaseResult> {
  return yield* wait<PhaseResult>({
    arm(resume, now) {
      const deadline = spec.deadline ?? now + limit('operationDeadlineNs');
      rounds.begin({ ...spec, phase, deadline }, now, resume);
      return () => undefined;
    },
  });
}

/**
 * Ends the operation in the first refusal, naming the cores that refused or did not answer. `before`: messages of
 * earlier phases.
 */
export function failOnRefusal(result: PhaseResult, op: OperationId, what = 'round', before = 0): void {
  const refusal = firstRefusal(result);
  if (refusal === null) return;
  const { refusals, consenting, silent } = result;
  const trouble = { cores: consenting + refusals.length, messages: before + result.messages, silent };
  const others = refusals.length > 1 ? `, nor did ${refusals.length - 1} more` : '';
  const blamed = refusal.error === 'PEER_GONE' ? gone(silent) : unanswered(silent);
  const text = silent.length > 0 ? blamed : `core ${refusal.core} did not consent${others}`;
  throw new OperationError(refusal.error, `${what} ${op}: ${text}`, trouble);
}

/** `no answer from cores 3, 7`. */
export function unanswered(silent: readonly CoreId[]): string {
  return `no answer from ${named(silent)}`;
}

function gone(cores: readonly CoreId[]): string {
  return `${named(cores)} ${cores.length === 1 ? 'is' : 'are'} gone`;
}

function named(cores: readonly CoreId[]): string {
  const more = cores.length > MOST_NAMED ? ` and ${cores.length - MOST_NAMED} more` : '';
  return `core${cores.length === 1 ? '' : 's'} ${cores.slice(0, MOST_NAMED).join(', ')}${more}`;
}
