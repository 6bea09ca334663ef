import type { MessageSpec } from './spec.ts';

/**
 * Between a client (a program with a link to the SKB, or a core's monitor) and the SKB: queries, rules, Octopus.
 * Ordinals 140–179. Texts are JSON; one longer than a message goes in several: `more` announces the next.
 */
export const KNOWLEDGE_MESSAGES = {
  skb_query: {
    ordinal: 140,
    from: 'any',
    to: 'skb',
    lane: 'monitor',
    fields: { id: 'u32', goal: 'str', time_limit_ms: 'u32', inference_limit: 'float', max_solutions: 'u32' },
    doc: 'Asks a Prolog goal; 0 is the default of a limit. Ids are the client’s own, those of rules included.',
  },
  skb_cancel: {
    ordinal: 141,
    from: 'any',
    to: 'skb',
    lane: 'monitor',
    fields: { id: 'u32' },
    doc: 'Nobody wants more solutions of that query; it still ends with skb_query_end.',
  },
  skb_solutions: {
    ordinal: 142,
    from: 'skb',
    to: 'client',
    lane: 'monitor',
    fields: { id: 'u32', more: 'bool', text: 'str' },
    doc: 'A list of solutions in the order they were found.',
  },
  skb_query_end: {
    ordinal: 143,
    from: 'skb',
    to: 'client',
    lane: 'monitor',
    fields: { id: 'u32', more: 'bool', error: 'str', text: 'str', line: 'u32', column: 'u32' },
    doc: 'The query, or the addition of rules, has ended; `more`: by its limit of solutions; error: a name or nothing; the place from 1, or 0.',
  },
  skb_rules: {
    ordinal: 144,
    from: 'any',
    to: 'skb',
    lane: 'monitor',
    fields: { id: 'u32', name: 'str', more: 'bool', text: 'str' },
    doc: 'Replaces the rules of that name by a program, all or none; an empty program removes them. Answered with skb_query_end.',
  },
  oct_request: {
    ordinal: 145,
    from: 'any',
    to: 'skb',
    lane: 'monitor',
    fields: { id: 'u32', settled: 'u32', request: 'str' },
    doc: 'One request to Octopus; all ids below `settled` are answered, so that the SKB may forget them.',
  },
  oct_reply: {
    ordinal: 146,
    from: 'skb',
    to: 'client',
    lane: 'monitor',
    fields: { id: 'u32', more: 'bool', text: 'str' },
    doc: 'The answer to one request; it is on the disk by then if the SKB keeps a journal.',
  },
  oct_notify: {
    ordinal: 147,
    from: 'skb',
    to: 'client',
    lane: 'monitor',
    fields: { more: 'bool', text: 'str' },
    doc: 'What a trigger or a subscription of the client tells.',
  },
  client_leaves: {
    ordinal: 148,
    from: 'any',
    to: 'skb',
    lane: 'monitor',
    fields: {},
    doc: 'The client ends: its triggers and what it marked transient go at once.',
  },
  session_alive: {
    ordinal: 149,
    from: 'any',
    to: 'skb',
    lane: 'monitor',
    fields: { id: 'u32', begins: 'bool' },
    doc: 'The client lives and wants its session prolonged, or another begun: what it held before is given up then.',
  },
  session_alive_reply: {
    ordinal: 150,
    from: 'skb',
    to: 'client',
    lane: 'monitor',
    fields: { id: 'u32', timeout_ms: 'u32' },
    doc: 'The session lasts at least this long after the question was asked.',
  },
  session_lost: {
    ordinal: 151,
    from: 'skb',
    to: 'client',
    lane: 'monitor',
    fields: { silent_ms: 'u32' },
    doc: 'The client was silent for this long and was dropped: its triggers and transient records are gone.',
  },
} as const satisfies Record<string, MessageSpec>;
