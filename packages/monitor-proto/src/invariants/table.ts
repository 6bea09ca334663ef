import { LINK_INVARIANTS } from './links.ts';
import { CAPABILITY_INVARIANTS } from './capabilities.ts';
import { PROGRAM_INVARIANTS } from './programs.ts';
import { KNOWLEDGE_INVARIANTS } from './knowledge.ts';
import { HOST_INVARIANTS } from './hosts.ts';
import type { InvariantSpec } from './spec.ts';

const PARTS = [
  LINK_INVARIANTS,
  CAPABILITY_INVARIANTS,
  PROGRAM_INVARIANTS,
  KNOWLEDGE_INVARIANTS,
  HOST_INVARIANTS,
] as const;

/**
 * Every invariant by its number, which means one thing. Append a new one to its part; a retired one keeps its row with
 * the word “retired”. Headers, assertions, checkers and tests cite the numbers.
 */
export const INVARIANTS = {
  ...LINK_INVARIANTS,
  ...CAPABILITY_INVARIANTS,
  ...PROGRAM_INVARIANTS,
  ...KNOWLEDGE_INVARIANTS,
  ...HOST_INVARIANTS,
} as const satisfies Readonly<Record<string, InvariantSpec>>;

export type InvariantName = keyof typeof INVARIANTS;

if (PARTS.reduce((sum, part) => sum + Object.keys(part).length, 0) !== Object.keys(INVARIANTS).length)
  throw new Error('the number of an invariant is used twice');
