import type { EndedRow } from './run-report.ts';

/** Counts outcomes by what was asked. */
export class OutcomeTable {
  private readonly counts = new Map<string, Map<string, number>>();

  add(what: string, outcome: string, times = 1): void {
    const row = this.counts.get(what) ?? new Map<string, number>();
    row.set(outcome, (row.get(outcome) ?? 0) + times);
    this.counts.set(what, row);
  }

  get rows(): readonly EndedRow[] {
    return [...this.counts]
      .map(([what, row]) => ({ what, outcomes: Object.fromEntries(row) }))
      .toSorted((a, b) => a.what.localeCompare(b.what));
  }
}
