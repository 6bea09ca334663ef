import { known } from '@mk/monitor-proto/assert';
import type { Nanos } from '@mk/monitor-proto/ids';
import { parseFaultPlan } from '@mk/machine/fault-plan';
import { fastMac } from '../engine/fast-mac.ts';
import { readTextFile, rssBytes, wallMs, writeText } from '../io/files.ts';
import { hmacSha256 } from '../io/hmac.ts';
import { machineCores, simMachine } from '../io/load-machine.ts';
import { scenarioOf } from '../nemesis/nemesis.ts';
import { must, OptionError, type SimRequest } from './options.ts';
import { scenarioOfPlan } from '../nemesis/plan-scenario.ts';
import { runScenario, type RunOptions, type RunResult } from '../engine/run-scenario.ts';
import { runTwice } from '../engine/run-seed.ts';
import { describeFault, type Scenario } from '../engine/scenario.ts';
import { shrink } from '../nemesis/shrink.ts';
import { chromeTrace } from '../trace/chrome-trace.ts';
import { PageRecorder } from '../trace/page-recorder.ts';
import { TraceRecorder } from '../trace/recorder.ts';
import { runDiagram } from '../trace/run-diagram.ts';
import { select } from '../trace/selection.ts';
import type { CommandContext } from './context.ts';
import {
  programOf,
  programOptions,
  programScenario,
  programWords,
  shellWord,
  tellOutput,
  withProgram,
} from './program-scenario.ts';

/** From so many cores on handshakes are a large part of the work: they take the cheaper hash. */
const MANY_CORES = 64;

/** Lines of output that a run's report holds. */
const OUTPUT_TOLD = 1000;

interface Totals {
  seeds: number;
  failed: number[];
  unknown: number[];
  steps: number;
  frames: number;
  dropped: number;
  virtualNs: Nanos;
  readonly outcomes: Record<string, number>;
  readonly runs: RunReport[];
}

/** What a run came to, for machines. */
interface RunReport {
  readonly seed: Scenario['seed'];
  readonly trace_hash: string;
  /** Turns of programs. */
  readonly turns?: number;
  readonly domains?: RunResult['ends'];
  readonly output?: RunResult['output'];
}

/** `mk-launch sim`: runs seeds under the nemesis or a fault plan and judges them. 0 held, 1 broke, 2 unknown. */
export function runNemesisCommand(request: SimRequest, context: CommandContext): number {
  const { terminal } = context;
  const options = runOptions(request, context);
  const scenarios = scenariosOf(request, context);
  const totals: Totals = {
    seeds: 0,
    failed: [],
    unknown: [],
    steps: 0,
    frames: 0,
    dropped: 0,
    virtualNs: 0,
    outcomes: {},
    runs: [],
  };
  const startedAt = wallMs();
  const reports: unknown[] = [];
  // The seed comes first, so that it is known whatever happens.
  if (!request.json)
    terminal.out(
      `seed ${scenarios
        .map(({ seed }) => seed)
        .filter((_, i) => i === 0 || i === scenarios.length - 1)
        .join(' to ')}`,
    );
  for (const scenario of scenarios) {
    terminal.progress(
      `seed ${scenario.seed}: ${totals.seeds} of ${request.seeds} done, ${totals.failed.length} failed`,
    );
    const result = (request.once ? runScenario : runTwice)(scenario, options);
    add(totals, result);
    if (context.program !== null && !request.json && scenarios.length === 1) tellOutput(result, terminal.out);
    if (result.violations.length > 0 || result.inconclusive !== null) {
      terminal.progress('');
      reports.push(explain(result, request, context, options));
    }
  }
  terminal.progress('');
  if (wantsTrace(request) && reports.length === 0)
    writeTrace(
      known((scenarios.length === 1 ? scenarios : scenariosOf({ ...request, seeds: 1 }, context))[0]),
      request,
      options,
      context,
    );
  if (request.record !== null) record(known(scenarios[0]), request.record, options, context, request.json);
  summarise(totals, request, context, wallMs() - startedAt, known(scenarios[0]).seed, reports);
  if (totals.failed.length > 0) return 1;
  return totals.unknown.length > 0 ? 2 : 0;
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
    const scenario = JSON.parse(must('--replay', readTextFile(request.replay))) as Scenario;
    programOf(context, scenario);
    return [scenario];
  }
  const seeds = Array.from({ length: request.seeds }, (_, i) => request.seed + i);
  if (request.plan === null && program !== null) return seeds.map((seed) => programScenario(seed, request, program));
  if (request.plan === null) return seeds.map((seed) => scenarioOf(seed, nemesisOptions(request)));
  const plan = must('', parseFaultPlan(must('--plan', readTextFile(request.plan)), request.plan));
  const chosen = request.seedGiven || request.seeds > 1 ? seeds : [null];
  const machine = request.machine ?? plan.machine;
  const whole = machine === null ? null : must('--machine', machineCores(machine, machinesDirectory));
  const cores = request.cores ?? plan.cores ?? whole;
  return chosen.map((seed) => {
    const scenario = must(`--plan ${request.plan}`, scenarioOfPlan(plan, { seed, cores, machine: request.machine }));
    return program === null ? scenario : withProgram(scenario, request, program);
  });
}

function nemesisOptions({ cores, machine, weights, faultsForNs }: SimRequest): Parameters<typeof scenarioOf>[1] {
  return {
    weights,
    ...(cores !== null && { cores }),
    ...(machine !== null && { machine }),
    ...(faultsForNs !== null && { faultsForNs }),
  };
}

function add(totals: Totals, result: RunResult): void {
  totals.seeds += 1;
  if (result.violations.length > 0) totals.failed.push(Number(result.scenario.seed));
  else if (result.inconclusive !== null) totals.unknown.push(Number(result.scenario.seed));
  for (const name of ['steps', 'frames', 'dropped', 'virtualNs'] as const) totals[name] += result[name];
  for (const [outcome, count] of Object.entries(result.outcomes))
    totals.outcomes[outcome] = (totals.outcomes[outcome] ?? 0) + count;
  const { scenario, hash, turns, ends, output } = result;
  const program = scenario.program === undefined ? {} : { turns, domains: ends, output: output.slice(-OUTPUT_TOLD) };
  totals.runs.push({ seed: scenario.seed, trace_hash: hash, ...program });
}

/** Says what broke, shrinks and draws if asked to, and gives the one command that repeats it. */
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
    writeText(file, `${JSON.stringify(smallest, null, 1)}\n`);
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

function repeatCommand(request: SimRequest, scenario: Scenario): string {
  if (request.replay !== null) return `mk-launch sim --replay ${request.replay}`;
  const run = request.program === null ? '' : ` run ${shellWord(request.program)}`;
  const words = [`mk-launch sim${run}`, `--seed ${scenario.seed}`];
  if (request.plan !== null) words.push(`--plan ${request.plan}`);
  if (request.cores !== null) words.push(`--cores ${request.cores}`);
  if (request.machine !== null) words.push(`--machine ${request.machine}`);
  if (request.faultsForNs !== null) words.push(`--for ${request.faultsForNs / 1e6}ms`);
  if (Object.keys(request.weights).length > 0)
    words.push(
      `--weights ${Object.entries(request.weights)
        .map(([kind, weight]) => `${kind}=${weight}`)
        .join(',')}`,
    );
  return [...words, ...programWords(request)].join(' ');
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
    throw new OptionError(`--op: nobody tells of operation ${selection.op} in this run`);
  const written: string[] = [];
  const write = (file: string, text: string): void => {
    writeText(file, text);
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

/** The run once more, as the page would have been told of it. */
function record(
  scenario: Scenario,
  file: string,
  options: RunOptions,
  { terminal }: CommandContext,
  quiet: boolean,
): void {
  const recorder = new PageRecorder(scenario, options.machineOf(scenario));
  runScenario(scenario, { ...options, observers: [recorder], prepare: (simulation) => recorder.watch(simulation) });
  writeText(file, recorder.text());
  if (!quiet) terminal.out(`  wrote ${file}; mkctl ui --replay ${file} shows it`);
}

function summarise(
  totals: Totals,
  request: SimRequest,
  { terminal }: CommandContext,
  tookMs: number,
  firstSeed: Scenario['seed'],
  reports: readonly unknown[],
): void {
  const { seeds, failed, unknown, steps, frames, dropped, virtualNs, outcomes, runs } = totals;
  if (request.json) {
    terminal.out(
      JSON.stringify({
        first_seed: firstSeed,
        seeds,
        failed,
        unknown,
        steps,
        frames,
        dropped,
        virtual_seconds: virtualNs / 1e9,
        wall_seconds: tookMs / 1000,
        outcomes,
        reports,
        runs,
      }),
    );
    return;
  }
  const verdict =
    failed.length > 0
      ? `${failed.length} FAILED`
      : unknown.length > 0
        ? `${unknown.length} unknown`
        : 'all invariants held';
  terminal.out(
    `${seeds} seed${seeds === 1 ? '' : 's'}${request.once ? '' : ', each twice with the same trace'}: ${verdict}`,
  );
  terminal.out(
    `${(virtualNs / 1e9).toFixed(1)} s of virtual time in ${(tookMs / 1000).toFixed(1)} s; ${steps} steps, ${frames} frames, ${dropped} of them lost; ${Math.round(rssBytes() / 1e6)} MB`,
  );
  if (runs.length === 1) terminal.out(`trace ${known(runs[0]).trace_hash}`);
  if (request.program !== null) return;
  terminal.out(
    `requests: ${
      Object.entries(outcomes)
        .map(([outcome, count]) => `${count} ${outcome}`)
        .join(', ') || 'none'
    }`,
  );
}
