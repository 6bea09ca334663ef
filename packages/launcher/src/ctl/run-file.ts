import { keysOf } from '@mk/monitor-proto/tables';
import { PROGRAM_OPTIONS } from '../programs/program.ts';
import { outputLines } from '@mk/libmk/dispatcher/output-lines';
import type { DomainStatus } from '@mk/libmk/dispatcher/domain-status';
import { UsageError } from '../cli/usage-error.ts';
import { coreList } from '../cli/values.ts';
import { inSources, programNamed } from '../programs/bundle.ts';
import { OpenDomains, type ProgramLine } from '../programs/open-domains.ts';
import { describeEnd, placesOf, runDomains, type RunRequest, statusOf } from '../programs/program-run.ts';
import { type CtlContext, optional, printJson } from './context.ts';
import { followLogs } from './logs.ts';

/**
 * Runs a user's file: a domain on each core of `--on`, by default on the lowest core. Prints the programs' output as it
 * comes, with core and domain if there are several. The exit status is the highest of theirs.
 */
export async function runFile(context: CtlContext, file: string): Promise<number> {
  const { cluster, args } = context;
  for (const option of ['cores', 'near', 'spread', ...keysOf(PROGRAM_OPTIONS)])
    if (args[option] !== undefined && args[option] !== false)
      throw new UsageError(
        `--${option} is for the programs that ship; name the cores of your own by --on, and give it its options after --`,
      );
  const on = optional(args, 'on');
  const program = await programNamed(file);
  const places = await placesOf(cluster, program, on === undefined ? null : coreList('--on', on));
  const request = { program, ...places, args: argumentsOf(args) };
  const statuses = await runFollowed(context, request, (line, several) => {
    if (!context.json) printLine(context, line, several);
  });
  if (context.json) printJson(context, statuses);
  return statusOf(statuses);
}

/** Runs domains, passes on their output, and reports how failed ones ended. */
export async function runFollowed(
  context: CtlContext,
  request: RunRequest,
  print: (line: ProgramLine, several: boolean) => void,
): Promise<readonly DomainStatus[]> {
  const several = request.on.length > 1;
  const domains = new OpenDomains((line) => print({ ...line, text: inSources(line.text, request.program) }, several));
  const output = followLogs(context, (line) => domains.line(line), domains.over);
  output.catch(() => undefined); // awaited below; until then it must not count as unhandled
  const statuses = await runDomains(context.cluster, request, (domain) => domains.begun(domain));
  domains.haveBegun();
  await output;
  if (!context.json)
    for (const status of statuses)
      if (status.cause !== 'exited') context.terminal.error(describeEnd(status, request.program));
  return statuses;
}

export function printLine(
  { terminal }: CtlContext,
  { core, domain, text, isError }: ProgramLine,
  several: boolean,
): void {
  const told = several ? outputLines(core, domain, text) : text;
  if (isError) terminal.error(told);
  else terminal.out(told);
}

/** The arguments after the file and after `--`. */
export function argumentsOf(args: CtlContext['args']): readonly string[] {
  const list = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);
  return [...list(args['args']), ...list(args['--'])];
}
