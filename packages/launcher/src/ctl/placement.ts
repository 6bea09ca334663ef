import type { Nanos } from '@mk/monitor-proto/ids';
import { formatDuration } from '@mk/machine/duration';
import type { SkbClient } from '@mk/libmk/io/skb-client';
import type { QueryOptions } from '@mk/monitor-proto/knowledge/query';
import { CommandError, UsageError } from '../cli/usage-error.ts';
import type { Args } from './context.ts';
import { plural } from '@mk/machine/counted';

/** `near` one another, or `far` apart. */
export type PlacementKind = 'near' | 'far';

/** Cores that the SKB chose, and its reasons. */
export interface Placement {
  readonly kind: PlacementKind;
  /** Ascending. */
  readonly cores: readonly number[];
  /** `best_found`: the search exceeded its budget. */
  readonly proof: 'optimal' | 'best_found';
  readonly packages: readonly number[];
  /** One-way time between the two that are farthest apart. */
  readonly farthestNs: Nanos;
}

/** `--near`, `--spread`, or neither. */
export function placementKind(args: Args): PlacementKind | null {
  if (args['near'] === true && args['spread'] === true) throw new UsageError('--near and --spread exclude each other');
  if (args['spread'] === true) return 'far';
  return args['near'] === true ? 'near' : null;
}

/** Asks the SKB for `count` running cores; a CommandError when there are not enough. */
export async function placeCores(
  skb: SkbClient,
  kind: PlacementKind,
  count: number,
  limits: QueryOptions,
): Promise<Placement> {
  const goal = `cores(Available), place(${kind}, ${count}, Available, Cores, Proof), !, placed(Cores, Packages, FarthestNs)`;
  const { solutions } = await skb.queryAll(goal, limits);
  const found = solutions[0]?.bindings as
    | {
        readonly Cores: number[];
        readonly Proof: Placement['proof'];
        readonly Packages: number[];
        readonly FarthestNs: Nanos;
      }
    | undefined;
  if (found === undefined) throw new CommandError(`there are not ${count} running cores; mkctl cores lists them`);
  const { Cores: cores, Proof: proof, Packages: packages, FarthestNs: farthestNs } = found;
  return { kind, cores, proof, packages, farthestNs };
}

/** One line: where, who chose it, and why. */
export function describePlacement({ kind, cores, proof, packages, farthestNs }: Placement): string {
  const where = `cores ${cores.join(' ')} in ${plural(packages.length, 'package')} ${packages.join(' ')}`;
  const why = kind === 'near' ? 'the least way between all pairs' : 'as many packages as can be';
  const sure = proof === 'optimal' ? '' : ', the best that was found in time';
  const reach = cores.length < 2 || farthestNs < 1 ? '' : `; the farthest two are ${formatDuration(farthestNs)} apart`;
  return `the SKB chose ${where} (${kind === 'near' ? 'near' : 'spread'}: ${why}${sure})${reach}`;
}
