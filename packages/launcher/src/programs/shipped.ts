import { nearest } from '@mk/machine/nearest';
import { UsageError } from '../cli/usage-error.ts';

/** Where a program's domains are: one on each core that it may use, or on those that `--on` names, or one that begins others. */
export type Domains = 'each' | 'one' | 'named';

/** A program that ships: packages/programs/src/NAME.ts, bundled by the build. */
export interface ShippedProgram {
  readonly name: string;
  readonly doc: string;
  readonly domains: 'each' | 'one';
}

export const SHIPPED: readonly ShippedProgram[] = [
  { name: 'hello', doc: 'says hello from each core', domains: 'each' },
];

/** The program of a name; a UsageError names the nearest. */
export function shippedProgram(name: string): ShippedProgram {
  const found = SHIPPED.find((program) => program.name === name);
  if (found !== undefined) return found;
  const names = SHIPPED.map((program) => program.name);
  const guess = nearest(name, names);
  throw new UsageError(
    `there is no program ${name}${guess === null ? '' : ` (did you mean ${guess}?)`}; there are ${names.join(', ')}, and files like ./my-program.ts`,
  );
}
