import { type FaultPlan, parseFaultPlan } from '@mk/machine/fault-plan';
import { readText } from '@mk/machine/io/load';
import { visible } from '@mk/machine/one-line';
import { askedOfPlan } from '@mk/machine/report/asked';
import { keepRun, runsFolder } from '@mk/machine/report/io/kept-reports';
import { RUNS_TOLD } from '@mk/machine/report/limits';
import type { RunReport, SeedRow } from '@mk/machine/report/run-report';
import { known } from '@mk/monitor-proto/assert';
import { type RunOptions, type RunResult, runScenario } from '../engine/run-scenario.ts';
import type { Scenario } from '../engine/scenario.ts';
import { wallTime } from '../io/files.ts';
import { RunReporter } from '../trace/run-reporter.ts';
import type { CommandContext } from './context.ts';
import { must, type SimRequest } from './options.ts';
import { repeatCommand } from './repeat-command.ts';
import type { KeptReport } from './seed-totals.ts';

/** Reads the plan of `--plan`; its faults are reported as mistakes in the options. */
export function givenPlan(file: string): { readonly text: string; readonly plan: FaultPlan } {
  const text = must('--plan', readText(file));
  return { text, plan: must('', parseFaultPlan(text, visible(file))) };
}

/**
 * The report of a plan on virtual time. For one seed it is made while the seed runs; for several, the first that broke,
 * or else the first of all, runs again for it.
 */
export class PlanReports {
  private readonly startedAt = wallTime();
  private result: RunResult | null = null;
  private reporter: RunReporter | null = null;

  constructor(
    private readonly request: SimRequest,
    private readonly context: CommandContext,
    private readonly scenarios: readonly Scenario[],
  ) {}

  /** The options that make a scenario's run reported. */
  watch(scenario: Scenario): Partial<RunOptions> {
    if (this.scenarios.length > 1) return {};
    this.reporter = this.reporterOf(scenario);
    return this.reporter.options;
  }

  /** Takes the result of a run. */
  ran(result: RunResult): void {
    if (this.scenarios.length === 1) this.result = result;
  }

  /** The report, kept below the folder of runs. */
  keep(rows: readonly SeedRow[], options: RunOptions): KeptReport {
    const { request, context } = this;
    const report = this.report(rows, options);
    const files = { 'plan.yaml': givenPlan(known(request.plan)).text };
    const kept = keepRun(runsFolder(request.runs), report, { files });
    if (!kept.ok) context.terminal.error(`mk-launch sim: ${kept.error}`);
    return { report, folder: kept.ok ? kept.value : null };
  }

  private report(rows: readonly SeedRow[], options: RunOptions): RunReport {
    const place = this.context.program?.inSources ?? ((text: string) => text);
    if (this.result !== null && this.reporter !== null) return this.reporter.finish(this.result, [], place);
    const index = ['broke', 'unknown']
      .map((verdict) => rows.findIndex((row) => row.verdict === verdict))
      .find((i) => i >= 0);
    const scenario = known(this.scenarios[index ?? 0]);
    const reporter = this.reporterOf(scenario);
    const result = runScenario(scenario, { ...options, ...reporter.options });
    const told = rows.toSorted((a, b) => Number(a.verdict === 'held') - Number(b.verdict === 'held'));
    return reporter.finish(result, told.slice(0, RUNS_TOLD), place);
  }

  private reporterOf(scenario: Scenario): RunReporter {
    const { request } = this;
    const { seed, machine, cores } = scenario;
    const chosen = { what: `plan ${request.plan}`, repeat: repeatCommand(request, scenario), machine, cores };
    const asked = askedOfPlan(givenPlan(known(request.plan)).plan, { ...chosen, seed: String(seed) });
    return new RunReporter(asked, this.startedAt);
  }
}
