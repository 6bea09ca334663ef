import { ERRORS } from '@mk/monitor-proto/errors';
import { limit } from '@mk/monitor-proto/limits';
import { type Operation, type Wait, wait } from '../operations.ts';
import { failOnRefusal, phaseOf, type RoundReport, type RoundSpec } from './one-phase.ts';
import { prune } from './plan.ts';
import { PHASES } from './round-actions.ts';
import type { PhaseResult, Rounds } from './rounds.ts';

/**
 * Two-phase agreement: nobody commits before everybody has prepared; one refusal, and everybody aborts.
 * Ends in the refusal's error. An error in the commit phase is not definite: the others have committed. Baumann et al.,
 * SOSP 2009, §5.1 (retype).
 */
export function* twoPhase(rounds: Rounds, spec: RoundSpec): Operation<RoundReport> {
  const prepared = yield* phaseOf(rounds, PHASES.prepare, spec);
  if (prepared.refusals.length > 0) {
    yield* wait(tellToAbort(rounds, spec, prepared));
    failOnRefusal(prepared, spec.op);
  }
  const committed = yield* phaseOf(rounds, PHASES.commit, spec);
  failOnRefusal(committed, spec.op, 'round', prepared.messages);
  return { cores: committed.consenting, phases: 2, messages: prepared.messages + committed.messages };
}

/**
 * Tells everybody to abort and waits for nobody: the operation has failed already, and its deadline may be near. A core
 * that is gone is not told: who has its id by now knows nothing of this round.
 */
function tellToAbort(rounds: Rounds, spec: RoundSpec, { refusals }: PhaseResult): Wait<void> {
  const { op, action, payload, plan } = spec;
  const gone = new Set(refusals.filter(([, code]) => code === ERRORS.PEER_GONE.code).map(([core]) => core));
  const routes = prune(plan.routes, (core) => !gone.has(core));
  return {
    arm(resume, now) {
      const until = now + limit('operationDeadlineNs');
      rounds.begin(PHASES.abort, op, action, payload, routes, plan.serial, until, now, () => undefined);
      resume(undefined, now);
      return () => undefined;
    },
  };
}
