import type { ErrorName } from '@mk/monitor-proto/errors';
import type { CoreId, OperationId } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { Route } from '@mk/monitor-proto/messages/fields';
import type { Capability } from '../../capability/model/capability.ts';
import { type Act, PHASES, type Phase, type RoundActionName } from '../agreement/round-actions.ts';
import { failOnRefusal } from '../agreement/one-phase.ts';
import type { PhaseResult } from '../agreement/rounds.ts';
import type { Operation } from '../operations.ts';
import type { CapopsContext } from './context.ts';
import { isSubset } from './core-set.ts';
import { type CapabilityPayload, decodePayload, encodePayload } from './payload.ts';
import { pause } from './waiting.ts';

/*
 * "Send to relations" (inventory §2.2), as agreement rounds over a dissemination plan.
 *
 *   M1  a multicast to nobody completes at once (race 8, hazard 8);
 *   M2  a second phase goes to exactly the cores that the first one went to, and on until each has acted or is gone;
 *   M3  a core that knows of a member whom the initiator did not ask refuses with MEMBERS_CHANGED (race 11);
 *   M4  a phase that comes late or twice does nothing, and is answered as the first time;
 *   M5  a round whose initiator is gone is not begun: nobody would end it (race 12).
 *
 * A round's deadline ends the waiting of its inner nodes only: what must go forward is asked again, core by core.
 */

/** A round under way or done: whom it went to and what came of it. */
export interface Multicast {
  readonly op: OperationId;
  readonly action: RoundActionName;
  /** Its number among this core's rounds. */
  readonly round: number;
  readonly payload: Uint8Array;
  readonly routes: readonly Route[];
  readonly cores: number;
  /** Requests and replies so far, all phases. */
  messages: number;
}

/** How a core acts on one phase; `answer` may be called later. */
export type CapabilityAct = (
  op: OperationId,
  given: CapabilityPayload,
  answer: (refusal: ErrorName | null, data?: readonly number[]) => void,
) => void;
/** By phase; a one-phase action has `commit` only. */
export interface Acts {
  readonly prepare?: CapabilityAct;
  readonly commit: CapabilityAct;
  readonly abort?: CapabilityAct;
}

const NAMES: Readonly<Record<Phase, keyof Acts>> = {
  [PHASES.prepare]: 'prepare',
  [PHASES.commit]: 'commit',
  [PHASES.abort]: 'abort',
};

/** What a core does in a round about a capability: decodes, checks the members (M3), recognises repetition (M4). */
export function capabilityAct(m: CapopsContext, acts: Acts): Act {
  const asksEverybody: Phase = acts.prepare === undefined ? PHASES.commit : PHASES.prepare;
  return (op, phase, payload, now, vote) => {
    const given = decodePayload(payload);
    const act = acts[NAMES[phase]];
    if (given === null || act === undefined || !m.booted) return vote('BAD_REQUEST', now);
    const finished = m.finished.of(op);
    finished.heard(given.oldest);
    const before = finished.get(op, phase);
    if (before !== undefined) return vote(null, now, before);
    if (finished.isOver(given.round)) return vote(phase === PHASES.prepare ? 'ROUND_REFUSED' : null, now);
    if (phase === PHASES.prepare && finished.get(op, PHASES.abort) !== undefined) return vote('ROUND_REFUSED', now);
    if (phase === asksEverybody && !m.isPresent(op)) return vote('MEMBERS_CHANGED', now);
    const isComplete = (): boolean => phase !== asksEverybody || isSubset(m.everybody, given.members);
    if (!isComplete()) return vote('MEMBERS_CHANGED', now);
    act(op, given, (refusal, data = []) => {
      if (refusal === null && !isComplete()) return vote('MEMBERS_CHANGED', m.now); // the abort undoes what was done
      if (refusal === null) finished.add(op, phase, given.round, data);
      vote(refusal, m.now, data);
    });
  };
}

/** One phase to every member: everybody's answer, the unreachable ones' as refusals. */
export function* askEverybody(
  m: CapopsContext,
  phase: Phase,
  op: OperationId,
  action: RoundActionName,
  capability: Capability,
  rest: readonly number[] = [],
): Operation<PhaseResult & Multicast> {
  const { routes } = m.agreement.plans.planFor('multicast', m.context.members);
  const round = m.openRounds.begin();
  const payload = payloadOf(m, round, capability, rest);
  const result = yield* phaseTo(m, phase, { op, action, payload, routes });
  m.openRounds.end(round);
  return { op, action, round, payload, routes, cores: m.context.members.length + 1, ...result };
}

/** The first phase of two: everybody's consent, or everybody is told to abort and the operation ends in the refusal. */
export function* prepareEverywhere(
  m: CapopsContext,
  op: OperationId,
  action: RoundActionName,
  capability: Capability,
  rest: readonly number[] = [],
  routes: readonly Route[] | null = null,
): Operation<Multicast> {
  const members = routes === null ? m.context.members : [];
  const plan = routes ?? m.agreement.plans.planFor('multicast', members).routes;
  const round = m.openRounds.begin();
  const payload = payloadOf(m, round, capability, rest);
  const result = yield* phaseTo(m, PHASES.prepare, { op, action, payload, routes: plan });
  const prepared: Multicast = {
    op,
    action,
    round,
    payload,
    routes: plan,
    cores: members.length + 1,
    messages: result.messages,
  };
  if (result.refusals.length === 0) return prepared;
  m.inBackground(finishEverywhere(m, PHASES.abort, prepared));
  failOnRefusal(result, op, action);
  return prepared;
}

/** The second phase: goes on until each core of the first has acted or is gone (M2). Answers what they told. */
export function* finishEverywhere(m: CapopsContext, phase: Phase, round: Multicast): Operation<readonly number[]> {
  let { routes } = round;
  let data: readonly number[] = [];
  for (let attempt = 0; ; attempt += 1) {
    const result = yield* phaseTo(m, phase, { ...round, routes });
    if (attempt === 0) round.messages += result.messages;
    data = [...data, ...result.data];
    const left = stillThere(m, result);
    if (left.length === 0) {
      m.openRounds.end(round.round);
      return data;
    }
    yield* pause(m.context.timers, attempt);
    // Beginning a phase has this core act itself: it is never one of those asked.
    routes = left.filter((core) => core !== m.context.core).map((core): Route => [core, []]);
  }
}

/** One phase that nobody may miss, also who joins meanwhile. Answers the messages that it took. */
export function* tellEverybody(
  m: CapopsContext,
  op: OperationId,
  action: RoundActionName,
  capability: Capability,
  rest: readonly number[] = [],
): Operation<number> {
  const told = new Set<CoreId>();
  let { routes } = m.agreement.plans.planFor('multicast', m.context.members);
  const round = m.openRounds.begin();
  let messages = 0;
  for (let attempt = 0; ; attempt += 1) {
    const members = m.context.members;
    const asked = members.filter((core) => !told.has(core));
    if (attempt > 0) routes = asked.map((core): Route => [core, []]);
    const payload = payloadOf(m, round, capability, rest);
    const result = yield* phaseTo(m, PHASES.commit, { op, action, payload, routes });
    messages += result.messages;
    for (const core of asked) told.add(core);
    for (const core of stillThere(m, result)) told.delete(core);
    if (m.context.members.every((core) => told.has(core))) {
      m.openRounds.end(round);
      return messages;
    }
    yield* pause(m.context.timers, attempt);
  }
}

function payloadOf(m: CapopsContext, round: number, capability: Capability, rest: readonly number[]): Uint8Array {
  return encodePayload({ members: m.everybody, round, oldest: m.openRounds.oldest, capability, rest });
}

function* phaseTo(
  m: CapopsContext,
  phase: Phase,
  { op, action, payload, routes }: Pick<Multicast, 'op' | 'action' | 'payload' | 'routes'>,
): Operation<PhaseResult> {
  const result = yield {
    arm(resume, now) {
      m.agreement.rounds.begin(
        phase,
        op,
        action,
        payload,
        routes,
        false,
        now + limit('operationDeadlineNs'),
        now,
        resume,
      );
      return () => undefined;
    },
  };
  return result as PhaseResult;
}

/** Who refused and is no core that is gone for good. */
function stillThere(m: CapopsContext, result: PhaseResult): CoreId[] {
  return result.refusals
    .map(([core]) => core)
    .filter((core) => core === m.context.core || m.context.monitors.has(core));
}
