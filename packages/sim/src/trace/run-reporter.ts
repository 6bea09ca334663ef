import { ReportBuilder } from '@mk/machine/report/report-builder';
import type { Asked, RunReport, SeedRow } from '@mk/machine/report/run-report';
import type { Nanos } from '@mk/monitor-proto/ids';
import type { Violation } from '../checkers/checker.ts';
import type { RunOptions, RunResult } from '../engine/run-scenario.ts';
import type { TimedRequest } from '../engine/scenario.ts';

/** Reports a simulated run from the lines that real processes would have written. */
export class RunReporter {
  private builder: ReportBuilder;

  constructor(
    private readonly asked: Asked,
    private readonly startedAt: Date,
  ) {
    this.builder = this.fresh();
  }

  /** The options that make a run reported. A run that starts over is reported from its last start. */
  get options(): Pick<RunOptions, 'prepare' | 'listener'> {
    return {
      prepare: (simulation) => {
        const builder = (this.builder = this.fresh());
        simulation.observe({ line: (line) => builder.line(line), faultLine: (line) => builder.line(line) });
      },
      listener: {
        booted: (at: Nanos) => this.builder.begin(at / 1e6),
        answered: ({ verb }: TimedRequest, outcome: string, askedAt: Nanos, at: Nanos) =>
          this.builder.request(verb, outcome, askedAt / 1e6, at / 1e6),
      },
    };
  }

  /** The report of the run; `place` maps places of a bundle to its source files. */
  finish(
    { violations, inconclusive, virtualNs, hash }: RunResult,
    runs: readonly SeedRow[],
    place: (text: string) => string,
  ): RunReport {
    const broken = violations.map(({ invariant, checker, text, at }) => ({
      name: expectationOf(checker, invariant),
      text: `${invariant} (${checker}): ${place(text)}`,
      atMs: at / 1e6,
    }));
    return this.builder.finish({ atMs: virtualNs / 1e6, why: inconclusive, broken, notes: [`trace ${hash}`], runs });
  }

  private fresh(): ReportBuilder {
    return new ReportBuilder('virtual time', this.asked, this.startedAt);
  }
}

/** The plan's expectation that a broken invariant breaks. */
function expectationOf(checker: Violation['checker'], invariant: string): string {
  if (checker === 'convergence') return 'converge';
  return invariant.startsWith('PR') ? 'workload' : 'invariants';
}
