/*
 * One phase of an agreement round, at the initiator and every member alike: a request goes down a tree, answers come up
 * and are added at each inner node.
 *
 *   A1  a node answers its parent once, after its own vote and once every child has answered or was given up;
 *   A2  the answer counts every core below exactly once: as consenting, or as refusing with a named error. An answer
 *       that does not is invalid: the cores below count as refusing.
 *   A3  a node never waits longer than the deadline: cores still missing then count as refusing with OPERATION_TIMEOUT.
 *
 * Assumes of the channel: exactly once, FIFO (U1, U2). From: Baumann et al., SOSP 2009, §5.1 (one-phase, multicast with
 * aggregation).
 */
import { assertInvariant, known } from '@mk/monitor-proto/assert';
import { type ErrorName, ERRORS } from '@mk/monitor-proto/errors';
import type { CoreId, Nanos, OperationId } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { Answer, Route } from '@mk/monitor-proto/messages/fields';
import type { Message, MessageOf } from '@mk/monitor-proto/messages/table';
import type { Offence } from '@mk/monitor-proto/offences';
import type { EffectSink } from '@mk/monitor-proto/outbox';
import type { Timer, TimerQueue } from '@mk/monitor-proto/timer-queue';
import type { Plan } from './plan.ts';
import { answersFor, areAtMost, coresOf, isSilence, type PhaseResult } from './round-answers.ts';
import { type Act, type ActOf, type Phase, PHASES, ROUND_ACTIONS, type RoundActionName } from './round-actions.ts';

/** A phase that its initiator still waits for. */
export interface Progress {
  readonly messages: number;
  readonly silent: readonly CoreId[];
}

/** The parameters of one phase. */
export interface PhaseSpec {
  readonly phase: Phase;
  readonly op: OperationId;
  readonly action: RoundActionName;
  readonly payload: Uint8Array;
  readonly plan: Pick<Plan, 'routes' | 'serial' | 'again'>;
  /** Cores that have not answered by then refuse with OPERATION_TIMEOUT (A3). */
  readonly deadline: Nanos;
}

/** The rounds' view of their monitor. */
export interface RoundHost {
  readonly self: CoreId;
  readonly view: number;
  /** Whether this core is in the present view. */
  readonly takesPart: boolean;
  /** How many cores the view has. */
  readonly cores: number;
  readonly sink: EffectSink;
  readonly timers: TimerQueue;
  /** Whether a core may be asked now: known to us and, with `inView`, in the view (J2). */
  mayAsk(core: CoreId, inView: boolean): boolean;
  send(core: CoreId, message: Message): ErrorName | null;
  /** A core has been answered to the first of two phases. */
  answered(core: CoreId, op: OperationId): void;
  /** Reports a core's offence. */
  blame(core: CoreId, offence: Offence, text: string, now: Nanos): void;
  /** Whether nothing has been heard from a core for a while. */
  isSilent(core: CoreId, now: Nanos): boolean;
}

/** A node's part in one phase. */
interface RoundNode {
  readonly op: OperationId;
  readonly phase: Phase;
  /** The asking core; null at the initiator. */
  readonly parent: CoreId | null;
  readonly request: Omit<MessageOf<'round_request'>, 'below'>;
  readonly begunAt: Nanos;
  /** Subtrees not asked yet, when they are asked one by one. */
  readonly later: Route[];
  /** These cores may have been asked before, on behalf of others too: such an answer comes late. */
  readonly again: boolean;
  /** Cores asked that have not answered; `NOBODY` at a leaf, which asks none. */
  waiting: Map<CoreId, Route>;
  ownVote: boolean;
  consenting: number;
  refusals: readonly Answer[];
  data: readonly number[];
  /** Messages that the cores below would have taken, had they all answered. */
  unsent: number;
  timer: Timer | null;
  /** It has answered. */
  settled: boolean;
  /** At the initiator; any other node answers its parent. */
  readonly finish: ((result: PhaseResult, now: Nanos) => void) | null;
}

type NodeSpec = Pick<RoundNode, 'request' | 'parent' | 'later' | 'again' | 'begunAt' | 'finish'>;

/*
 * Shared and always empty: a round has many more leaves than inner nodes, and a leaf that votes at once keeps no state.
 */
const NOBODY: Map<CoreId, Route> = new Map();
const NOTHING_LATER: Route[] = [];
const NONE: readonly never[] = [];
/** Core ids have 16 bits. */
const CORES_MOST = 65_536;

export class Rounds {
  /** The core whose request is being performed; null: this core itself. */
  askedBy: CoreId | null = null;
  askedAction = 0;
  /** By phase and operation. */
  private readonly nodes = Array.from({ length: PHASES.abort + 1 }, () => new Map<OperationId, RoundNode>());

  /** `actOf`: this core's act in a round, by the ordinal of its action. */
  constructor(
    private readonly host: RoundHost,
    private readonly actOf: ActOf,
  ) {}

  /** Phases that wait for answers. */
  get size(): number {
    return this.nodes.reduce((sum, phase) => sum + phase.size, 0);
  }

  /** Since when this core has waited for the oldest phase that it began; Infinity: it waits for none. */
  get waitsSince(): Nanos {
    let since = Infinity;
    for (const phase of this.nodes)
      for (const { parent, begunAt } of phase.values()) {
        if (parent !== null) continue;
        since = Math.min(since, begunAt);
        break; // the others of this map began later
      }
    return since;
  }

  /** Begins one phase at its initiator. Calls `finish` once, by the deadline at the latest. */
  begin(
    { phase, op, action, payload, plan, deadline }: PhaseSpec,
    now: Nanos,
    finish: (result: PhaseResult, now: Nanos) => void,
  ): void {
    const { routes, serial, again = false } = plan;
    const { ordinal } = ROUND_ACTIONS[action];
    const act = this.actOf(ordinal);
    if (act === undefined) throw new Error(`no service brings the round action ${action}`);
    const request = { type: 'round_request' as const, op, view: this.host.view, phase, kind: ordinal, payload };
    const later = serial ? [...routes] : NOTHING_LATER;
    const node = nodeOf({ request, parent: null, later, again, begunAt: now, finish });
    if (serial) this.askNext(node, now);
    else this.askAll(node, routes, now);
    this.act(node, act, deadline, now);
  }

  /** Handles another core's request to take part. */
  onRequest(from: CoreId, request: MessageOf<'round_request'>, now: Nanos): void {
    const act = this.actOf(request.kind);
    const error = this.refusalOf(request);
    // No honest core names so many: the list is not walked, and the answer does not grow as long.
    if (!areAtMost(request.below, error === 'VIEW_STALE' ? CORES_MOST : this.host.cores))
      return this.reply(from, request, 0, [[this.host.self, ERRORS.BAD_REQUEST.code]], NONE);
    if (act === undefined || error !== null) {
      const { code } = ERRORS[error ?? 'BAD_REQUEST'];
      const refusals: Answer[] = [...coresOf(request.below, code), [this.host.self, code]];
      return this.reply(from, request, 0, refusals, NONE);
    }
    const node = nodeOf({ request, parent: from, later: NOTHING_LATER, again: false, begunAt: now, finish: null });
    this.askAll(node, request.below, now);
    this.askedBy = from;
    this.askedAction = request.kind;
    this.act(node, act, now + limit('operationDeadlineNs'), now);
    this.askedBy = null;
  }

  /** Handles a child's answer for its subtree. */
  onReply(from: CoreId, reply: MessageOf<'round_reply'>, now: Nanos): void {
    const node = this.nodes[reply.phase]?.get(reply.op);
    const route = node?.waiting.get(from);
    if (node === undefined || route === undefined) return; // the child answered after it was given up
    if (!answersFor(route, reply)) {
      if (node.again) return;
      // Another initiator may have made up the tree, or have asked the core before: only a round of our own is proof.
      if (node.parent === null)
        this.host.blame(
          from,
          'false_count',
          `answers ${reply.op} for ${reply.count} cores and ${reply.refusals.length} refusals`,
          now,
        );
      this.giveUp(node, from, 'ROUND_REFUSED');
      return this.goOn(node, now);
    }
    node.waiting.delete(from);
    node.consenting += reply.count;
    node.unsent += reply.refusals.filter(isSilence).length;
    refuse(node, reply.refusals);
    tell(node, reply.data);
    this.goOn(node, now);
  }

  /** A core is gone: nobody waits for it any more. */
  peerGone(core: CoreId, now: Nanos): void {
    for (const node of this.nodes.flatMap((phase) => [...phase.values()])) {
      const unasked = node.later.findIndex(([later]) => later === core);
      if (unasked >= 0) this.neverAsked(node, node.later.splice(unasked, 1), 'PEER_GONE');
      if (!node.waiting.has(core)) continue;
      this.giveUp(node, core, 'PEER_GONE');
      this.goOn(node, now);
    }
  }

  /** A1 and A3 for the phases that wait here. Throws AssertionFailure. */
  invariants(): void {
    for (const phase of this.nodes) {
      for (const node of phase.values()) {
        const { op, settled } = node;
        const open = !settled && isOpen(node);
        assertInvariant('A1', open, () => `phase ${node.phase} of ${op} is kept and waits for nobody`);
        assertInvariant('A3', node.timer?.fire, () => `phase ${node.phase} of ${op} has no deadline`);
      }
    }
  }

  private refusalOf(request: MessageOf<'round_request'>): ErrorName | null {
    if (request.view !== this.host.view || !this.host.takesPart) return 'VIEW_STALE';
    if (request.phase < PHASES.prepare || request.phase > PHASES.abort) return 'BAD_REQUEST';
    return known(this.nodes[request.phase]).has(request.op) ? 'BAD_REQUEST' : null;
  }

  /** Acts for this core. The node is kept until this core and those below have settled, or the deadline. */
  private act(node: RoundNode, act: Act, deadline: Nanos, now: Nanos): void {
    const { op, phase } = node;
    assertInvariant('J2', this.host.takesPart, () => `core ${this.host.self} acts in ${op} and is in no view`);
    act(op, phase, node.request.payload, now, (refusal, at, data) => this.voted(node, refusal, at, data));
    if (node.settled) return;
    assertInvariant('A1', isOpen(node), () => `phase ${phase} of ${op} is kept and waits for nobody`);
    known(this.nodes[phase]).set(op, node);
    node.timer = this.host.timers.set(deadline, (at) => this.expire(node, at));
  }

  private askAll(node: RoundNode, routes: readonly Route[], now: Nanos): void {
    for (const route of routes) this.ask(node, route, now);
  }

  private goOn(node: RoundNode, now: Nanos): void {
    if (node.later.length > 0) this.askNext(node, now);
    this.settle(node, now);
  }

  private askNext(node: RoundNode, now: Nanos): void {
    while (node.waiting.size === 0 && node.later.length > 0) this.ask(node, known(node.later.shift()), now);
  }

  private ask(node: RoundNode, route: Route, _now: Nanos): void {
    const [core, below] = route;
    const { op, view, phase, kind, payload } = node.request;
    if (node.waiting === NOBODY) node.waiting = new Map();
    node.waiting.set(core, route);
    // The core may be a new incarnation, later than the plan, that does not know how this round began.
    const error = this.host.mayAsk(core, node.parent === null)
      ? this.host.send(core, { type: 'round_request', op, view, phase, kind, below, payload })
      : 'PEER_GONE';
    if (error === null) return;
    node.unsent += 1; // not even the request was sent
    this.giveUp(node, core, error);
  }

  private voted(node: RoundNode, refusal: ErrorName | null, now: Nanos, data: readonly number[] = NONE): void {
    if (node.ownVote) return;
    node.ownVote = true;
    tell(node, data);
    if (refusal === null) node.consenting += 1;
    else refuse(node, [[this.host.self, ERRORS[refusal].code]]);
    if (this.host.sink.debug)
      this.host.sink.log('round_voted', {
        op: node.op,
        phase: node.phase,
        result: refusal ?? 'ok',
        action: node.request.kind,
      });
    this.settle(node, now);
  }

  private giveUp(node: RoundNode, child: CoreId, error: ErrorName): void {
    const route = known(node.waiting.get(child));
    node.waiting.delete(child);
    const given = coresOf([route], ERRORS[error].code);
    node.unsent += 2 * given.length - 1;
    refuse(node, given);
  }

  private neverAsked(node: RoundNode, routes: readonly Route[], error: ErrorName): void {
    const given = coresOf(routes, ERRORS[error].code);
    node.unsent += 2 * given.length;
    refuse(node, given);
  }

  private expire(node: RoundNode, now: Nanos): void {
    for (const child of [...node.waiting.keys()]) this.giveUp(node, child, 'OPERATION_TIMEOUT');
    this.neverAsked(node, node.later.splice(0), 'OPERATION_TIMEOUT');
    if (!node.ownVote) this.voted(node, 'OPERATION_TIMEOUT', now);
    else this.settle(node, now);
    assertInvariant('A3', node.settled, () => `phase ${node.phase} of ${node.op} goes on past its deadline`);
  }

  private settle(node: RoundNode, now: Nanos): void {
    if (isOpen(node) || node.settled) return;
    node.settled = true;
    if (node.timer !== null) {
      known(this.nodes[node.phase]).delete(node.op);
      this.host.timers.cancel(node.timer);
    }
    const { parent, consenting, refusals, data } = node;
    if (parent !== null) return this.reply(parent, node, consenting, refusals, data);
    const messages = 2 * (consenting + refusals.length - 1) - node.unsent;
    const unheard = refusals.filter(isSilence).map(([core]) => core);
    known(node.finish)({ consenting, refusals, data, messages, silent: this.silentOf(unheard, now) }, now);
  }

  /** How far a phase begun here has come; null: this core waits for none of that operation. */
  progressOf(op: OperationId, now: Nanos): Progress | null {
    const node = this.nodes.map((phase) => phase.get(op)).find((found) => found?.parent === null);
    if (node === undefined) return null;
    const answered = node.consenting + node.refusals.length - (node.ownVote ? 1 : 0);
    const waiting = coresOf([...node.waiting.values()], 0).map(([core]) => core);
    return { messages: 2 * answered - node.unsent + node.waiting.size, silent: this.silentOf(waiting, now) };
  }

  /** The subtree behind a silent inner node has not answered either: blame the silent cores if there are any. */
  private silentOf(unheard: readonly CoreId[], now: Nanos): readonly CoreId[] {
    const silent = unheard.filter((core) => core !== this.host.self && this.host.isSilent(core, now));
    return (silent.length > 0 ? silent : unheard).toSorted((a, b) => a - b);
  }

  private reply(
    to: CoreId,
    { op, phase }: Pick<MessageOf<'round_request'>, 'op' | 'phase'>,
    count: number,
    refusals: readonly Answer[],
    data: readonly number[],
  ): void {
    this.host.send(to, { type: 'round_reply', op, phase, count, refusals, data });
    if (phase === PHASES.prepare) this.host.answered(to, op);
  }
}

/** Whether a node waits for this core's own vote, or for a core below. */
function isOpen({ ownVote, waiting, later }: RoundNode): boolean {
  return !ownVote || waiting.size > 0 || later.length > 0;
}

function nodeOf({ request, parent, later, again, begunAt, finish }: NodeSpec): RoundNode {
  const { op } = request;
  const phase = request.phase as Phase;
  return {
    op,
    phase,
    parent,
    request,
    begunAt,
    later,
    again,
    waiting: NOBODY,
    ownVote: false,
    consenting: 0,
    refusals: NONE,
    data: NONE,
    unsent: 0,
    timer: null,
    settled: false,
    finish,
  };
}

function refuse(node: RoundNode, answers: readonly Answer[]): void {
  if (answers.length > 0) node.refusals = node.refusals.concat(answers);
}

function tell(node: RoundNode, data: readonly number[]): void {
  if (data.length > 0) node.data = node.data.concat(data);
}
