import type { FieldKind } from './fields.ts';

/** The lanes of a channel, most urgent first. Order holds within a lane, not between lanes. */
export const LANES = ['urgent', 'monitor', 'bulk'] as const;
export type Lane = (typeof LANES)[number];

/** Who sends and who receives a message. */
export type Party = 'core' | 'skb' | 'client' | 'any';

/** One row of the message table. */
export interface MessageSpec {
  /** Never changes, and a retired one is not given to another message. */
  readonly ordinal: number;
  readonly from: Party;
  readonly to: Party;
  readonly lane: Lane;
  readonly fields: Readonly<Record<string, FieldKind>>;
  readonly doc: string;
}
