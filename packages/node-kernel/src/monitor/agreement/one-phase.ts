import type { OperationId, Nanos } from '@mk/monitor-proto/ids';
import { OperationError, type Operation } from '../operations.ts';
import type { Plan } from './plan.ts';
import { PHASES, type Phase, type RoundActionName } from './round-actions.ts';
import { firstRefusal, type PhaseResult, type Rounds } from './rounds.ts';

/** What a round needs to be told. */
export interface RoundSpec {
  readonly op: OperationId;
  readonly action: RoundActionName;
  readonly payload: Uint8Array;
  readonly plan: Plan;
  readonly deadline: Nanos;
}

/** What a completed round reports. */
export interface RoundReport {
  readonly cores: number;
  readonly phases: number;
  readonly messages: number;
}

/**
 * One-phase agreement: everybody acts, the round ends when everybody has. For what cannot be refused, like an unmap.
 * Ends in the first refusal's error (PEER_GONE, OPERATION_TIMEOUT, …) when somebody did not act. Paper §5.1.
 */
export function* onePhase(rounds: Rounds, spec: RoundSpec): Operation<RoundReport> {
  const result = yield* phaseOf(rounds, PHASES.commit, spec);
  failOnRefusal(result, spec.op);
  return { cores: result.consenting, phases: 1, messages: result.messages };
}

/** One phase over the plan: every member's vote, those who could not be reached included as refusals. */
export function* phaseOf(rounds: Rounds, phase: Phase, spec: RoundSpec): Operation<PhaseResult> {
  const { op, action, payload, plan, deadline } = spec;
  const result = yield {
    arm(resume, now) {
      rounds.begin(phase, op, action, payload, plan.routes, plan.serial, deadline, now, resume);
      return () => undefined;
    },
  };
  return result as PhaseResult;
}

export function failOnRefusal(result: PhaseResult, op: OperationId): void {
  const refusal = firstRefusal(result);
  if (refusal === null) return;
  const { length } = result.refusals;
  throw new OperationError(
    refusal.error,
    `round ${op}: core ${refusal.core} did not consent${length > 1 ? `, nor did ${length - 1} more` : ''}`,
  );
}
