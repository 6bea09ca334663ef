import type { Capability } from '../../capability/model/capability.ts';
import { decodeCapability, encodeCapability, isMalformed } from '../../capability/model/capability-codec.ts';
import { decodeNumbers, encodeNumbers, type PayloadCodec } from '../agreement/envelope.ts';

/** The payload of every round about a capability: the capability, and the operation's own numbers. */
export interface CapabilityPayload {
  readonly capability: Capability;
  readonly rest: readonly number[];
}

/** Encoded as numbers: [capability's length, …, rest …]. */
export const CAPABILITY_PAYLOAD: PayloadCodec<CapabilityPayload> = {
  encode({ capability, rest }) {
    const wire = encodeCapability(capability);
    return encodeNumbers([wire.length, ...wire, ...rest]);
  },
  decode(bytes) {
    const numbers = decodeNumbers(bytes);
    const [length] = numbers ?? [];
    if (numbers === null || length === undefined || length < 0 || length >= numbers.length) return null;
    const capability = decodeCapability(numbers.slice(1, length + 1));
    return isMalformed(capability) ? null : { capability, rest: numbers.slice(length + 1) };
  },
};
