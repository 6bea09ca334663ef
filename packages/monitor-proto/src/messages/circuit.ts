import type { MessageSpec } from './spec.ts';

/**
 * Between monitors: channels of programs. Ordinals 240–259. A circuit is one channel’s passage over one link, numbered
 * by the end that opens it: even by the lower core id, odd by the other. A channel across intermediate cores is a chain
 * of circuits. All share one lane, so that a circuit's messages keep their order.
 */
export const CIRCUIT_MESSAGES = {
  circuit_open: {
    ordinal: 240,
    from: 'core',
    to: 'core',
    lane: 'bulk',
    fields: {
      circuit: 'u32',
      origin: 'u32',
      end: 'u32',
      route: 'u32s',
      port: 'u32',
      interface: 'str',
      window: 'u32',
    },
    doc: 'A program of core `origin` binds to a port; route: the cores still ahead, empty at the port’s own core. end: its end there.',
  },
  circuit_opened: {
    ordinal: 241,
    from: 'core',
    to: 'core',
    lane: 'bulk',
    fields: { circuit: 'u32', end: 'u32' },
    doc: 'The port has accepted the channel, with this end; data may follow in both directions.',
  },
  circuit_data: {
    ordinal: 242,
    from: 'core',
    to: 'core',
    lane: 'bulk',
    fields: { circuit: 'u32', caps: 'u32s', payload: 'bytes' },
    doc: 'Messages of a program; their capabilities lie at these addresses of the receiver. No payload: the receiver drops the capabilities.',
  },
  circuit_credit: {
    ordinal: 243,
    from: 'core',
    to: 'core',
    lane: 'bulk',
    fields: { circuit: 'u32', taken: 'float' },
    doc: 'Bytes that the receiving program has taken since the channel began.',
  },
  circuit_close: {
    ordinal: 244,
    from: 'core',
    to: 'core',
    lane: 'bulk',
    fields: { circuit: 'u32', error: 'u32' },
    doc: 'The circuit is over at the sender, for this reason; everything before it counts.',
  },
} as const satisfies Record<string, MessageSpec>;
