/*
 * Agreement that survives lost answers, late messages, and members that come and go, which a round alone does not.
 * Generic in the rounds' payload ("send to relations" in Barrelfish's monitors) and in the plan, by default the
 * multicast one. Baumann et al., SOSP 2009, §5.1.
 *
 *   A4  a multicast to nobody completes at once;
 *   A5  a second phase goes to exactly the cores of the first, until each has acted or is gone;
 *   A6  a core that knows of a member whom the initiator did not ask refuses with MEMBERS_CHANGED;
 *   A7  a late or repeated phase does nothing, and gets the first answer again;
 *   A8  a round whose initiator is gone is not begun, since nobody would end it;
 *   A9  a request that this core's records forbid the initiator is refused, and held against it if it asked directly;
 *   A10 a relayed request bears the initiator's seal for this core, or is refused and held against the relay.
 *
 * A round's deadline only ends the wait of its inner nodes. A phase that must complete is repeated core by core, in the
 * background if the round has a deadline.
 */
import type { ErrorName } from '@mk/monitor-proto/errors';
import type { CoreId, Incarnation, Nanos, OperationId } from '@mk/monitor-proto/ids';
import type { Fault } from '../conduct/screening.ts';
import type { MonitorContext } from '../context.ts';
import { type Operation, OperationError } from '../operations.ts';
import { pause } from '../waits.ts';
import { type CoreSet, coreSetOf, isSubset, placeIn } from './core-set.ts';
import { decodeEnvelope, encodeEnvelope, type Envelope, type PayloadCodec } from './envelope.ts';
import { coreOf, FinishedPhases, incarnationOf, OpenRounds } from './finished.ts';
import { failOnRefusal, phaseOf } from './phase.ts';
import type { Plan, PlanBook, PlanKind } from './plan.ts';
import { type Act, PHASES, type Phase, ROUND_ACTIONS, type RoundActionName } from './round-actions.ts';
import type { PhaseResult } from './round-answers.ts';
import type { Rounds } from './rounds.ts';
import type { Sealed, Seals } from './seals.ts';

/** A round under way or done: its cores and its outcome. */
export interface Multicast {
  readonly op: OperationId;
  readonly action: RoundActionName;
  /** Its number among this core's rounds. */
  readonly round: number;
  readonly payload: Uint8Array;
  readonly plan: Plan;
  readonly cores: number;
  /** Absent: its caller waits as long as it takes. */
  readonly deadline?: Nanos | undefined;
  /** Requests and replies so far, all phases. */
  messages: number;
}

/** A round that is to begin. */
interface Asked<P> extends Pick<Multicast, 'op' | 'action' | 'plan' | 'deadline'> {
  readonly given: P;
}

/** A round after its first phase. */
type Begun = Omit<Multicast, 'cores'> & PhaseResult;

/** How a core acts on one phase; may call `answer` later. */
export type PhaseAct<P> = (
  op: OperationId,
  given: P,
  answer: (refusal: ErrorName | null, data?: readonly number[]) => void,
) => void;

/** By phase; a one-phase action has `commit` only. */
export interface Acts<P> {
  /** Why this core's own records forbid the request to the initiator; null: they do not. */
  readonly wrong?: (initiator: CoreId, given: P) => Fault | 'OWNER_MISMATCH' | 'CAPABILITY_BUSY' | null;
  readonly prepare?: PhaseAct<P>;
  readonly commit: PhaseAct<P>;
  readonly abort?: PhaseAct<P>;
}

const NAMES: Readonly<Record<Phase, 'prepare' | 'commit' | 'abort'>> = {
  [PHASES.prepare]: 'prepare',
  [PHASES.commit]: 'commit',
  [PHASES.abort]: 'abort',
};

/** The plan of a round, and how long its caller waits. */
export interface RoundOptions {
  readonly plan?: PlanKind;
  readonly deadline?: Nanos;
}

/** The surroundings of multicasts on their core. */
export interface MulticastHost {
  readonly context: MonitorContext;
  readonly rounds: Rounds;
  readonly plans: PlanBook;
  /** Seals by which members recognise a round's initiator; null: these rounds are not worth forging. */
  readonly seals: Seals | null;
  /** Whether this core can act in such rounds yet. */
  ready(): boolean;
}

/** The rounds of one kind of payload: those that this core begins, and its answers to others'. */
export class Multicasts<P> {
  readonly openRounds = new OpenRounds();
  readonly finished = new FinishedPhases();
  private memberSet: { readonly of: readonly CoreId[] | null; readonly cores: CoreSet } = { of: null, cores: [] };

  constructor(
    private readonly host: MulticastHost,
    private readonly codec: PayloadCodec<P>,
  ) {}

  /** Makes a core's act for a round action: decodes, checks the members (A6), recognises repetition (A7). */
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
      const finished = this.isPresent(op) ? this.finished.of(op) : this.finished.seen(op);
      finished.heard(envelope.oldest);
      const before = finished.get(op, phase);
      if (before !== undefined) return vote(null, now, before);
      if (finished.isOver(envelope.round)) return vote(phase === PHASES.prepare ? 'ROUND_REFUSED' : null, now);
      // Nobody would end a phase that begins after its round's end.
      const isEnded = finished.get(op, PHASES.abort) !== undefined || finished.get(op, PHASES.commit) !== undefined;
      if (phase === PHASES.prepare && isEnded) return vote('ROUND_REFUSED', now);
      if (phase === asksEverybody && !this.isPresent(op)) return vote('MEMBERS_CHANGED', now);
      const isComplete = (): boolean => phase !== asksEverybody || isSubset(this.everybody, envelope.members);
      if (!isComplete()) return vote('MEMBERS_CHANGED', now);
      const wrong = phase === asksEverybody ? this.isWrong(op, acts, given) : null;
      if (wrong !== null) return vote(wrong, now);
      act(op, given, (refusal, data = []) => {
        if (refusal === null && !isComplete()) return vote('MEMBERS_CHANGED', this.now); // the abort undoes it
        if (refusal === null) finished.add(op, phase, envelope.round, data);
        vote(refusal, this.now, data);
      });
    };
  }

  /** A10. */
  private isUnsealed(op: OperationId, { members, seals, round, body }: Envelope): ErrorName | null {
    const { context, rounds, seals: keys } = this.host;
    const { askedBy, askedAction: action } = rounds;
    const initiator = coreOf(op);
    if (keys === null || askedBy === null || askedBy === initiator) return null;
    const seal = seals[placeIn(members, context.core)];
    const isBy = keys.isBy(initiator, incarnationOf(op), { op, action, round, body }, seal);
    // Two cores that never had a link have no key for each other, so nothing can be proved (CAVEATS.md).
    if (isBy !== false) return null;
    context.offences.note(
      askedBy,
      'unsealed',
      `relays ${op}, which core ${initiator} did not begin like this`,
      this.now,
    );
    return 'ROUND_REFUSED';
  }

  /** A9. */
  private isWrong(op: OperationId, { wrong }: Acts<P>, given: P): ErrorName | null {
    const { context, rounds } = this.host;
    const initiator = coreOf(op);
    if (wrong === undefined || rounds.askedBy === null || initiator === context.core) return null;
    const fault = wrong(initiator, given);
    if (fault === null || typeof fault === 'string') return fault;
    if (rounds.askedBy === initiator) context.offences.note(initiator, fault.offence, fault.text, this.now);
    return 'OWNER_MISMATCH';
  }

  /** Runs one phase on one member, asked directly, because the caller wants to know how that member itself answers. */
  *askOne(op: OperationId, action: RoundActionName, given: P, core: CoreId, deadline: Nanos): Operation<void> {
    const plan: Plan = { kind: 'unicast', serial: false, routes: [[core, []]] };
    const { round } = yield* this.begin(PHASES.commit, { op, action, given, plan, deadline });
    this.openRounds.end(round);
  }

  /** Runs one phase on every member; returns each answer, with refusals for the unreachable. */
  *ask(
    op: OperationId,
    action: RoundActionName,
    given: P,
    { plan: kind, deadline }: RoundOptions = {},
  ): Operation<PhaseResult & Multicast> {
    const plan = this.planOfMembers(kind);
    const begun = yield* this.begin(PHASES.commit, { op, action, given, plan, deadline });
    this.openRounds.end(begun.round);
    return { ...begun, cores: this.host.context.members.length + 1 };
  }

  /**
   * The first of two phases: everybody consents, or everybody is told to abort and the operation ends in the refusal.
   */
  *prepare(
    op: OperationId,
    action: RoundActionName,
    given: P,
    { plan: kind, deadline, alone = false }: RoundOptions & { readonly alone?: boolean } = {},
  ): Operation<Multicast> {
    const cores = alone ? 1 : this.host.context.members.length + 1;
    const plan = alone ? oneByOne([]) : this.planOfMembers(kind);
    const begun = yield* this.begin(PHASES.prepare, { op, action, given, plan, deadline });
    const prepared: Multicast = { ...begun, cores };
    if (begun.refusals.length === 0) return prepared;
    this.finishInBackground(PHASES.abort, prepared);
    failOnRefusal(begun, op, wordOf(action));
    return prepared;
  }

  /** Begins a round and runs its first phase. */
  private *begin(phase: Phase, { given, ...asked }: Asked<P>): Operation<Begun> {
    this.mustTakePart();
    const { op, action, plan } = asked;
    const round = this.openRounds.begin();
    const payload = this.sealed(op, action, round, given, plan);
    const result = yield* this.phase(phase, { ...asked, payload });
    return { ...asked, round, payload, ...result };
  }

  /** A core that is in no view yet cannot ask anybody, even when a message to it calls for a round (J2). */
  private mustTakePart(): void {
    if (!this.host.context.takesPart) throw new OperationError('VIEW_STALE', 'this core is in no view yet');
  }

  /**
   * The second phase: repeats until each core of the first has acted or is gone (A5); returns their answers. With a
   * deadline the operation ends in the error of the cores that have not acted at the first attempt, and the phase goes
   * on in the background.
   */
  *finish(phase: Phase, round: Multicast): Operation<readonly number[]> {
    let { plan } = round;
    let data: readonly number[] = [];
    for (let attempt = 0; ; attempt += 1) {
      const before = round.messages;
      const result = yield* this.phase(phase, { ...round, plan });
      if (attempt === 0) round.messages += result.messages;
      data = [...data, ...result.data];
      const left = this.stillThere(result);
      if (left.length === 0) {
        this.openRounds.end(round.round);
        if (round.deadline !== undefined) failOnRefusal(result, round.op, wordOf(round.action), before);
        return data;
      }
      // Beginning a phase makes this core act itself, so it is never among those asked.
      plan = oneByOne(left.filter((core) => core !== this.host.context.core));
      if (round.deadline !== undefined) {
        this.inBackground(this.finishLater(phase, { ...round, plan, deadline: undefined }));
        failOnRefusal(result, round.op, wordOf(round.action), before);
      }
      yield* pause(this.host.context.timers, attempt);
    }
  }

  /** Like `finish`, when nobody waits for the result. */
  finishInBackground(phase: Phase, round: Multicast): void {
    this.inBackground(this.finish(phase, { ...round, deadline: undefined }));
  }

  private *finishLater(phase: Phase, round: Multicast): Operation<void> {
    yield* pause(this.host.context.timers, 0);
    yield* this.finish(phase, round);
  }

  private inBackground(operation: Operation<unknown>): void {
    const { operations } = this.host.context;
    operations.start(operations.nextId(), operation, this.now, () => undefined, true);
  }

  /** One phase that nobody may miss, not even cores that join meanwhile. Returns the number of messages. */
  *tell(op: OperationId, action: RoundActionName, given: P): Operation<number> {
    const { context } = this.host;
    const told = new Set<CoreId>();
    let plan = this.planOfMembers();
    const round = this.openRounds.begin();
    let messages = 0;
    for (let attempt = 0; ; attempt += 1) {
      const asked = context.members.filter((core) => !told.has(core));
      if (attempt > 0) plan = oneByOne(asked);
      const result = yield* this.phase(PHASES.commit, {
        op,
        action,
        payload: this.sealed(op, action, round, given, plan),
        plan,
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

  /** Whether the incarnation that began an operation is present; also true of this core. */
  isPresent(op: OperationId): boolean {
    const { context } = this.host;
    const core = coreOf(op);
    return core === context.core || context.monitors.get(core)?.incarnation === incarnationOf(op);
  }

  /** Forgets an incarnation that is gone, and its rounds. */
  forget(core: CoreId, incarnation: Incarnation): void {
    this.finished.forget(core, incarnation);
  }

  /** This core and the other members; the same array until they change. */
  private get everybody(): CoreSet {
    const { core, members } = this.host.context;
    if (this.memberSet.of !== members) this.memberSet = { of: members, cores: coreSetOf([core, ...members]) };
    return this.memberSet.cores;
  }

  private get now(): Nanos {
    return this.host.context.now;
  }

  private planOfMembers(kind: PlanKind = 'multicast'): Plan {
    return this.host.plans.planFor(kind, this.host.context.members);
  }

  private sealed(op: OperationId, action: RoundActionName, round: number, given: P, { routes }: Plan): Uint8Array {
    const { oldest } = this.openRounds;
    const { seals } = this.host;
    const body = this.codec.encode(given);
    const what = { op, action: ROUND_ACTIONS[action].ordinal, round, body };
    const isPassedOn = routes.some(([, below]) => below.length > 0);
    return encodeEnvelope({
      members: this.everybody,
      round,
      oldest,
      seals: isPassedOn && seals !== null ? this.sealsOf(seals, what) : [],
      body,
    });
  }

  private sealsOf(seals: Seals, what: Sealed): readonly number[] {
    const { core, members, monitors } = this.host.context;
    return [core, ...members]
      .sort((a, b) => a - b)
      .map((id) => {
        const instance = monitors.get(id)?.instance;
        return instance === undefined ? 0 : seals.sealFor({ id, instance }, what);
      });
  }

  private *phase(
    phase: Phase,
    { op, action, payload, plan, deadline }: Pick<Multicast, 'op' | 'action' | 'payload' | 'plan' | 'deadline'>,
  ): Operation<PhaseResult> {
    return yield* phaseOf(this.host.rounds, phase, { op, action, payload, plan, deadline });
  }

  /** Cores that refused and are not gone for good. */
  private stillThere(result: PhaseResult): CoreId[] {
    const { core: own, monitors } = this.host.context;
    return result.refusals.map(([core]) => core).filter((core) => core === own || monitors.has(core));
  }
}

/** The plan after a tree has failed: this core asks each remaining core directly. */
function oneByOne(cores: readonly CoreId[]): Plan {
  return { kind: 'multicast', serial: false, routes: cores.map((core) => [core, []]), again: true };
}

/** The name of an action's rounds in error texts. */
function wordOf(action: RoundActionName): string {
  return action === 'noop' ? 'round' : action;
}
