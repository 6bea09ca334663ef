import type { FaultPlan } from '@mk/machine/fault-plan';
import { askedOfPlan } from '@mk/machine/report/asked';
import { type BesideReport, keepRun, keptIn } from '@mk/machine/report/io/kept-reports';
import { ReportBuilder } from '@mk/machine/report/report-builder';
import { keptLine, reportText } from '@mk/machine/report/report-text';
import type { RunReport, Verdict } from '@mk/machine/report/run-report';
import { shellLine } from '@mk/machine/shell-line';
import type { ClusterConfig } from '../boot/cluster-config.ts';
import type { Terminal } from '../cli/terminal.ts';
import { parseLine } from '../display/log-printer.ts';

/** A plan as given: its content, and its file. */
export interface GivenPlan {
  readonly file: string;
  readonly text: string;
  readonly plan: FaultPlan;
}

/** The exit status of a plan: 0 its expectations held, 1 one broke, 2 the run itself failed. */
export const PLAN_STATUS: Readonly<Record<Verdict, 0 | 1 | 2>> = { held: 0, broke: 1, unknown: 2 };

/** Where a report is kept: in a new folder below `runs`, or in one of its own. */
interface KeptWhere {
  readonly runs: string;
  readonly keepIn: string | null;
  readonly json: boolean;
}

/** The report of a plan on real processes: made, kept and shown. */
export class PlanReport {
  readonly builder: ReportBuilder;

  constructor(
    private readonly given: GivenPlan,
    { seed, machineName, cores }: ClusterConfig,
    /** The arguments of `mk-launch`. */
    argv: readonly string[],
  ) {
    const seeded = argv.some((word) => word === '--seed' || word.startsWith('--seed=')) ? [] : ['--seed', seed];
    const chosen = { what: `plan ${given.file}`, repeat: shellLine(['mk-launch', ...argv, ...seeded]) };
    const asked = askedOfPlan(given.plan, { ...chosen, seed, machine: machineName, cores });
    this.builder = new ReportBuilder('processes', asked, new Date());
  }

  /** Takes a line that a process wrote. */
  line(text: string): void {
    const line = parseLine(text);
    if (line !== null) this.builder.line(line);
  }

  /** Keeps the report and shows it; failing to write it is reported, and changes no verdict. */
  tell(report: RunReport, { runs, keepIn, json }: KeptWhere, terminal: Terminal): void {
    const kept = keepIn === null ? keepRun(runs, report, this.beside) : keptIn(keepIn, report);
    if (!kept.ok) terminal.error(`mk: ${kept.error}`);
    const folder = kept.ok ? kept.value : null;
    if (json) return terminal.out(JSON.stringify({ type: 'report', folder, report }));
    terminal.out(reportText(report));
    if (folder !== null) terminal.out(keptLine(folder));
  }

  private get beside(): BesideReport {
    return { files: { 'plan.yaml': this.given.text } };
  }
}
