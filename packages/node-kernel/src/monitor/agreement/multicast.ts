import type { ErrorName } from '@mk/monitor-proto/errors';
import type { CoreId, Incarnation, Nanos, OperationId } from '@mk/monitor-proto/ids';
import type { Route } from '@mk/monitor-proto/messages/fields';
import type { Fault } from '../conduct/screening.ts';
import type { MonitorContext } from '../context.ts';
import type { Operation } from '../operations.ts';
import { pause } from '../waits.ts';
import { type CoreSet, coreSetOf, isSubset, placeIn } from './core-set.ts';
import { decodeEnvelope, encodeEnvelope, type Envelope, type PayloadCodec } from './envelope.ts';
import { coreOf, FinishedPhases, incarnationOf, OpenRounds } from './finished.ts';
import { failOnRefusal, phaseOf } from './one-phase.ts';
import type { PlanBook } from './plan.ts';
import { type Act, PHASES, type Phase, ROUND_ACTIONS, type RoundActionName } from './round-actions.ts';
import type { PhaseResult, Rounds } from './rounds.ts';
import type { Sealed, Seals } from './seals.ts';

/*
 * Agreement that survives what a round alone does not: lost answers, late messages, members that come and go. Rounds over
 * the multicast plan, generic in what they are about ("send to relations" in Barrelfish's monitors).
 *
 *   A4  a multicast to nobody completes at once;
 *   A5  a second phase goes to exactly the cores that the first one went to, and on until each has acted or is gone;
 *   A6  a core that knows of a member whom the initiator did not ask refuses with MEMBERS_CHANGED;
 *   A7  a phase that comes late or twice does nothing, and is answered as the first time;
 *   A9  what this core's own record says the initiator may not ask is refused, and held against it if it asked itself;
 *   A10 what comes over others bears the initiator's seal for this core, or is refused and held against who passed it on;
 *   A8  a round whose initiator is gone is not begun: nobody would end it.
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
export type PhaseAct<P> = (
  op: OperationId,
  given: P,
  answer: (refusal: ErrorName | null, data?: readonly number[]) => void,
) => void;

/** By phase; a one-phase action has `commit` only. */
export interface Acts<P> {
  /** Why the initiator may not ask for this, as this core's own record has it; null: it may, for all that is known here. */
  readonly wrong?: (initiator: CoreId, given: P) => Fault | 'CAPABILITY_BUSY' | null;
  readonly prepare?: PhaseAct<P>;
  readonly commit: PhaseAct<P>;
  readonly abort?: PhaseAct<P>;
}

const NAMES: Readonly<Record<Phase, 'prepare' | 'commit' | 'abort'>> = {
  [PHASES.prepare]: 'prepare',
  [PHASES.commit]: 'commit',
  [PHASES.abort]: 'abort',
};

/** What multicasts need of the core that they run on. */
export interface MulticastHost {
  readonly context: MonitorContext;
  readonly rounds: Rounds;
  readonly plans: PlanBook;
  /** By which the members know who began a round. */
  readonly seals: Seals;
  /** Whether this core can act in such rounds yet. */
  ready(): boolean;
}

/** The rounds of one kind of payload: what this core begins, and what it has answered. */
export class Multicasts<P> {
  readonly openRounds = new OpenRounds();
  readonly finished = new FinishedPhases();
  private memberSet: { readonly of: readonly CoreId[] | null; readonly cores: CoreSet } = { of: null, cores: [] };

  constructor(
    private readonly host: MulticastHost,
    private readonly codec: PayloadCodec<P>,
  ) {}

  /** What a core does in a round of an action: decodes, checks the members (A6), recognises repetition (A7). */
  act(acts: Acts<P>): Act {
    const asksEverybody: Phase = acts.prepare === undefined ? PHASES.commit : PHASES.prepare;
    return (op, phase, payload, now, vote) => {
      const envelope = decodeEnvelope(payload);
      const given = envelope && this.codec.decode(envelope.body);
      const act = acts[NAMES[phase]];
      if (envelope === null || given === null || act === undefined || !this.host.ready())
        return vote('BAD_REQUEST', now);
      const unsealed = this.isUnsealed(op, envelope);
      if (unsealed !== null) return vote(unsealed, now);
      const finished = this.finished.of(op);
      finished.heard(envelope.oldest);
      const before = finished.get(op, phase);
      if (before !== undefined) return vote(null, now, before);
      if (finished.isOver(envelope.round)) return vote(phase === PHASES.prepare ? 'ROUND_REFUSED' : null, now);
      // Nobody would end what begins after its end.
      const isEnded = finished.get(op, PHASES.abort) !== undefined || finished.get(op, PHASES.commit) !== undefined;
      if (phase === PHASES.prepare && isEnded) return vote('ROUND_REFUSED', now);
      if (phase === asksEverybody && !this.isPresent(op)) return vote('MEMBERS_CHANGED', now);
      const isComplete = (): boolean => phase !== asksEverybody || isSubset(this.everybody, envelope.members);
      if (!isComplete()) return vote('MEMBERS_CHANGED', now);
      const wrong = phase === asksEverybody ? this.isWrong(op, acts, given) : null;
      if (wrong !== null) return vote(wrong, now);
      act(op, given, (refusal, data = []) => {
        if (refusal === null && !isComplete()) return vote('MEMBERS_CHANGED', this.now); // the abort undoes what was done
        if (refusal === null) finished.add(op, phase, envelope.round, data);
        vote(refusal, this.now, data);
      });
    };
  }

  /** A10. */
  private isUnsealed(op: OperationId, { members, seals, round, body }: Envelope): ErrorName | null {
    const { context, rounds } = this.host;
    const { askedBy, askedAction: action } = rounds;
    const initiator = coreOf(op);
    if (askedBy === null || askedBy === initiator) return null;
    const seal = seals[placeIn(members, context.core)];
    const isBy = this.host.seals.isBy(initiator, incarnationOf(op), { op, action, round, body }, seal);
    // Two cores that never had a link between them have no key for each other: then nobody can tell (CAVEATS.md).
    if (isBy !== false) return null;
    context.offences.note(askedBy, 'other_name', `passes on ${op}, which core ${initiator} has not begun so`, this.now);
    return 'ROUND_REFUSED';
  }

  /** A9. */
  private isWrong(op: OperationId, { wrong }: Acts<P>, given: P): ErrorName | null {
    const { context, rounds } = this.host;
    const initiator = coreOf(op);
    if (wrong === undefined || rounds.askedBy === null || initiator === context.core) return null;
    const fault = wrong(initiator, given);
    if (fault === null || fault === 'CAPABILITY_BUSY') return fault;
    if (rounds.askedBy === initiator) context.offences.note(initiator, fault.offence, fault.text, this.now);
    return 'OWNER_MISMATCH';
  }

  /** One phase to every member: everybody's answer, the unreachable ones' as refusals. */
  *ask(op: OperationId, action: RoundActionName, given: P): Operation<PhaseResult & Multicast> {
    const { routes } = this.planOfMembers();
    const round = this.openRounds.begin();
    const payload = this.sealed(op, action, round, given, routes);
    const result = yield* this.phase(PHASES.commit, { op, action, payload, routes });
    this.openRounds.end(round);
    return { op, action, round, payload, routes, cores: this.host.context.members.length + 1, ...result };
  }

  /** The first phase of two: everybody's consent, or everybody is told to abort and the operation ends in the refusal. */
  *prepare(
    op: OperationId,
    action: RoundActionName,
    given: P,
    to: readonly Route[] | null = null,
  ): Operation<Multicast> {
    const cores = to === null ? this.host.context.members.length + 1 : 1;
    const routes = to ?? this.planOfMembers().routes;
    const round = this.openRounds.begin();
    const payload = this.sealed(op, action, round, given, routes);
    const result = yield* this.phase(PHASES.prepare, { op, action, payload, routes });
    const prepared: Multicast = { op, action, round, payload, routes, cores, messages: result.messages };
    if (result.refusals.length === 0) return prepared;
    this.finishInBackground(PHASES.abort, prepared);
    failOnRefusal(result, op, action);
    return prepared;
  }

  /** The second phase: goes on until each core of the first has acted or is gone (A5). Answers what they told. */
  *finish(phase: Phase, round: Multicast): Operation<readonly number[]> {
    let { routes } = round;
    let data: readonly number[] = [];
    for (let attempt = 0; ; attempt += 1) {
      const result = yield* this.phase(phase, { ...round, routes });
      if (attempt === 0) round.messages += result.messages;
      data = [...data, ...result.data];
      const left = this.stillThere(result);
      if (left.length === 0) {
        this.openRounds.end(round.round);
        return data;
      }
      yield* pause(this.host.context.timers, attempt);
      // Beginning a phase has this core act itself: it is never one of those asked.
      routes = left.filter((core) => core !== this.host.context.core).map((core): Route => [core, []]);
    }
  }

  /** As `finish`, for what nobody waits for. */
  finishInBackground(phase: Phase, round: Multicast): void {
    const { operations } = this.host.context;
    operations.start(operations.nextId(), this.finish(phase, round), this.now, () => undefined, true);
  }

  /** One phase that nobody may miss, also who joins meanwhile. Answers the messages that it took. */
  *tell(op: OperationId, action: RoundActionName, given: P): Operation<number> {
    const { context } = this.host;
    const told = new Set<CoreId>();
    let { routes } = this.planOfMembers();
    const round = this.openRounds.begin();
    let messages = 0;
    for (let attempt = 0; ; attempt += 1) {
      const asked = context.members.filter((core) => !told.has(core));
      if (attempt > 0) routes = asked.map((core): Route => [core, []]);
      const result = yield* this.phase(PHASES.commit, {
        op,
        action,
        payload: this.sealed(op, action, round, given, routes),
        routes,
      });
      messages += result.messages;
      for (const core of asked) told.add(core);
      for (const core of this.stillThere(result)) told.delete(core);
      if (context.members.every((core) => told.has(core))) {
        this.openRounds.end(round);
        return messages;
      }
      yield* pause(context.timers, attempt);
    }
  }

  /** Whether the incarnation that began an operation is there, this core itself included. */
  isPresent(op: OperationId): boolean {
    const { context } = this.host;
    const core = coreOf(op);
    return core === context.core || context.monitors.get(core)?.incarnation === incarnationOf(op);
  }

  /** An incarnation is gone, and what it began with it. */
  forget(core: CoreId, incarnation: Incarnation): void {
    this.finished.forget(core, incarnation);
  }

  /** This core and the other members; the same set until they change. */
  private get everybody(): CoreSet {
    const { core, members } = this.host.context;
    if (this.memberSet.of !== members) this.memberSet = { of: members, cores: coreSetOf([core, ...members]) };
    return this.memberSet.cores;
  }

  private get now(): Nanos {
    return this.host.context.now;
  }

  private planOfMembers() {
    return this.host.plans.planFor('multicast', this.host.context.members);
  }

  private sealed(
    op: OperationId,
    action: RoundActionName,
    round: number,
    given: P,
    routes: readonly Route[],
  ): Uint8Array {
    const { oldest } = this.openRounds;
    const body = this.codec.encode(given);
    const what = { op, action: ROUND_ACTIONS[action].ordinal, round, body };
    const isPassedOn = routes.some(([, below]) => below.length > 0);
    return encodeEnvelope({
      members: this.everybody,
      round,
      oldest,
      seals: isPassedOn ? this.sealsOf(what) : [],
      body,
    });
  }

  private sealsOf(what: Sealed): readonly number[] {
    const { core, members, monitors } = this.host.context;
    return [core, ...members]
      .sort((a, b) => a - b)
      .map((id) => {
        const instance = monitors.get(id)?.instance;
        return instance === undefined ? 0 : this.host.seals.sealFor({ id, instance }, what);
      });
  }

  private *phase(
    phase: Phase,
    { op, action, payload, routes }: Pick<Multicast, 'op' | 'action' | 'payload' | 'routes'>,
  ): Operation<PhaseResult> {
    const plan = { kind: 'multicast', serial: false, routes } as const;
    return yield* phaseOf(this.host.rounds, phase, { op, action, payload, plan });
  }

  /** Who refused and is no core that is gone for good. */
  private stillThere(result: PhaseResult): CoreId[] {
    const { core: own, monitors } = this.host.context;
    return result.refusals.map(([core]) => core).filter((core) => core === own || monitors.has(core));
  }
}
