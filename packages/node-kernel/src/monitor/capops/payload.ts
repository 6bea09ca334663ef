import type { Capability } from '../../capability/model/capability.ts';
import { decodeCapability, encodeCapability, isMalformed } from '../../capability/model/capability-codec.ts';
import { type CoreSet, isCoreSet } from './core-set.ts';

/** What every round about a capability carries: whom it asks, the capability, and numbers of the operation's own. */
export interface CapabilityPayload {
  /** The initiator and everybody whom it asks: who knows of one more must refuse (J2, race 11). */
  readonly members: CoreSet;
  /** The round's number at its initiator, and the lowest of a round of the initiator's that is not over (M4). */
  readonly round: number;
  readonly oldest: number;
  readonly capability: Capability;
  readonly rest: readonly number[];
}

const BYTES = 8;

/** The payload as bytes: [words of members, …, round, oldest, capability's length, …, rest …], each a double, little end first. */
export function encodePayload({ members, round, oldest, capability, rest }: CapabilityPayload): Uint8Array {
  const wire = encodeCapability(capability);
  const numbers = [members.length, ...members, round, oldest, wire.length, ...wire, ...rest];
  const view = new DataView(new ArrayBuffer(numbers.length * BYTES));
  for (let i = 0; i < numbers.length; i += 1) view.setFloat64(i * BYTES, numbers[i]!, true);
  return new Uint8Array(view.buffer);
}

/** The payload in bytes that a peer sent, or null when they hold none. */
export function decodePayload(bytes: Uint8Array): CapabilityPayload | null {
  const numbers = safeIntegersOf(bytes);
  if (numbers === null) return null;
  const count = numbers[0] ?? -1;
  const wireAt = count + 4;
  if (count < 0 || wireAt > numbers.length) return null;
  const restAt = wireAt + numbers[wireAt - 1]!;
  if (restAt < wireAt || restAt > numbers.length) return null;
  const members = numbers.slice(1, count + 1);
  const capability = decodeCapability(numbers.slice(wireAt, restAt));
  if (!isCoreSet(members) || isMalformed(capability)) return null;
  return { members, round: numbers[count + 1]!, oldest: numbers[count + 2]!, capability, rest: numbers.slice(restAt) };
}

function safeIntegersOf(bytes: Uint8Array): number[] | null {
  if (bytes.length % BYTES !== 0) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const numbers: number[] = [];
  for (let at = 0; at < bytes.length; at += BYTES) {
    const value = view.getFloat64(at, true);
    if (!Number.isSafeInteger(value)) return null;
    numbers.push(value);
  }
  return numbers;
}
