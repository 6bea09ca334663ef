import { outputLines } from '@mk/libmk/dispatcher/output-lines';
import { shellWord } from '@mk/machine/shell-line';
import { known } from '@mk/monitor-proto/assert';
import type { RunOptions, RunResult } from '../engine/run-scenario.ts';
import type { ProgramLoad, Scenario } from '../engine/scenario.ts';
import { bounded } from '../io/bounded.ts';
import { scenarioOf } from '../nemesis/nemesis.ts';
import { VmPrograms } from '../programs/io/vm-programs.ts';
import type { CommandContext, SimProgram } from './context.ts';
import { OptionError, type SimRequest, USUAL_LIMIT_NS } from './options.ts';

const DEFAULT_CORES = 4;

/** The options of a run for its program. */
export function programOptions(program: SimProgram): NonNullable<RunOptions['program']> {
  const { name, text, contextText } = program;
  return { name, text, world: new VmPrograms(contextText), bounded };
}

/** A seed's scenario with the program as its load: without faults, or with those of the nemesis. */
export function programScenario(seed: number, request: SimRequest, program: SimProgram): Scenario {
  const cores = request.cores ?? DEFAULT_CORES;
  const machine = request.machine ?? 'flat';
  const { faultsForNs, weights } = request;
  const wanted = request.nemesis || Object.keys(weights).length > 0 || faultsForNs !== null;
  const chosen = { cores, machine, weights, ...(faultsForNs !== null && { faultsForNs }) };
  const quiet: Scenario = { seed, cores, machine, faults: [], load: [], faultsForNs: 0 };
  const scenario = wanted ? { ...scenarioOf(seed, chosen), load: [] } : quiet;
  return withProgram(scenario, request, program);
}

/** The scenario with the program as its load. */
export function withProgram(scenario: Scenario, request: SimRequest, program: SimProgram): Scenario {
  const { domains, name, asksForLines = false } = program;
  if (asksForLines && request.args.length === 0)
    throw new OptionError(
      `a simulation has no input: give ${name} its lines as arguments, as in mk-launch sim run ${name} -- help ps`,
    );
  const all = Array.from({ length: scenario.cores }, (_, core) => core);
  const missing = request.on?.find((core) => core >= scenario.cores);
  if (missing !== undefined)
    throw new OptionError(
      `--on: there is no core ${missing}; there are ${scenario.cores} (0 to ${scenario.cores - 1})`,
    );
  const cores = request.on ?? all;
  const each = domains === 'each' || (domains === 'named' && request.on !== null);
  const on = each ? cores : cores.slice(0, 1);
  const load: ProgramLoad = {
    program: known(request.program),
    args: request.args,
    cores,
    on,
    limitNs: request.limitNs,
  };
  return { ...scenario, load: [], program: load };
}

/**
 * Prints the program's output for people; `place` translates places of a stack trace into those of its source files.
 */
export function tellOutput(
  { output }: RunResult,
  say: (text: string) => void,
  place: (text: string) => string = (text) => text,
): void {
  for (const { core, domain, text } of output) say(outputLines(core, domain, place(text)));
}

/** Throws OptionError with what the program says of its arguments when that is how all its domains ended. */
export function checkArguments({ ends, output }: RunResult, { wrongArguments }: SimProgram): void {
  const refused = ends.filter(({ cause, status }) => cause === 'exited' && status === wrongArguments);
  const said = output.filter(({ domain, stream }) => stream === 'err' && domain === refused[0]?.domain);
  if (refused.length > 0 && refused.length === ends.length && said.length > 0)
    throw new OptionError(said.map(({ text }) => text).join('\n'));
}

/** The options and arguments of a command line that concern the program. */
export function programWords({ program, args, on, nemesis, limitNs }: SimRequest): readonly string[] {
  if (program === null) return [];
  return [
    ...(on === null ? [] : [`--on ${on.join(',')}`]),
    ...(nemesis ? ['--nemesis'] : []),
    ...(limitNs === USUAL_LIMIT_NS ? [] : [`--limit ${limitNs / 1e6}ms`]),
    ...(args.length === 0 ? [] : ['--', ...args.map(shellWord)]),
  ];
}

/** The program of a run that is repeated from a file. */
export function programOf(context: CommandContext, scenario: Scenario): SimProgram | null {
  if (scenario.program === undefined) return null;
  if (context.program === null)
    throw new OptionError(`the scenario is about ${scenario.program.program}, which could not be read`);
  return context.program;
}
