import { known } from '@mk/monitor-proto/assert';
import type { FaultPlan } from '@mk/machine/fault-plan';
import { fastMac } from '../engine/fast-mac.ts';
import { readText } from '@mk/machine/io/load';
import { visible } from '@mk/machine/one-line';
import { rssBytes, wallMs, writable, writeText } from '../io/files.ts';
import { hmacSha256 } from '../io/hmac.ts';
import { machineCores, simMachine } from '../io/load-machine.ts';
import { scenarioOf } from '../nemesis/nemesis.ts';
import { must, OptionError, type SimRequest } from './options.ts';
import { programOfPlan, scenarioOfPlan } from '../nemesis/plan-scenario.ts';
import { runScenario, type RunOptions, type RunResult } from '../engine/run-scenario.ts';
import { runTwice } from '../engine/run-twice.ts';
import { describeFault, type Scenario } from '../engine/scenario.ts';
import { parseScenario, scenarioText } from '../nemesis/scenario-file.ts';
import { shrink } from '../nemesis/shrink.ts';
import { chromeTrace } from '../trace/chrome-trace.ts';
import { PageRecorder } from '../trace/page-recorder.ts';
import { TraceRecorder } from '../trace/recorder.ts';
import { runDiagram } from '../trace/run-diagram.ts';
import { select } from '../trace/selection.ts';
import type { SimTerminal } from '../io/terminal.ts';
import type { CommandContext } from './context.ts';
import { givenPlan, PlanReports } from './plan-reports.ts';
import { progressText, runProgress } from './progress.ts';
import { repeatCommand } from './repeat-command.ts';
import { add, emptyTotals, type JobAnswer, type Jobs, type Judged, seedTotals, summarise } from './seed-totals.ts';
import {
  checkArguments,
  programOf,
  programOptions,
  programScenario,
  tellOutput,
  withProgram,
} from './program-scenario.ts';

/** With this many cores, handshakes are much of the work: they use the cheaper hash. */
const MANY_CORES = 64;

/** `mk-launch sim`: runs seeds under the nemesis or a fault plan and judges them. 0 held, 1 broke, 2 unknown. */
export function runNemesisCommand(request: SimRequest, context: CommandContext): number {
  const options = runOptions(request, context);
  const scenarios = scenariosOf(request, context);
  const tally = new Tally(scenarios, request, context);
  const reports = reportsOf(request, context, scenarios);
  for (const scenario of scenarios) {
    tally.progress(`seed ${scenario.seed}: `);
    tally.add(judge(scenario, request, context, options, reports));
  }
  return tally.end(options, rssBytes(), reports);
}

/** Like `runNemesisCommand`, on several processes; the output differs only in times and memory. */
export async function runNemesisJobs(request: SimRequest, context: CommandContext, jobs: Jobs): Promise<number> {
  const scenarios = scenariosOf(request, context);
  const count = Math.min(request.jobs === 'auto' ? jobs.usual : request.jobs, scenarios.length);
  if (count === 1) return runNemesisCommand(request, context);
  if (wantsTrace(request))
    throw new OptionError('--trace and --trace-events draw one seed: give them with --seed, without --jobs');
  const tally = new Tally(scenarios, request, context);
  tally.progress();
  // Answers wait for those of earlier seeds, so that they are printed in order.
  const early = new Map<number, JobAnswer>();
  const rss = new Map<number, number>();
  let next = 0;
  let [done, failed] = [0, 0];
  await jobs.run(count, scenarios, (index, answer, job) => {
    early.set(index, answer);
    rss.set(job, Math.max(rss.get(job) ?? 0, answer.rssBytes));
    done += 1;
    failed += answer.judged.totals.failed ? 1 : 0;
    for (let ready = early.get(next); ready !== undefined; ready = early.get(next)) {
      early.delete(next);
      next += 1;
      if (ready.lines.length > 0) context.terminal.progress('');
      ready.lines.forEach((line) => context.terminal.out(line));
      tally.add(ready.judged);
    }
    tally.progress('', done, failed);
  });
  return tally.end(
    runOptions(request, context),
    [...rss.values()].reduce((sum, bytes) => sum + bytes, rssBytes()),
    reportsOf(request, context, scenarios),
  );
}

/** A child process's share of `runNemesisJobs`: the answer holds what the parent prints. */
export function jobOf(
  request: SimRequest,
  context: Omit<CommandContext, 'terminal'>,
): (scenario: Scenario) => JobAnswer {
  const options = runOptions(request, { ...context, terminal: collectingTerminal([]) });
  return (scenario) => {
    const lines: string[] = [];
    const judged = judge(scenario, request, { ...context, terminal: collectingTerminal(lines) }, options);
    return { judged, lines, rssBytes: rssBytes() };
  };
}

function collectingTerminal(lines: string[]): SimTerminal {
  const out = (text: string): void => void lines.push(text);
  return { interactive: false, out, error: out, progress: () => undefined };
}

/** The results so far, and their output. */
class Tally {
  private readonly totals = emptyTotals();
  private readonly reports: unknown[] = [];
  private readonly startedAt = wallMs();

  constructor(
    private readonly scenarios: readonly Scenario[],
    private readonly request: SimRequest,
    private readonly context: CommandContext,
  ) {
    for (const file of [request.trace, request.traceEvents, request.record])
      if (file !== null) must('', writable(file)); // a thousand seeds later would be too late
    // The seed comes first, so that it is known whatever happens next.
    const ends = scenarios.map(({ seed }) => seed).filter((_, i) => i === 0 || i === scenarios.length - 1);
    if (!request.json) context.terminal.out(`seed ${ends.join(' to ')}`);
  }

  progress(before = '', done = this.totals.seeds, failed = this.totals.failed.length): void {
    const elapsedMs = wallMs() - this.startedAt;
    this.context.terminal.progress(`${before}${progressText(done, this.scenarios.length, failed, elapsedMs)}`);
  }

  add({ totals, report }: Judged): void {
    add(this.totals, totals);
    if (report !== null) this.reports.push(report);
  }

  /** Writes pictures, recording and summary; returns the exit status. */
  end(options: RunOptions, memoryBytes: number, planReports: PlanReports | null): number {
    const { totals, reports, scenarios, request, context } = this;
    const tookMs = wallMs() - this.startedAt;
    const first = known(scenarios[0]);
    context.terminal.progress('');
    if (wantsTrace(request) && reports.length === 0)
      writeTrace(
        scenarios.length === 1 ? first : known(scenariosOf({ ...request, seeds: 1 }, context)[0]),
        request,
        options,
        context,
      );
    if (request.record !== null) record(first, request.record, options, context, request.json);
    const kept = planReports?.keep(totals.rows, options) ?? null;
    summarise(totals, request, context.terminal, { tookMs, memoryBytes, firstSeed: first.seed, reports, kept });
    if (totals.failed.length > 0) return 1;
    return totals.unknown.length > 0 ? 2 : 0;
  }
}

/** Runs a scenario, and explains it if it did not hold. */
function judge(
  scenario: Scenario,
  request: SimRequest,
  context: CommandContext,
  options: RunOptions,
  reports: PlanReports | null = null,
): Judged {
  const watched = reports?.watch(scenario) ?? {};
  const told = context.terminal.interactive ? watching(scenario, options, context) : options;
  const result = request.once ? runScenario(scenario, { ...told, ...watched }) : runTwice(scenario, told, watched);
  if (context.program !== null) checkArguments(result, context.program);
  reports?.ran(result);
  const alone = request.replay !== null || request.seeds === 1;
  if (context.program !== null && !request.json && alone)
    tellOutput(result, context.terminal.out, context.program.inSources);
  const held = result.violations.length === 0 && result.inconclusive === null;
  if (!held) context.terminal.progress('');
  return { totals: seedTotals(result), report: held ? null : explain(result, request, context, options) };
}

/** On a terminal a seed that takes long says how far it is. */
function watching(scenario: Scenario, options: RunOptions, { terminal }: CommandContext): RunOptions {
  const tell = (text: string): void => terminal.progress(`seed ${scenario.seed}: ${text}`);
  return { ...options, observers: [...(options.observers ?? []), runProgress(tell, wallMs)] };
}

function runOptions({ cores }: SimRequest, { machinesDirectory, program }: CommandContext): RunOptions {
  const cache = new Map<string, ReturnType<RunOptions['machineOf']>>();
  return {
    ...(program !== null && { program: programOptions(program) }),
    hmac: (cores ?? 0) > MANY_CORES ? fastMac : hmacSha256,
    machineOf({ machine, cores }) {
      const key = `${machine} ${cores}`;
      let model = cache.get(key);
      if (model === undefined)
        cache.set(key, (model = must('--machine', simMachine(machine, cores, machinesDirectory)).model));
      return model;
    },
  };
}

function scenariosOf(request: SimRequest, context: CommandContext): readonly Scenario[] {
  const { machinesDirectory, program } = context;
  if (request.replay !== null) {
    const text = must('--replay', readText(request.replay));
    const scenario = must(`--replay ${visible(request.replay)}`, parseScenario(text));
    programOf(context, scenario);
    return [scenario];
  }
  const seeds = Array.from({ length: request.seeds }, (_, i) => request.seed + i);
  if (request.plan === null && program !== null) return seeds.map((seed) => programScenario(seed, request, program));
  if (request.plan === null) return seeds.map((seed) => scenarioOf(seed, nemesisOptions(request)));
  const { plan } = givenPlan(request.plan);
  const chosen = request.seedGiven || request.seeds > 1 ? seeds : [null];
  const machine = request.machine ?? plan.machine;
  const whole = machine === null ? null : must('--machine', machineCores(machine, machinesDirectory));
  const cores = request.cores ?? plan.cores ?? whole;
  return chosen.map((seed) => {
    const scenario = must(`--plan ${request.plan}`, scenarioOfPlan(plan, { seed, cores, machine: request.machine }));
    return program === null ? scenario : withProgram(scenario, ofPlan(request, plan), program);
  });
}

/** The report of the plan; null without a plan. */
function reportsOf(request: SimRequest, context: CommandContext, scenarios: readonly Scenario[]): PlanReports | null {
  return request.plan === null || request.replay !== null ? null : new PlanReports(request, context, scenarios);
}

/** The request with the plan's program, cores and arguments wherever the command line names none. */
function ofPlan(request: SimRequest, plan: FaultPlan): SimRequest {
  const workload = programOfPlan(plan);
  return request.program !== null || workload === null ? request : { ...request, ...workload };
}

function nemesisOptions({ cores, machine, weights, faultsForNs }: SimRequest): Parameters<typeof scenarioOf>[1] {
  return {
    weights,
    ...(cores !== null && { cores }),
    ...(machine !== null && { machine }),
    leases: true,
    ...(faultsForNs !== null && { faultsForNs }),
  };
}

/** Reports what broke, shrinks and draws it on request, and prints the one command that repeats it. */
function explain(result: RunResult, request: SimRequest, context: CommandContext, options: RunOptions): unknown {
  const { terminal } = context;
  const { scenario, violations, inconclusive } = result;
  const say = request.json ? () => undefined : terminal.out;
  say(`seed ${scenario.seed}: ${violations.length > 0 ? 'FAILED' : `unknown: ${inconclusive}`}`);
  const place = context.program?.inSources ?? ((text: string) => text);
  for (const { invariant, checker, text, at } of violations.slice(0, 5))
    say(`  ${invariant} (${checker}) at ${(at / 1e6).toFixed(3)} ms: ${place(text).replaceAll('\n', '\n  ')}`);
  let repeat = repeatCommand(request, scenario);
  let smallest = scenario;
  if (request.shrink && violations.length > 0) {
    const { invariant } = known(violations[0]);
    const shrunk = shrink(scenario, (candidate) =>
      runScenario(candidate, options).violations.some((v) => v.invariant === invariant),
    );
    smallest = shrunk.scenario;
    const file = `${request.trace ?? `sim-seed-${scenario.seed}`}.scenario.json`;
    must('--shrink', writeText(file, scenarioText(smallest)));
    repeat = `mk-launch sim --replay ${file}`;
    say(`  shrunk in ${shrunk.runs} runs to ${smallest.faults.length} faults and ${smallest.load.length} requests:`);
    for (const { atNs, action } of smallest.faults) say(`    ${(atNs / 1e6).toFixed(3)} ms  ${describeFault(action)}`);
    for (const { atNs, core, verb, args } of smallest.load)
      say(`    ${(atNs / 1e6).toFixed(3)} ms  core ${core} ${verb} ${JSON.stringify(args)}`);
  }
  if (wantsTrace(request)) writeTrace(smallest, request, options, context);
  say(`  repeat: ${repeat}`);
  return { seed: scenario.seed, violations, inconclusive, repeat };
}

function wantsTrace({ trace, traceEvents }: SimRequest): boolean {
  return trace !== null || traceEvents !== null;
}

function writeTrace(
  scenario: Scenario,
  { trace, traceEvents, selection, json }: SimRequest,
  options: RunOptions,
  { terminal }: CommandContext,
): void {
  const recorder = new TraceRecorder();
  runScenario(scenario, { ...options, observers: [recorder] });
  const selected = select(recorder, selection);
  if (selection.op !== null && selected.lines.length + selected.arrows.length === 0)
    throw new OptionError(`--op: operation ${selection.op} does not occur in this run`);
  const written: string[] = [];
  const write = (file: string, text: string): void => {
    must('--trace', writeText(file, text));
    written.push(file.endsWith('.json') ? `${file} (open it in Perfetto)` : file);
  };
  if (traceEvents !== null) write(traceEvents, chromeTrace(selected));
  if (trace !== null) {
    write(`${trace}.json`, chromeTrace(selected));
    write(`${trace}.svg`, runDiagram(selected, selection));
    write(`${trace}.log`, selected.lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }
  if (!json) terminal.out(`  wrote ${written.join(', ')}`);
}

/** Runs it again and records it for the page. */
function record(
  scenario: Scenario,
  file: string,
  options: RunOptions,
  { terminal }: CommandContext,
  quiet: boolean,
): void {
  const recorder = new PageRecorder(scenario, options.machineOf(scenario));
  runScenario(scenario, { ...options, observers: [recorder], prepare: (simulation) => recorder.watch(simulation) });
  must('--record', writeText(file, recorder.text()));
  if (!quiet) terminal.out(`  wrote ${file}; mkctl ui --replay ${file} shows it`);
}
