import { keptLine, reportText } from '@mk/machine/report/report-text';
import type { RunReport, SeedRow } from '@mk/machine/report/run-report';
import { known } from '@mk/monitor-proto/assert';
import type { Nanos } from '@mk/monitor-proto/ids';
import type { RunResult } from '../engine/run-scenario.ts';
import type { Scenario } from '../engine/scenario.ts';
import type { SimTerminal } from '../io/terminal.ts';
import type { SimRequest } from './options.ts';
import { counted } from '@mk/machine/counted';

/** Lines of output that a run's report contains. */
const OUTPUT_TOLD = 1000;

export interface Totals {
  seeds: number;
  failed: number[];
  unknown: number[];
  steps: number;
  frames: number;
  dropped: number;
  virtualNs: Nanos;
  readonly outcomes: Record<string, number>;
  readonly runs: SeedReport[];
  /** The seeds of a plan's report. */
  readonly rows: SeedRow[];
}

/** The result of a run, for machines. */
interface SeedReport {
  readonly seed: Scenario['seed'];
  readonly trace_hash: string;
  /** Turns of programs. */
  readonly turns?: number;
  readonly domains?: RunResult['ends'];
  readonly output?: RunResult['output'];
}

/** A seed's contribution to the totals: plain data, since it may come from another process. */
export interface SeedTotals {
  readonly failed: boolean;
  readonly unknown: boolean;
  readonly steps: number;
  readonly frames: number;
  readonly dropped: number;
  readonly virtualNs: Nanos;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly run: SeedReport;
  /** What broke first, or why the run is inconclusive; empty: it held. */
  readonly text: string;
}

export interface Judged {
  readonly totals: SeedTotals;
  /** Null: it held. */
  readonly report: unknown;
}

/** A child process's answer for a scenario. */
export interface JobAnswer {
  readonly judged: Judged;
  /** The output of a single process for it. */
  readonly lines: readonly string[];
  readonly rssBytes: number;
}

/** Processes that judge scenarios. */
export interface Jobs {
  /** As many as this host has CPUs. */
  readonly usual: number;
  /**
   * Judges them all on `count` processes, calling `onAnswer` as they end. Rejects with OptionError when a process dies.
   */
  run(
    count: number,
    scenarios: readonly Scenario[],
    onAnswer: (index: number, answer: JobAnswer, job: number) => void,
  ): Promise<void>;
}

export interface Account {
  readonly tookMs: number;
  readonly memoryBytes: number;
  readonly firstSeed: Scenario['seed'];
  readonly reports: readonly unknown[];
  /** The plan's. */
  readonly kept: KeptReport | null;
}

/** A plan's report, and where it is; null: it could not be kept. */
export interface KeptReport {
  readonly report: RunReport;
  readonly folder: string | null;
}

export function emptyTotals(): Totals {
  return {
    seeds: 0,
    failed: [],
    unknown: [],
    steps: 0,
    frames: 0,
    dropped: 0,
    virtualNs: 0,
    outcomes: {},
    runs: [],
    rows: [],
  };
}

export function seedTotals(result: RunResult): SeedTotals {
  const { scenario, hash, turns, ends, output, steps, frames, dropped, virtualNs, outcomes } = result;
  const program = scenario.program === undefined ? {} : { turns, domains: ends, output: output.slice(-OUTPUT_TOLD) };
  const failed = result.violations.length > 0;
  const unknown = !failed && result.inconclusive !== null;
  const run = { seed: scenario.seed, trace_hash: hash, ...program };
  const text = firstText(result);
  return { failed, unknown, steps, frames, dropped, virtualNs, outcomes, run, text };
}

function firstText({ violations: [first], inconclusive }: RunResult): string {
  if (first === undefined) return inconclusive ?? '';
  return `${first.invariant} (${first.checker}): ${known(first.text.split('\n')[0])}`;
}

export function add(totals: Totals, seed: SeedTotals): void {
  totals.seeds += 1;
  if (seed.failed) totals.failed.push(Number(seed.run.seed));
  else if (seed.unknown) totals.unknown.push(Number(seed.run.seed));
  for (const name of ['steps', 'frames', 'dropped', 'virtualNs'] as const) totals[name] += seed[name];
  for (const [outcome, count] of Object.entries(seed.outcomes))
    totals.outcomes[outcome] = (totals.outcomes[outcome] ?? 0) + count;
  totals.runs.push(seed.run);
  const verdict = seed.failed ? 'broke' : seed.unknown ? 'unknown' : 'held';
  totals.rows.push({ seed: String(seed.run.seed), verdict, text: seed.text });
}

/** Summarises all seeds. */
export function summarise(
  totals: Totals,
  request: SimRequest,
  terminal: SimTerminal,
  { tookMs, memoryBytes, firstSeed, reports, kept }: Account,
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
        ...(kept !== null && { report: kept.report, report_folder: kept.folder }),
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
  terminal.out(`${counted(seeds, 'seed')}${request.once ? '' : ', each twice with the same trace'}: ${verdict}`);
  terminal.out(
    `${(virtualNs / 1e9).toFixed(1)} s of virtual time in ${(tookMs / 1000).toFixed(1)} s; ${steps} steps, ${frames} frames, ${dropped} of them lost; ${Math.round(memoryBytes / 1e6)} MB`,
  );
  if (runs.length === 1) terminal.out(`trace ${known(runs[0]).trace_hash}`);
  if (kept !== null) return tellKept(kept, terminal);
  if (request.program !== null) return;
  terminal.out(
    `requests: ${
      Object.entries(outcomes)
        .map(([outcome, count]) => `${count} ${outcome}`)
        .join(', ') || 'none'
    }`,
  );
}

function tellKept({ report, folder }: KeptReport, terminal: SimTerminal): void {
  terminal.out('');
  terminal.out(reportText(report));
  if (folder !== null) terminal.out(keptLine(folder));
}
