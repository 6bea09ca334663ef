import type { MessageSpec } from './spec.ts';

/**
 * Between monitors: memory. Ordinals 200–229. Everything about one page travels on one lane, so that data and its
 * invalidation keep their order (memory.md).
 */
export const MEMORY_MESSAGES = {
  ram_steal_request: {
    ordinal: 200,
    from: 'core',
    to: 'core',
    lane: 'monitor',
    fields: { op: 'str', view: 'u32', bytes: 'int', alignment: 'int', from: 'int', to: 'int' },
    doc: 'A memory server that is dry asks a peer for free RAM between two addresses: this much at least, in one piece.',
  },
  ram_steal_reply: {
    ordinal: 201,
    from: 'core',
    to: 'core',
    lane: 'monitor',
    fields: { op: 'str', error: 'u32', address: 'int', size: 'int' },
    doc: 'The range is the receiver’s from now on, or an error.',
  },
  ram_steal_taken: {
    ordinal: 202,
    from: 'core',
    to: 'core',
    lane: 'monitor',
    fields: { op: 'str' },
    doc: 'The range lies in the sender’s allocator: its home accounts it no longer as on its way.',
  },
} as const satisfies Record<string, MessageSpec>;
