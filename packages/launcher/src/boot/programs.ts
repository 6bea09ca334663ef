import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CommandError } from '../cli/usage-error.ts';

/** The folder of the bundles: the running program's own, with links resolved (npm links its commands). */
export function programDirectory(): string {
  return dirname(realpathSync(process.argv[1] ?? '.'));
}

/** The program of a core's process, through the code-cache loader if there is one. */
export function coreProgram(directory: string = programDirectory()): string {
  return program(directory, 'boot-core.cjs', 'core.cjs');
}

/** The program of the SKB's process. */
export function skbProgram(directory: string = programDirectory()): string {
  return program(directory, 'boot-skb.cjs', 'skb.cjs');
}

function program(directory: string, ...candidates: readonly string[]): string {
  const found = candidates.map((name) => join(directory, name)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new CommandError(`${candidates.at(-1)} is not in ${directory}; build it with npm run build`, 2);
}
