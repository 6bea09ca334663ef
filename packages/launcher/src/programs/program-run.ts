import { known } from '@mk/monitor-proto/assert';
import { coresUp, type Cores } from '../client/cores.ts';
import type { DomainStatus } from '@mk/libmk/dispatcher/domain-status';
import { loadProgram, spawnDomain, waitForDomain } from '@mk/libmk/io/domains';
import { CommandError } from '../cli/usage-error.ts';
import { type BundledProgram, inSources } from './bundle.ts';
import type { Domains } from './shipped.ts';

/** What a command runs: a file of the user's, or what ships. */
export interface NamedProgram extends BundledProgram {
  readonly domains: Domains;
}

/** Where a run is, and what its program is given. */
export interface RunRequest {
  readonly program: NamedProgram;
  /** Cores that it may use: `mk.env.CORES`. */
  readonly cores: readonly number[];
  /** A domain on each of these, the first of which is the home of the text. */
  readonly on: readonly number[];
  readonly args: readonly string[];
}

/** The cores of a run; `named` are those of `--on`, null without it. */
export async function placesOf(
  cluster: Cores,
  { domains }: NamedProgram,
  named: readonly number[] | null,
): Promise<Pick<RunRequest, 'cores' | 'on'>> {
  const up = await coresUp(cluster);
  const down = named?.find((core) => !up.includes(core));
  if (down !== undefined) throw new CommandError(`core ${down} is not up; mkctl cores lists those that are`);
  const cores = named ?? up;
  if (cores.length === 0) throw new CommandError('no core is up');
  const each = domains === 'each' || (domains === 'named' && named !== null);
  return { cores, on: each ? cores : cores.slice(0, 1) };
}

/** Gives the program to its first core, begins its domains, tells their names, and resolves when all have ended. */
export async function runDomains(
  cluster: Cores,
  { program, cores, on, args }: RunRequest,
  begun: (domain: string) => void,
): Promise<readonly DomainStatus[]> {
  const home = known(on[0]);
  await loadProgram(cluster, home, program.name, program.text);
  return Promise.all(
    on.map(async (core) => {
      const request = { program: program.name, core, args, environment: { CORES: cores.join(',') } };
      const domain = await spawnDomain(cluster, home, request);
      begun(domain);
      return waitForDomain(cluster, domain, { patient: true });
    }),
  );
}

/** The exit status of a run: the highest of its domains'. */
export function statusOf(statuses: readonly DomainStatus[]): number {
  return Math.max(...statuses.map(({ status }) => status & 255));
}

/** How a domain that failed ended, with places of the program's own files. */
export function describeEnd({ domain, cause, text }: DomainStatus, program: BundledProgram): string {
  return `${program.name} (${domain}) ended with ${cause}${text === '' ? '' : `: ${inSources(text, program)}`}`;
}
