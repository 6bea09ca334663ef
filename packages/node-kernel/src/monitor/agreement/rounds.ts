import { type ErrorName, errorOfCode, ERRORS } from '@mk/monitor-proto/errors';
import type { CoreId, Nanos, OperationId } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import type { Answer, Route } from '@mk/monitor-proto/messages/fields';
import type { Message, MessageOf } from '@mk/monitor-proto/messages/table';
import type { EffectSink } from '@mk/monitor-proto/outbox';
import type { Timer, TimerQueue } from '@mk/monitor-proto/timer-queue';
import { type RoundAction, type Phase, PHASES } from './round-actions.ts';

/*
 * One phase of an agreement round, at the initiator and at every member alike: a request goes down a tree, answers come
 * up and are added at each inner node.
 *
 *   A1  a node answers its parent once, after it has voted itself and all its children have answered or were given up;
 *   A2  the answer counts every core below exactly once: as consenting, or as refusing with a named error;
 *   A3  a node never waits longer than the deadline: who is missing then refuses with OPERATION_TIMEOUT.
 *
 * Assumes of the channel: exactly once, FIFO (U1, U2). From: the paper's §5.1 (one-phase, multicast with aggregation).
 */

/** What a phase came to: how many cores consented, and who refused with what. */
export interface PhaseResult {
  readonly consenting: number;
  readonly refusals: readonly Answer[];
  /** What the voters told beside their votes, in no order. */
  readonly data: readonly number[];
  /** Requests and replies, at all cores. */
  readonly messages: number;
}

/** What the rounds need of the monitor that they run in. */
export interface RoundHost {
  readonly self: CoreId;
  readonly view: number;
  readonly sink: EffectSink;
  readonly timers: TimerQueue;
  /** Whether a core may be asked now: bound to us, and (`ready`) taking part in global operations (J2). */
  mayAsk(core: CoreId, ready: boolean): boolean;
  send(core: CoreId, message: Message): ErrorName | null;
}

/** A node's part in one phase. */
interface RoundNode {
  readonly op: OperationId;
  readonly phase: Phase;
  /** Who asked; null at the initiator. */
  readonly parent: CoreId | null;
  readonly request: Omit<MessageOf<'round_request'>, 'below'>;
  /** Subtrees that have not been asked yet, when they are asked one after the other. */
  readonly later: Route[];
  /** Who was asked and has not answered; `NOBODY` at a leaf, which asks none. */
  waiting: Map<CoreId, Route>;
  ownVote: boolean;
  consenting: number;
  refusals: Answer[];
  data: number[];
  timer: Timer | null;
  readonly finish: (result: PhaseResult, now: Nanos) => void;
}

/** Shared, and always empty: a round has many more leaves than inner nodes. */
const NOBODY: Map<CoreId, Route> = new Map();

export class Rounds {
  /** By phase and operation. */
  private readonly nodes = Array.from({ length: PHASES.abort + 1 }, () => new Map<OperationId, RoundNode>());
  private readonly actions: readonly (RoundAction | undefined)[];

  constructor(
    private readonly host: RoundHost,
    actions: readonly RoundAction[],
  ) {
    const byOrdinal: RoundAction[] = [];
    for (const action of actions) byOrdinal[action.ordinal] = action;
    this.actions = byOrdinal;
  }

  /** Phases that wait for answers. */
  get size(): number {
    return this.nodes.reduce((sum, phase) => sum + phase.size, 0);
  }

  /** Begins one phase at its initiator. `finish` is called once, not later than `deadline`. */
  begin(phase: Phase, op: OperationId, action: RoundAction, payload: Uint8Array, routes: readonly Route[], serial: boolean, deadline: Nanos, now: Nanos, finish: (result: PhaseResult, now: Nanos) => void): void {
    const request = { type: 'round_request' as const, op, view: this.host.view, phase, kind: action.ordinal, payload };
    const node = this.open(request, null, serial ? [...routes] : [], deadline, finish);
    if (serial) this.askNext(node, now);
    else this.askAll(node, routes, now);
    action.act(op, phase, payload, now, (refusal, at, data) => this.voted(node, refusal, at, data));
  }

  /** Another core asks us to take part. */
  onRequest(from: CoreId, request: MessageOf<'round_request'>, now: Nanos): void {
    const { op, phase, payload } = request;
    const action = this.actions[request.kind];
    const refusal = this.refusalOf(request, action);
    const finish = (result: PhaseResult): void => {
      this.host.send(from, { type: 'round_reply', op, phase, count: result.consenting, refusals: result.refusals, data: result.data });
    };
    if (refusal !== null || action === undefined) {
      const refusals = [...coresOf(request.below, refusal!), [this.host.self, ERRORS[refusal!].code] as Answer];
      return finish({ consenting: 0, refusals, data: [], messages: 0 });
    }
    const node = this.open(request, from, [], now + limit('operationDeadlineNs'), finish);
    this.askAll(node, request.below, now);
    action.act(op, phase as Phase, payload, now, (vote, at, data) => this.voted(node, vote, at, data));
  }

  /** A child answers for its subtree. */
  onReply(from: CoreId, reply: MessageOf<'round_reply'>, now: Nanos): void {
    const node = this.nodes[reply.phase]?.get(reply.op);
    if (node === undefined || !node.waiting.delete(from)) return; // answered after it was given up
    node.consenting += reply.count;
    node.refusals.push(...reply.refusals);
    if (reply.data.length > 0) node.data = node.data.concat(reply.data);
    if (node.later.length > 0) this.askNext(node, now);
    this.settle(node, now);
  }

  /** A core is gone: whoever waited for it waits no more. */
  peerGone(core: CoreId, now: Nanos): void {
    for (const node of this.nodes.flatMap((phase) => [...phase.values()])) {
      const unasked = node.later.findIndex(([later]) => later === core);
      if (unasked >= 0) node.refusals.push(...coresOf(node.later.splice(unasked, 1), 'PEER_GONE'));
      if (!node.waiting.has(core)) continue;
      this.giveUp(node, core, 'PEER_GONE');
      if (node.later.length > 0) this.askNext(node, now);
      this.settle(node, now);
    }
  }

  private refusalOf(request: MessageOf<'round_request'>, action: RoundAction | undefined): ErrorName | null {
    if (request.view < this.host.view) return 'VIEW_STALE';
    if (action === undefined || request.phase < PHASES.prepare || request.phase > PHASES.abort) return 'BAD_REQUEST';
    return this.nodes[request.phase]!.has(request.op) ? 'BAD_REQUEST' : null;
  }

  private open(request: RoundNode['request'], parent: CoreId | null, later: Route[], deadline: Nanos, finish: RoundNode['finish']): RoundNode {
    const { op } = request;
    const phase = request.phase as Phase;
    const node: RoundNode = { op, phase, parent, request, later, waiting: NOBODY, ownVote: false, consenting: 0, refusals: [], data: [], timer: null, finish };
    this.nodes[phase]!.set(op, node);
    node.timer = this.host.timers.set(deadline, (now) => this.expire(node, now));
    return node;
  }

  private askAll(node: RoundNode, routes: readonly Route[], now: Nanos): void {
    for (const route of routes) this.ask(node, route, now);
  }

  private askNext(node: RoundNode, now: Nanos): void {
    while (node.waiting.size === 0 && node.later.length > 0) this.ask(node, node.later.shift()!, now);
  }

  private ask(node: RoundNode, route: Route, _now: Nanos): void {
    const [core, below] = route;
    const { op, view, phase, kind, payload } = node.request;
    if (node.waiting === NOBODY) node.waiting = new Map();
    node.waiting.set(core, route);
    // The core may be a new incarnation that came after the plan was made: it does not know of this round's beginning.
    const error = this.host.mayAsk(core, node.parent === null) ? this.host.send(core, { type: 'round_request', op, view, phase, kind, below, payload }) : 'PEER_GONE';
    if (error !== null) this.giveUp(node, core, error);
  }

  private voted(node: RoundNode, refusal: ErrorName | null, now: Nanos, data: readonly number[] = []): void {
    if (node.ownVote) return;
    node.ownVote = true;
    if (data.length > 0) node.data = node.data.concat(data);
    if (refusal === null) node.consenting += 1;
    else node.refusals.push([this.host.self, ERRORS[refusal].code]);
    if (this.host.sink.debug) this.host.sink.log('round_voted', { op: node.op, phase: node.phase, result: refusal ?? 'ok' });
    this.settle(node, now);
  }

  private giveUp(node: RoundNode, child: CoreId, error: ErrorName): void {
    const route = node.waiting.get(child)!;
    node.waiting.delete(child);
    node.refusals.push(...coresOf([route], error));
  }

  private expire(node: RoundNode, now: Nanos): void {
    for (const child of [...node.waiting.keys()]) this.giveUp(node, child, 'OPERATION_TIMEOUT');
    node.refusals.push(...coresOf(node.later, 'OPERATION_TIMEOUT'));
    node.later.length = 0;
    if (!node.ownVote) this.voted(node, 'OPERATION_TIMEOUT', now);
    else this.settle(node, now);
  }

  private settle(node: RoundNode, now: Nanos): void {
    if (!node.ownVote || node.waiting.size > 0 || node.later.length > 0) return;
    if (!this.nodes[node.phase]!.delete(node.op)) return;
    this.host.timers.cancel(node.timer);
    const messages = 2 * (node.consenting + node.refusals.length - 1);
    node.finish({ consenting: node.consenting, refusals: node.refusals, data: node.data, messages }, now);
  }
}

/** The first refusal of a result as an error name, or null. */
export function firstRefusal(result: PhaseResult): { readonly core: CoreId; readonly error: ErrorName } | null {
  const first = result.refusals[0];
  return first === undefined ? null : { core: first[0], error: errorOfCode(first[1]) ?? 'ROUND_REFUSED' };
}

function coresOf(routes: readonly Route[], error: ErrorName): Answer[] {
  return routes.flatMap(([core, below]) => [[core, ERRORS[error].code] as Answer, ...coresOf(below, error)]);
}
