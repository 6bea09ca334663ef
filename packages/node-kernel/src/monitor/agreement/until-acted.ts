import type { CoreId, OperationId } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { MonitorContext } from '../context.ts';
import type { Operation } from '../operations.ts';
import { pause } from '../waits.ts';
import type { Agreement } from './agreement.ts';
import { phaseOf } from './phase.ts';
import type { PlanKind } from './plan.ts';
import { PHASES, type RoundActionName } from './round-actions.ts';

/** An action that cores are to perform, and the plan. */
export interface ActSpec {
  readonly op: OperationId;
  readonly action: RoundActionName;
  readonly payload: Uint8Array;
  readonly kind: PlanKind;
}

export interface ActReport {
  readonly messages: number;
  /** Numbers that they added to their votes. */
  readonly data: readonly number[];
}

/** The default plan for so many cores: the numa tree that the SKB pushed, when they are many. */
export function usualPlan(cores: number): PlanKind {
  return cores < limit('treeFromCores') ? 'unicast' : 'numa';
}

/**
 * A one-phase round over these other cores, repeated over those that did not act until each has acted or is gone: for
 * actions that can be neither refused nor left undone, like an invalidation.
 */
export function* untilActed(
  context: MonitorContext,
  { plans, rounds }: Agreement,
  { op, action, payload, kind }: ActSpec,
  cores: readonly CoreId[],
): Operation<ActReport> {
  let plan = plans.planOver(
    kind,
    cores.filter((core) => context.monitors.has(core)),
  );
  let messages = 0;
  const data: number[] = [];
  for (let attempt = 0; ; attempt += 1) {
    const spec = { op: attempt === 0 ? op : `${op}.${attempt}`, action, payload, plan };
    const result = yield* phaseOf(rounds, PHASES.commit, spec);
    messages += result.messages;
    data.push(...result.data);
    const left = result.refusals
      .map(([core]) => core)
      .filter((core) => core === context.core || context.monitors.has(core));
    if (left.length === 0) return { messages, data };
    yield* pause(context.timers, attempt);
    plan = plans.planOver(
      'unicast',
      left.filter((core) => core !== context.core),
    );
  }
}
