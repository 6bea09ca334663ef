import type { CoreId } from '@mk/monitor-proto/ids';
import type { Capability } from '../../capability/capability.ts';
import { decodeCapability, encodeCapability, isMalformed } from '../../capability/capability-codec.ts';

/** What every round about a capability carries: whom it asks, the capability, and numbers of the operation's own. */
export interface CapabilityPayload {
  /** The initiator and everybody whom it asks: who knows of one more must refuse (J2, race 11). */
  readonly members: readonly CoreId[];
  /** The round's number at its initiator, and the lowest of a round of the initiator's that is not over (M4). */
  readonly round: number;
  readonly oldest: number;
  readonly capability: Capability;
  readonly rest: readonly number[];
}

const BYTES = 8;

/** The payload as bytes: [members, …, round, oldest, capability's length, …, rest …], each a double, little end first. */
export function encodePayload({ members, round, oldest, capability, rest }: CapabilityPayload): Uint8Array {
  const wire = encodeCapability(capability);
  const numbers = [members.length, ...members, round, oldest, wire.length, ...wire, ...rest];
  const view = new DataView(new ArrayBuffer(numbers.length * BYTES));
  numbers.forEach((value, i) => view.setFloat64(i * BYTES, value, true));
  return new Uint8Array(view.buffer);
}

/** The payload in bytes that a peer sent, or null when they hold none. */
export function decodePayload(bytes: Uint8Array): CapabilityPayload | null {
  if (bytes.length % BYTES !== 0) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const numbers = Array.from({ length: bytes.length / BYTES }, (_, i) => view.getFloat64(i * BYTES, true));
  if (!numbers.every(Number.isSafeInteger)) return null;
  const count = numbers[0] ?? -1;
  const wireAt = count + 4;
  if (count < 0 || wireAt > numbers.length) return null;
  const restAt = wireAt + numbers[wireAt - 1]!;
  if (restAt < wireAt || restAt > numbers.length) return null;
  const capability = decodeCapability(numbers.slice(wireAt, restAt));
  if (isMalformed(capability)) return null;
  return { members: numbers.slice(1, count + 1), round: numbers[count + 1]!, oldest: numbers[count + 2]!, capability, rest: numbers.slice(restAt) };
}
