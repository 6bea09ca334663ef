import { known } from '../assert.ts';
import { codecOfWire } from '../messages/codec.ts';
import type { Batch } from '../urpc/frames.ts';

/** The fault in a frame's messages; null when all of them decode and travel on their lane. */
export function faultInMessages(batches: readonly Batch[]): string | null {
  for (let i = 0; i < batches.length; i++) {
    const { lane, messages } = known(batches[i]);
    for (let k = 0; k < messages.length; k++) {
      const wire = known(messages[k]);
      const codec = codecOfWire(wire);
      if (typeof codec === 'string') return codec;
      if (codec.lane !== lane) return `${codec.type} does not travel on lane ${lane}`;
      const fault = codec.fault(wire);
      if (fault !== null) return fault;
    }
  }
  return null;
}
