import type { MessageSpec } from './spec.ts';

/** Between monitors: ping, clocks, agreement rounds. Ordinals 41–99. */
export const MONITOR_MESSAGES = {
  ping_request: {
    ordinal: 41, from: 'core', to: 'core', lane: 'monitor', fields: { id: 'u32', payload: 'bytes' },
    doc: 'Answer at once with the same id and payload.',
  },
  ping_reply: {
    ordinal: 42, from: 'core', to: 'core', lane: 'monitor', fields: { id: 'u32', payload: 'bytes' },
    doc: 'The answer to a ping.',
  },
  clock_request: {
    ordinal: 43, from: 'core', to: 'any', lane: 'urgent', fields: { id: 'u32', t0: 'float' },
    doc: 'Clock-offset exchange: t0 is the sender’s time in nanoseconds.',
  },
  clock_reply: {
    ordinal: 44, from: 'any', to: 'core', lane: 'urgent', fields: { id: 'u32', t0: 'float', t1: 'float', t2: 'float' },
    doc: 't1: request received, t2: reply sent, on the replier’s clock. offset = ((t1−t0)+(t2−t3))/2.',
  },
  flood: {
    ordinal: 45, from: 'core', to: 'core', lane: 'bulk', fields: { stream: 'u32', number: 'u32', payload: 'bytes' },
    doc: 'Numbered load of a throughput measurement; the receiver checks the numbers.',
  },
  flood_end: {
    ordinal: 46, from: 'core', to: 'core', lane: 'bulk', fields: { stream: 'u32', count: 'u32' },
    doc: 'The last number of a stream was sent; the receiver answers with flood_result.',
  },
  flood_result: {
    ordinal: 47, from: 'core', to: 'core', lane: 'bulk', fields: { stream: 'u32', received: 'u32', lost: 'u32', doubled: 'u32', reordered: 'u32' },
    doc: 'What the receiver counted: a sound channel reports none lost, doubled or reordered.',
  },
  ring_token: {
    ordinal: 48, from: 'core', to: 'core', lane: 'monitor', fields: { run: 'u32', cores: 'u32s', place: 'u32', payload: 'bytes' },
    doc: 'A token on its way round `cores`, now at `place` of them: pass it to the next; at the first the round ends.',
  },
  round_request: {
    ordinal: 50, from: 'core', to: 'core', lane: 'monitor',
    fields: { op: 'str', view: 'u32', phase: 'u32', kind: 'u32', below: 'route', payload: 'bytes' },
    doc: 'One phase of an agreement round: act, pass it on to the subtrees `below` in order, answer when all below have.',
  },
  round_reply: {
    ordinal: 51, from: 'core', to: 'core', lane: 'monitor',
    fields: { op: 'str', phase: 'u32', count: 'u32', refusals: 'answers', data: 'floats' },
    doc: 'The aggregated answer of a subtree: how many cores answered, which refused with what, and what they tell beside.',
  },
} as const satisfies Record<string, MessageSpec>;
