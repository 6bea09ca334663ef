import { known } from '@mk/monitor-proto/assert';
import { coresUp, type Cores } from '../client/cores.ts';
import type { DomainStatus } from '@mk/libmk/dispatcher/domain-status';
import { loadProgram, spawnDomain, waitForDomain } from '@mk/libmk/io/domains';
import { CommandError } from '../cli/usage-error.ts';
import { type BundledProgram, inSources } from './bundle.ts';
import type { Domains } from './shipped.ts';

/** The program of a command: a user's file, or one that ships. */
export interface NamedProgram extends BundledProgram {
  readonly domains: Domains;
}

/** Where a run takes place, and what its program is given. */
export interface RunRequest {
  readonly program: NamedProgram;
  /** Cores that it may use: `mk.env.CORES`. */
  readonly cores: readonly number[];
  /** A domain on each of these; the program's text goes to the first. */
  readonly on: readonly number[];
  readonly args: readonly string[];
}

/** The cores of a run; `named` are those of `--on`, null without it. */
export async function placesOf(
  cluster: Cores,
  { domains }: NamedProgram,
  named: readonly number[] | null,
): Promise<Pick<RunRequest, 'cores' | 'on'>> {
  const cores = await namedOrUp(cluster, named);
  if (cores.length === 0) throw new CommandError('no core is up');
  const each = domains === 'each' || (domains === 'named' && named !== null);
  return { cores, on: each ? cores : cores.slice(0, 1) };
}

/** The named cores, which must be up; by default all that are up. */
export async function namedOrUp(cluster: Cores, named: readonly number[] | null): Promise<readonly number[]> {
  const up = await coresUp(cluster);
  const down = named?.find((core) => !up.includes(core));
  if (down !== undefined) throw new CommandError(`core ${down} is not up; mkctl cores lists those that are`);
  return named ?? up;
}

/** Gives the program to its first core, begins its domains, reports their names, and resolves when all have ended. */
export async function runDomains(
  cluster: Cores,
  request: RunRequest,
  begun: (domain: string) => void,
): Promise<readonly DomainStatus[]> {
  return Promise.all(await beginDomains(cluster, request, begun));
}

/**
 * Like `runDomains`, but with a separate end for each domain: one may fail, as when its home is lost, and the others go
 * on.
 */
export async function beginDomains(
  cluster: Cores,
  { program, cores, on, args }: RunRequest,
  begun: (domain: string) => void,
): Promise<readonly Promise<DomainStatus>[]> {
  const home = known(on[0]);
  await loadProgram(cluster, home, program.name, program.text);
  return on.map(async (core) => {
    const request = { program: program.name, core, args, environment: { CORES: cores.join(',') } };
    const domain = await spawnDomain(cluster, home, request);
    begun(domain);
    return waitForDomain(cluster, domain, { patient: true });
  });
}

/** The exit status of a run: the highest of its domains'. */
export function statusOf(statuses: readonly DomainStatus[]): number {
  return Math.max(...statuses.map(({ status }) => exitStatusOf(status)));
}

/** A domain's status as that of a process, which has eight bits: a nonzero status stays nonzero. */
export function exitStatusOf(status: number): number {
  return status === 0 ? 0 : status & 255 || 1;
}

/** How a domain ended, with places in the program's own files. */
export function describeEnd({ domain, cause, status, text }: DomainStatus, program: BundledProgram): string {
  if (cause === 'exited') return `${program.name} (${domain}) exited with ${status}`;
  return `${program.name} (${domain}) ended with ${cause}${text === '' ? '' : `: ${inSources(text, program)}`}`;
}
