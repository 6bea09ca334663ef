import type { Nanos } from '@mk/monitor-proto/ids';
import { type Message, type MessageOf, MESSAGES, type MessageTo } from '@mk/monitor-proto/messages/table';
import { handlerFor } from '@mk/monitor-proto/handlers';
import type { MessageSpec } from '@mk/monitor-proto/messages/spec';
import { isKeyOf } from '@mk/monitor-proto/tables';
import { isCorePeer, type Peer } from '@mk/monitor-proto/endpoint/peer';
import type { SkbParts } from './skb-parts.ts';

/** The messages that the SKB receives. */
export type SkbMessage = { [T in MessageTo<'skb'>]: MessageOf<T> }[MessageTo<'skb'>];

/** Whether the SKB can be sent this message; false for those that only it sends. */
export function isForSkb(message: Message): message is SkbMessage {
  const { from }: MessageSpec = MESSAGES[message.type];
  return isKeyOf(HANDLERS, message.type) && from !== 'skb';
}

export function handleMessage(skb: SkbParts, from: Peer, message: SkbMessage, now: Nanos): void {
  handlerFor(HANDLERS, message.type)(message, skb, from, now);
}

type Handler<T extends MessageTo<'skb'>> = (message: MessageOf<T>, skb: SkbParts, from: Peer, now: Nanos) => void;

/** One handler for every message that the SKB can be sent: the compiler misses none. */
const HANDLERS: { readonly [T in MessageTo<'skb'>]: Handler<T> } = {
  register_request: (request, skb, from, now) => skb.registry.register(from, request, now),
  monitor_initialized: (_message, skb, from, now) => skb.registry.initialised(from, now),
  bind_monitor_proxy: ({ cores, incarnations }, skb, from, now) =>
    skb.registry.proxyBind(from, cores, incarnations, now),
  mesh_report: ({ links }, skb, from, now) => skb.registry.meshReport(from, links, now),
  view_report: ({ view }, skb, from, now) => skb.registry.viewReport(from, view, now),
  measure_report: (report, skb, from, now) => {
    if (isCorePeer(from)) skb.measurement.report(from.id, report, now);
  },
  link_changed: ({ core, average }, skb, from) => {
    if (isCorePeer(from)) skb.linkChanged(from.id, core, average);
  },
  skb_query: (query, skb, from, now) => skb.client(from, now).queries.query(from, query),
  skb_cancel: ({ id }, skb, from, now) => skb.client(from, now).queries.cancel(from, id),
  skb_rules: (rules, skb, from, now) => skb.client(from, now).queries.rules(from, rules),
  oct_request: (request, skb, from, now) => skb.client(from, now).octopus.request(from, request),
  session_alive: ({ id, begins }, skb, from, now) => skb.client(from, now).alive(from, id, begins),
  client_leaves: (_message, skb, from, now) => skb.clientLeaves(from, now),
  clock_request: ({ id, t0 }, skb, from, now) => {
    skb.endpoint.sendTo(from, { type: 'clock_reply', id, t0, t1: now, t2: now });
  },
};
