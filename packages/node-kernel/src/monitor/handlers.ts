import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import { type MessageOf, MESSAGES, type MessageTo, type MessageType } from '@mk/monitor-proto/messages/table';
import type { Peer } from '@mk/monitor-proto/endpoint/peer';
import { onCopyRequest, onReceive } from './capops/copy.ts';
import { onMoveRequest } from './capops/move.ts';
import { onRetrieveRequest } from './capops/retrieve.ts';
import { onRetypeRequest } from './capops/retype.ts';
import type { Monitor } from './monitor.ts';

/** What a monitor does with a message. */
export type Handler<T extends MessageTo<'core' | 'client'>> = (
  monitor: Monitor,
  from: Peer,
  message: MessageOf<T>,
  now: Nanos,
) => void;

/** One handler for every message that a core can be sent: the compiler misses none. */
export const HANDLERS: { readonly [T in MessageTo<'core' | 'client'>]: Handler<T> } = {
  register_reply: (m, _from, reply, now) => m.registered(reply, now),
  new_monitor_notify: (m, _from, { monitors, more }, now) => m.join.announced(monitors, more, now),
  bind_monitor_request: (m, _from, { monitors, more }, now) => m.join.bindTo(monitors, more, now),
  bind_monitor_reply: (m, from, _message, now) => m.join.boundBy(from, now),
  capops_ready: (m, from) => m.join.ready(from),
  monitor_gone: (m, _from, { core, incarnation }, now) => m.declareGone(core, incarnation, now),
  measure_request: (m, _from, request, now) => m.measure.onRequest(request, now),
  plan_push: (m, _from, { version, multicast, numa }) => m.installPlans(version, multicast, numa),
  skb_solutions: (m, _from, message) => m.knowledge.requests.receive(message),
  skb_query_end: (m, _from, message) => m.knowledge.requests.receive(message),
  oct_reply: (m, _from, message) => m.knowledge.requests.receive(message),
  oct_notify: (m, _from, message) => m.knowledge.requests.receive(message),
  ping_request: (m, from, request) => m.ping.onRequest(coreOf(from), request),
  ping_reply: (m, from, reply, now) => m.ping.onReply(coreOf(from), reply, now),
  clock_request: (m, from, request, now) => m.clock.onRequest(from.id, request, now),
  clock_reply: (m, from, reply, now) => m.clock.onReply(from.id, reply, now),
  flood: (m, from, message) => m.flood.onMessage(coreOf(from), message),
  flood_end: (m, from, end) => m.flood.onEnd(coreOf(from), end),
  flood_result: (m, from, result, now) => m.flood.onResult(coreOf(from), result, now),
  ring_token: (m, from, token, now) => m.ring.onToken(from, token, now),
  round_request: (m, from, request, now) => m.rounds.onRequest(coreOf(from), request, now),
  round_reply: (m, from, reply, now) => m.rounds.onReply(coreOf(from), reply, now),
  cap_copy_request: (m, from, request, now) => onCopyRequest(m.capops, coreOf(from), request, now),
  cap_copy_reply: (m, from, reply, now) => m.capops.exchange.answered(coreOf(from), reply, now),
  cap_receive_request: (m, from, request, now) => onReceive(m.capops, coreOf(from), request, now),
  cap_receive_reply: (m, from, reply, now) => m.capops.exchange.answered(coreOf(from), reply, now),
  cap_move_request: (m, from, request, now) => onMoveRequest(m.capops, coreOf(from), request, now),
  cap_move_reply: (m, from, reply, now) => m.capops.exchange.answered(coreOf(from), reply, now),
  cap_retrieve_request: (m, from, request, now) => onRetrieveRequest(m.capops, coreOf(from), request, now),
  cap_retrieve_reply: (m, from, reply, now) => m.capops.exchange.answered(coreOf(from), reply, now),
  cap_retype_request: (m, from, request, now) => onRetypeRequest(m.capops, coreOf(from), request, now),
  cap_retype_reply: (m, from, reply, now) => m.capops.exchange.answered(coreOf(from), reply, now),
  cap_retype_created: (m, from, message, now) => m.capops.exchange.answered(coreOf(from), message, now),
  cap_reclaim_request: (m, from, request) => m.capops.reclaims.onRequest(coreOf(from), request),
  cap_reclaim_reply: (m, from, reply, now) => m.capops.exchange.answered(coreOf(from), reply, now),
};

/** Handlers by type, and from whom they take a message: one look-up for each that comes in. */
export const HANDLING: ReadonlyMap<
  MessageType,
  { readonly handler: Handler<never>; readonly fromCore: boolean; readonly fromSkb: boolean }
> = new Map(
  (Object.entries(HANDLERS) as [keyof typeof HANDLERS, Handler<never>][]).map(([type, handler]) => {
    const { from } = MESSAGES[type];
    return [type, { handler, fromCore: from !== 'skb', fromSkb: from === 'skb' || from === 'any' }];
  }),
);

function coreOf(peer: Peer): CoreId {
  return peer.id;
}
