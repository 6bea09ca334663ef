import type { AtomicOperation, AtomicRequest } from './messages.ts';

/** Each operation's new value, before it is cut to 64 bits. */
const OPERATIONS: { readonly [O in AtomicOperation]: (old: bigint, operand: bigint, expected: bigint) => bigint } = {
  add: (old, operand) => old + operand,
  swap: (_, operand) => operand,
  compare_and_swap: (old, operand, expected) => (old === expected ? operand : old),
  and: (old, operand) => old & operand,
  or: (old, operand) => old | operand,
};

/** Performs an atomic operation on 8 bytes, little endian, unsigned; returns the previous value. */
export function performAtomic(bytes: Uint8Array, { operation, offset, operand, expected }: AtomicRequest): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const old = view.getBigUint64(offset, true);
  view.setBigUint64(offset, BigInt.asUintN(64, OPERATIONS[operation](old, operand, expected)), true);
  return old;
}
