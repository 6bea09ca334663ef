import { nearest } from '@mk/machine/nearest';
import { UsageError } from '../cli/usage-error.ts';
import type { ProgramOption } from './program.ts';

/**
 * Where a program's domains are: on each core that it may use; on those that `--on` names; or on one, which begins
 * others.
 */
export type Domains = 'each' | 'one' | 'named';

/** A program that ships: packages/programs/src/NAME.ts, bundled by the build. */
export interface ShippedProgram {
  readonly name: string;
  readonly doc: string;
  readonly domains: 'each' | 'one';
  readonly fewestCores: number;
  /** Its own options, from `PROGRAM_OPTIONS`. */
  readonly takes: readonly ProgramOption[];
  /** Without arguments it waits for lines from the keyboard. */
  readonly asksForLines: boolean;
}

export const SHIPPED: readonly ShippedProgram[] = [
  row('hello', 'says hello from each core', 1, [], 'each'),
  row('ring', 'passes a token round the cores and times each round', 2, ['rounds', 'bytes']),
  row('pingpong', 'plays ping-pong between every two of the cores, one pair after the other', 2, ['rounds', 'bytes']),
  row('litmus', 'litmus tests of shared memory: outcomes counted, forbidden ones named', 2, ['runs']),
  row('unmap-bench', 'how long an unmap that concerns every core takes', 1, ['rounds']),
  row('share-bench', 'cores update a shared frame, or send the updates to one core', 2, ['rounds']),
  row('queue-bench', 'drives a core past saturation: latency and queue against load; mkctl bench queues draws it', 2, [
    'bytes',
  ]),
  row('disruption-bench', 'what an unmap costs the cores that it interrupts', 2, ['rounds']),
  row('churn', 'random capability operations on all cores, checked by an oracle', 1, ['operations', 'seconds']),
  row('shell', 'commands on a core: spawn, ps, kill, wait, ping, get, set; help says more', 1, []),
  row('bank', 'transfers between branches by two-phase commit: money is conserved, whoever crashes', 1, ['rounds']),
  row('kv', 'a replicated key-value store: counters under Octopus locks with fencing tokens', 1, ['rounds']),
  row('map-reduce', 'counts words by threads of one domain that spans the cores', 1, ['count']),
  row('shared-frame', 'one frame mapped on all cores: written on one, read on each, unmapped, and each faults', 1, []),
];

function row(
  name: string,
  doc: string,
  fewestCores: number,
  takes: readonly ProgramOption[],
  domains: 'each' | 'one' = 'one',
): ShippedProgram {
  return { name, doc, domains, fewestCores, takes, asksForLines: name === 'shell' };
}

/** Looks up a program; a UsageError suggests the nearest. */
export function shippedProgram(name: string, others: readonly { readonly name: string }[] = []): ShippedProgram {
  const found = SHIPPED.find((program) => program.name === name);
  if (found !== undefined) return found;
  const names = [...SHIPPED, ...others].map((program) => program.name);
  const guess = nearest(name, names);
  throw new UsageError(
    `there is no program ${name}${guess === null ? '' : ` (did you mean ${guess}?)`}; there are ${names.join(', ')}, and files like ./my-program.ts`,
  );
}
