/*
 * What of an audit's findings nobody can judge: a core that crashed took its capabilities with it, and one that came back brings its
 * memory anew although others may still hold capabilities to it from before (decision 0089). Nobody who lived has done wrong.
 */
import { known } from '@mk/monitor-proto/assert';
import type { CoreSnapshot, Violation } from '@mk/node-kernel/capability/audit/audit-snapshot';
import { intersectRanges } from '@mk/node-kernel/capability/model/ranges';

/** The cores that are not as they were when the capabilities were made. */
export interface Gone {
  readonly absent: ReadonlySet<number>;
  /** By core: the life that it leads now. */
  readonly reborn: ReadonlyMap<number, number>;
}

/** A finding that only somebody who is gone explains, and who that is; null: any of those who are gone. */
export interface Loss extends Violation {
  readonly why: 'earlier_life' | 'absent_core' | 'owner_gone' | 'held_by_nobody';
  readonly of: number | null;
}

/** Parts what an audit found into what is wrong and what cannot be known. */
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
  if (memory === 'leaked') return { ...violation, why: 'held_by_nobody', of: null };
  const home = range === undefined ? undefined : homeOf(range, snapshots);
  if (range !== undefined && home === undefined && absent.size > 0)
    return { ...violation, why: 'absent_core', of: absent.size === 1 ? known([...absent][0]) : null };
  if (home !== undefined && reborn.has(home)) return { ...violation, why: 'earlier_life', of: home };
  const owner = owners.find((core) => absent.has(core) || reborn.has(core));
  return owner === undefined ? null : { ...violation, why: 'owner_gone', of: owner };
}

/** The core that brought the memory, of those that were asked. */
function homeOf(range: Loss['range'] & object, snapshots: readonly CoreSnapshot[]): number | undefined {
  return snapshots.find(({ memory }) => intersectRanges(memory, [range]).length > 0)?.core;
}

/** The losses for people: a line for each core that is gone, and what is said of it. */
export function describeLosses(losses: readonly Loss[], { absent, reborn }: Gone): readonly string[] {
  const count = (why: Loss['why'], of: number | null): number =>
    losses.filter((loss) => loss.why === why && loss.of === of).length;
  const ofCore = (core: number | null, who: string): readonly string[] => {
    const parts = [
      told(count('earlier_life', core), 'contradict', 'what others still hold of the memory of its earlier life'),
      told(count('absent_core', core), 'concern', 'memory that it brought'),
      told(count('owner_gone', core), 'name', 'it as owner'),
    ].filter((part) => part !== '');
    return parts.length === 0 ? [] : [`not judged, for ${who}: ${parts.join('; ')}`];
  };
  const leaked = count('held_by_nobody', null);
  const all = [...[...absent].map((core) => `core ${core}`), ...[...reborn].map(lifeText)].join(', ');
  return [
    ...[...absent].sort(byNumber).flatMap((core) => ofCore(core, `core ${core} is not there`)),
    ...[...reborn].sort(([a], [b]) => a - b).flatMap((row) => ofCore(row[0], `${lifeText(row)} lives anew`)),
    ...ofCore(null, 'several cores are not there'),
    ...(leaked === 0
      ? []
      : [
          `not judged: ${pieces(leaked)} of memory ${leaked === 1 ? 'is' : 'are'} held by nobody; whoever crashed may have had the only capability to ${leaked === 1 ? 'it' : 'them'} (${all})`,
        ]),
  ];
}

function lifeText([core, incarnation]: readonly [core: number, incarnation: number]): string {
  return `core ${core} (incarnation ${incarnation})`;
}

function told(count: number, verb: string, what: string): string {
  return count === 0 ? '' : `${count} ${count === 1 ? `finding ${verb}s` : `findings ${verb}`} ${what}`;
}

function pieces(count: number): string {
  return count === 1 ? '1 piece' : `${count} pieces`;
}

function byNumber(a: number, b: number): number {
  return a - b;
}
