import { keysOf } from '@mk/monitor-proto/tables';

/** Rights are a bit mask; `mint` can only clear bits, and every use of a capability checks the bits that it needs. */
export const RIGHTS = { read: 1, write: 2, execute: 4, grant: 8, identify: 16 } as const;

export type RightName = keyof typeof RIGHTS;

export const ALL_RIGHTS = 31;

/** Whether `held` contains every bit of `needed`. */
export function hasRights(held: number, needed: number): boolean {
  return (held & needed) === needed;
}

/** The names of the bits of `mask`, in the order of the table above. */
export function rightNames(mask: number): RightName[] {
  return keysOf(RIGHTS).filter((name) => (mask & RIGHTS[name]) !== 0);
}
