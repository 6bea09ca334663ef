/*
 * Audit findings that nobody can judge: a crashed core took its capabilities with it, and one that came back
 * contributes its memory again although others may still hold earlier capabilities to it (decision 0089). No survivor
 * has done wrong.
 */
import { known } from '@mk/monitor-proto/assert';
import { intersectRanges } from '../model/ranges.ts';
import type { CoreSnapshot, Violation } from './audit-snapshot.ts';

/** The cores whose life ended after the capabilities were made. */
export interface Gone {
  readonly absent: ReadonlySet<number>;
  /** By core: its present incarnation. */
  readonly reborn: ReadonlyMap<number, number>;
}

/** A finding that only a core that is gone explains, and which one; null: any of those that are gone. */
export interface Loss extends Violation {
  readonly why: 'earlier_life' | 'absent_core' | 'owner_gone' | 'held_by_nobody';
  readonly of: number | null;
}

/** Splits an audit's findings into errors and what cannot be known. */
export function partLosses(
  found: readonly Violation[],
  snapshots: readonly CoreSnapshot[],
  gone: Gone,
): { readonly violations: readonly Violation[]; readonly losses: readonly Loss[] } {
  if (gone.absent.size + gone.reborn.size === 0) return { violations: found, losses: [] };
  const violations: Violation[] = [];
  const losses: Loss[] = [];
  for (const violation of found) {
    const loss = lossOf(violation, snapshots, gone);
    if (loss === null) violations.push(violation);
    else losses.push(loss);
  }
  return { violations, losses };
}

function lossOf(violation: Violation, snapshots: readonly CoreSnapshot[], { absent, reborn }: Gone): Loss | null {
  const { memory, owners = [], range } = violation;
  // Whoever heard of an end has dropped what it had from there, before it knew of a new life.
  if (memory === 'doubled') return null;
  if (memory === 'leaked') return { ...violation, why: 'held_by_nobody', of: null };
  const home = range === undefined ? undefined : homeOf(range, snapshots);
  if (range !== undefined && home === undefined && absent.size > 0)
    return { ...violation, why: 'absent_core', of: absent.size === 1 ? known([...absent][0]) : null };
  if (home !== undefined && reborn.has(home)) return { ...violation, why: 'earlier_life', of: home };
  const owner = owners.find((core) => absent.has(core) || reborn.has(core));
  return owner === undefined ? null : { ...violation, why: 'owner_gone', of: owner };
}

/** The core that contributed the memory, among those that were asked. */
function homeOf(range: Loss['range'] & object, snapshots: readonly CoreSnapshot[]): number | undefined {
  return snapshots.find(({ memory }) => intersectRanges(memory, [range]).length > 0)?.core;
}
