import type { RoundSummary } from '../../control/verb-answers.ts';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import { type CoreId, isCore, type Nanos, type OperationId } from '@mk/monitor-proto/ids';
import type { ErrorName } from '@mk/monitor-proto/errors';
import { limit } from '@mk/monitor-proto/limits';
import type { MetricFamily } from '@mk/monitor-proto/metrics';
import type { TimerQueue } from '@mk/monitor-proto/timer-queue';
import type { Verb } from '../../control/verb.ts';
import type { MonitorContext } from '../context.ts';
import { type Operation, OperationError, type Outcome, wait } from '../operations.ts';
import { summarise } from '../statistics.ts';
import type { MessageHandlers, RoundActs, Service } from '../service.ts';
import { pause } from '../waits.ts';
import { logSilence } from './silence.ts';
import type { PayloadCodec } from './envelope.ts';
import { Multicasts, type PhaseAct, type RoundOptions } from './multicast.ts';
import { failOnRefusal, type RoundReport } from './phase.ts';
import { OperationTimes } from './operation-times.ts';
import { PLAN_KINDS, PlanBook, type PlanKind } from './plan.ts';
import { type ActOf, PHASES } from './round-actions.ts';
import { type RoundHost, Rounds } from './rounds.ts';

/** Reruns of a round that met another view: some seconds in all, with growing pauses. */
const STALE_MOST = 12;

/** A core that lies in one answer of four is caught often enough to be accused. */
const EXAMINING_ROUNDS = 4 * limit('quarantineOffences');

/** The answers of a member in another view, or with other members. */
const IN_ANOTHER_VIEW: ReadonlySet<ErrorName> = new Set<ErrorName>(['VIEW_STALE', 'MEMBERS_CHANGED']);

/** The payload of an empty round, which nobody reads. */
const BYTES: PayloadCodec<Uint8Array> = { encode: (bytes) => bytes, decode: (bytes) => bytes };

/** One- and two-phase agreement rounds over dissemination plans (Baumann et al., SOSP 2009, §5.1). */
export class Agreement implements Service {
  readonly plans = new PlanBook();
  readonly rounds: Rounds;
  /** Rounds that do nothing, for measurement. */
  private readonly empty: Multicasts<Uint8Array>;
  private readonly times = new OperationTimes();

  readonly messages = {
    plan_push: (_from, { version, multicast, numa }) => this.installPlans(version, multicast, numa),
    round_request: (from, request, now) => this.rounds.onRequest(from.id, request, now),
    round_reply: (from, reply, now) => this.rounds.onReply(from.id, reply, now),
  } satisfies MessageHandlers;
  readonly roundActions: RoundActs;
  readonly verbs = { round: roundVerb(this) };

  /** `actOf`: the actions of all services of this core. */
  constructor(
    private readonly context: MonitorContext,
    actOf: ActOf,
  ) {
    this.rounds = new Rounds(roundHostOf(context), actOf);
    const { rounds, plans } = this;
    this.empty = new Multicasts({ context, rounds, plans, seals: null, ready: () => true }, BYTES);
    const consent: PhaseAct<Uint8Array> = (_op, _given, answer) => answer(null);
    this.roundActions = { noop: this.empty.act({ prepare: consent, commit: consent, abort: consent }) };
  }

  /** Runs a round that does nothing over the members of the view, this core included. */
  run(
    kind: PlanKind,
    phases: 1 | 2,
    payload: Uint8Array,
    now: Nanos,
    done: (outcome: Outcome<RoundReport>, now: Nanos) => void,
  ): void {
    const { context } = this;
    if (!context.takesPart) return done({ ok: false, error: 'VIEW_STALE', text: 'this core is in no view yet' }, now);
    const op = context.operations.nextId();
    const cores = context.members.length + 1;
    context.outbox.log('round_started', { op, plan: kind, phases, cores });
    const options = { plan: kind, deadline: now + limit('operationDeadlineNs') };
    const operation = phases === 1 ? this.onePhase(op, payload, options) : this.twoPhase(op, payload, options);
    context.operations.start(op, operation, now, (outcome, at) => {
      const messages = outcome.ok ? outcome.value.messages : (outcome.trouble?.messages ?? 0);
      context.outbox.log('round_finished', {
        op,
        plan: kind,
        phases,
        cores,
        messages,
        elapsed_us: (at - now) / 1000,
        result: outcome.ok ? 'ok' : outcome.error,
      });
      if (!outcome.ok) logSilence(context, op, 'round', outcome, at - now);
      this.times.observe(`round_${phases}`, at - now);
      done(outcome, at);
    });
  }

  /**
   * Looks for proof against a member that others accuse, by asking it repeatedly to do nothing. A wrong answer counts
   * against it as in any other round.
   */
  *examine(core: CoreId): Operation<void> {
    const { operations } = this.context;
    for (let n = 0; n < EXAMINING_ROUNDS && this.context.members.includes(core); n += 1) {
      const deadline = this.context.now + limit('operationDeadlineNs');
      yield* this.empty.askOne(operations.nextId(), 'noop', new Uint8Array(), core, deadline);
    }
  }

  peerGone({ id, incarnation }: Pick<Peer, 'id' | 'incarnation'>, now: Nanos): void {
    if (!isCore(id)) return;
    this.rounds.peerGone(id, now);
    this.empty.forget(id, incarnation);
  }

  invariants(): void {
    this.rounds.invariants();
  }

  get timers(): TimerQueue {
    return this.context.timers;
  }

  status() {
    return { rounds: this.rounds.size, plan: this.plans.version };
  }

  metrics(): readonly MetricFamily[] {
    const samples = this.times.samples();
    return [{ name: 'mk_operation_seconds', type: 'histogram', help: 'Duration of global operations.', samples }];
  }

  leftovers(): readonly string[] {
    const { rounds, empty } = this;
    const open = empty.openRounds.size > 0 ? [`${empty.openRounds.size} empty rounds`] : [];
    return rounds.size > 0 ? [`${rounds.size} phases of rounds`, ...open] : open;
  }

  private *onePhase(op: OperationId, payload: Uint8Array, options: RoundOptions): Operation<RoundReport> {
    const result = yield* this.empty.ask(op, 'noop', payload, options);
    failOnRefusal(result, op);
    return { cores: result.consenting, phases: 1, messages: result.messages };
  }

  /** An error in the second phase is not definite: some have committed, and the rest will. */
  private *twoPhase(op: OperationId, payload: Uint8Array, options: RoundOptions): Operation<RoundReport> {
    const round = yield* this.empty.prepare(op, 'noop', payload, options);
    yield* this.empty.finish(PHASES.commit, round);
    return { cores: round.cores, phases: 2, messages: round.messages };
  }

  /** Installs trees that the SKB has pushed. */
  installPlans(version: number, multicast: readonly number[], numa: readonly number[]): void {
    const { core, outbox } = this.context;
    if (this.plans.install(version, core, multicast, numa)) outbox.log('plan_installed', { plan: version });
  }
}

function roundHostOf(context: MonitorContext): RoundHost {
  return {
    get self() {
      return context.core;
    },
    get view() {
      return context.view;
    },
    get takesPart() {
      return context.takesPart;
    },
    get cores() {
      return context.members.length + 1;
    },
    sink: context.outbox,
    timers: context.timers,
    isSilent(core, now) {
      const peer = context.endpoint.peers.get(core);
      return peer === undefined || peer.link === 0 || now - peer.lastHeardAt > limit('silenceNs');
    },
    mayAsk: (core, ready) => {
      const monitor = context.monitors.get(core);
      return monitor !== undefined && (!ready || context.isInView(monitor));
    },
    send: (core, message) => context.send(core, message),
    answered: (core, op) => context.earlyEnds.answered(core, op),
    blame: (core, offence, text, now) => context.offences.note(core, offence, text, now),
  };
}

function roundVerb(agreement: Agreement): Verb<RoundSummary> {
  return {
    args: ['plan', 'phases', 'count', 'bytes'],
    doc: 'Runs agreement rounds that do nothing, one after another.',
    run(args) {
      const plan = args.oneOf('plan', PLAN_KINDS, 'multicast');
      const phases = args.whole('phases', { min: 1, max: 2, otherwise: 1 }) === 1 ? 1 : 2;
      const count = args.whole('count', { min: 1, max: 1_000_000, otherwise: 1 });
      const bytes = args.whole('bytes', { min: 0, max: limit('pingPayloadBytes'), otherwise: 0 });
      return roundSeries(agreement, plan, phases, count, new Uint8Array(bytes));
    },
  };
}

function* roundSeries(
  agreement: Agreement,
  plan: PlanKind,
  phases: 1 | 2,
  count: number,
  payload: Uint8Array,
): Operation<RoundSummary> {
  const samples: Nanos[] = [];
  let report: RoundReport | null = null;
  for (let i = 0; i < count; i++) {
    const [outcome, elapsed] = yield* roundInOneView(agreement, plan, phases, payload);
    report = outcome;
    samples.push(elapsed);
  }
  return { plan, phases, cores: report?.cores ?? 0, messages: report?.messages ?? 0, ...summarise(samples) };
}

/** Reruns a round that met members with another view: one side is about to install the other's. */
function* roundInOneView(
  agreement: Agreement,
  plan: PlanKind,
  phases: 1 | 2,
  payload: Uint8Array,
): Operation<readonly [report: RoundReport, elapsed: Nanos]> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return yield* timedRound(agreement, plan, phases, payload);
    } catch (error) {
      if (!(error instanceof OperationError) || !IN_ANOTHER_VIEW.has(error.error) || attempt === STALE_MOST)
        throw error;
      yield* pause(agreement.timers, attempt);
    }
  }
}

/** Runs a round that does nothing; returns its report and duration. Ends in the round's error. */
export function* timedRound(
  agreement: Agreement,
  plan: PlanKind,
  phases: 1 | 2,
  payload: Uint8Array,
): Operation<readonly [report: RoundReport, elapsed: Nanos]> {
  const [outcome, elapsed] = yield* wait<readonly [Outcome<RoundReport>, Nanos]>({
    arm(resume, now) {
      agreement.run(plan, phases, payload, now, (result, at) => resume([result, at - now], at));
      return () => undefined;
    },
  });
  if (!outcome.ok) throw new OperationError(outcome.error, outcome.text);
  return [outcome.value, elapsed];
}
