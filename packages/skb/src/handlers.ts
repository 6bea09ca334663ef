import type { Nanos } from '@mk/monitor-proto/ids';
import type { MessageOf, MessageTo } from '@mk/monitor-proto/messages/table';
import { isCorePeer, type Peer } from '@mk/monitor-proto/endpoint/peer';
import type { SkbParts } from './skb-parts.ts';

/** What the SKB does with a message. */
export type Handler<T extends MessageTo<'skb'>> = (
  skb: SkbParts,
  from: Peer,
  message: MessageOf<T>,
  now: Nanos,
) => void;

/** One handler for every message that the SKB can be sent: the compiler misses none. */
export const HANDLERS: { readonly [T in MessageTo<'skb'>]: Handler<T> } = {
  register_request: (skb, from, request, now) => skb.registry.register(from, request, now),
  monitor_initialized: (skb, from, _message, now) => skb.registry.initialised(from, now),
  bind_monitor_proxy: (skb, from, { cores, incarnations }, now) =>
    skb.registry.proxyBind(from, cores, incarnations, now),
  capops_ready: () => undefined,
  mesh_report: (skb, from, { links }, now) => skb.registry.meshReport(from, links, now),
  measure_report: (skb, from, report, now) => {
    if (isCorePeer(from)) skb.measurement.report(from.id, report, now);
  },
  link_changed: (skb, from, { core, average }) => {
    if (isCorePeer(from)) skb.linkChanged(from.id, core, average);
  },
  skb_query: (skb, from, query, now) => skb.client(from, now).queries.query(from, query),
  skb_cancel: (skb, from, { id }, now) => skb.client(from, now).queries.cancel(from, id),
  skb_rules: (skb, from, rules, now) => skb.client(from, now).queries.rules(from, rules),
  oct_request: (skb, from, request, now) => skb.client(from, now).octopus.request(from, request),
  session_alive: (skb, from, { id, begins }, now) => skb.client(from, now).alive(from, id, begins),
  client_leaves: (skb, from, _message, now) => skb.clientLeaves(from, now),
  clock_request: (skb, from, { id, t0 }, now) => {
    skb.endpoint.sendTo(from, { type: 'clock_reply', id, t0, t1: now, t2: now });
  },
};
