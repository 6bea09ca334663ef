import { didOf, type Failure, TELLING } from './consequences.ts';
import { FaultBook } from './fault-book.ts';
import { FAILURES_KEPT } from './limits.ts';
import { OutcomeTable } from './outcome-table.ts';
import { RateCounter } from './rate-counter.ts';
import type { ReportLine } from './report-line.ts';
import type { Asked, EndedDomain, ExpectedRow, FaultReport, RunReport, SeedRow, Verdict, World } from './run-report.ts';
import { Timeline } from './timeline.ts';
import { operationOf, toldOf } from './told-lines.ts';

/** How a run ended, according to its judge. */
export interface Ending {
  /** By the world's clock. */
  readonly atMs: number;
  /** Why the run cannot be judged; null if it can. */
  readonly why: string | null;
  /** Broken expectations, by name: `invariants`, `converge`, `workload`. */
  readonly broken: readonly { readonly name: string; readonly text: string; readonly atMs?: number }[];
  readonly notes?: readonly string[];
  readonly runs?: readonly SeedRow[];
}

const DOMAINS_KEPT = 1000;
/** Lines kept as evidence of what faults did. */
const EVIDENCE_KEPT = 20_000;

/**
 * Builds the report of a run from what both worlds have: log lines, and answers to requests. Reads no clock; what
 * happened before `begin` is left out.
 */
export class ReportBuilder {
  private zeroMs = Infinity;
  private readonly book: FaultBook;
  private readonly timeline = new Timeline();
  private readonly rate = new RateCounter();
  private readonly requests = new OutcomeTable();
  private readonly operations = new OutcomeTable();
  private readonly domains = new Map<string, EndedDomain>();
  private readonly failures: Failure[] = [];
  private readonly evidence: ReportLine[] = [];
  private readonly views = new Set<unknown>();

  constructor(
    private readonly world: World,
    private readonly asked: Asked,
    /** Wall time. */
    private readonly startedAt: Date,
  ) {
    this.book = new FaultBook(asked);
  }

  /** Boot is complete: times count from now on. */
  begin(atMs: number): void {
    this.zeroMs = atMs;
  }

  /** Takes a log line, in any order. */
  line(line: ReportLine): void {
    if (line.time < this.zeroMs) return;
    if (line.event === 'fault_applied' || line.event === 'fault_healed') return this.faultLine(line);
    const operation = operationOf(line);
    if (operation !== null) {
      const { what, result, elapsedMs } = operation;
      this.operations.add(what, result);
      if (result !== 'ok') this.told(line, `${what} ${String(line['op'])} ended in ${result}`);
      return this.ended(what, result, line.time - elapsedMs, line.time);
    }
    if (TELLING.has(line.event)) this.keep(line);
    const told = toldOf(line);
    if (told !== null) this.timeline.add(line.time - this.zeroMs, line.core, told);
    if (line.event === 'domain_finished') this.domain(line);
  }

  /** A core answered a request: `ok`, or the error's name. */
  request(what: string, outcome: string, fromMs: number, toMs: number): void {
    if (toMs < this.zeroMs) return;
    this.requests.add(what, outcome);
    this.ended(what, outcome, fromMs, toMs);
  }

  /** Processes that have yet to report the end of a fault, as `core incarnation`. */
  get untold(): readonly string[] {
    return this.book.untold;
  }

  finish({ atMs, why, broken, notes = [], runs = [] }: Ending): RunReport {
    const { asked, zeroMs } = this;
    const tookMs = Number.isFinite(zeroMs) ? Math.max(0, atMs - zeroMs) : 0;
    const verdict: Verdict = broken.length > 0 ? 'broke' : why === null ? 'held' : 'unknown';
    for (const fault of asked.faults.filter(({ rules, at_ms }) => rules.length === 0 && at_ms <= tookMs))
      this.timeline.add(fault.at_ms, '', {
        kind: 'asked',
        text: fault.text,
        key: `asked ${fault.at_ms}`,
        everybody: true,
      });
    for (const [i, { name, text, atMs: at }] of broken.entries()) {
      const told = { kind: 'broken', text: `${name}: ${text}`, key: `broken ${i}`, everybody: true } as const;
      this.timeline.add(at === undefined ? tookMs : at - zeroMs, '', told);
    }
    const { shown, leftOut } = this.timeline.entries();
    return {
      version: 1,
      world: this.world,
      verdict,
      why,
      started_at: this.startedAt.toISOString(),
      took_ms: tookMs,
      asked,
      expected: expectedRows(asked, broken, why),
      requests: this.requests.rows,
      operations: this.operations.rows,
      domains: [...this.domains.values()],
      faults: this.faultReports(atMs),
      timeline: shown,
      left_out: leftOut,
      rate: this.rate.rate,
      notes,
      runs,
    };
  }

  private faultReports(endMs: number): readonly FaultReport[] {
    const evidence = { lines: this.evidence, failures: this.failures };
    const happened = this.book.faults.map((fault) => ({
      rule: fault.rule,
      text: fault.text,
      planned_ms: fault.asked?.at_ms ?? null,
      began_ms: fault.begun - this.zeroMs,
      ended_ms: fault.ended === null ? null : fault.ended - this.zeroMs,
      frames: fault.frames,
      did: didOf(fault, evidence, endMs),
    }));
    const missing = this.book.missing.map(({ rule, fault }) => ({
      rule,
      text: fault.text,
      planned_ms: fault.at_ms,
      began_ms: null,
      ended_ms: null,
      frames: 0,
      did: ['it never came into force'],
    }));
    return [...happened, ...missing].toSorted(
      (a, b) => (a.began_ms ?? a.planned_ms ?? 0) - (b.began_ms ?? b.planned_ms ?? 0),
    );
  }

  private faultLine(line: ReportLine): void {
    const news = this.book.line(line);
    if (news === null) return;
    const rule = String(line['rule']);
    const text = this.book.faults.findLast((fault) => fault.rule === rule)?.text ?? rule;
    const began = news === 'began';
    const key = `${news} ${rule} ${line.time}`;
    const told = {
      kind: began ? 'fault' : 'healed',
      text: began ? text : `over: ${text}`,
      key,
      everybody: true,
    } as const;
    this.timeline.add(line.time - this.zeroMs, '', told);
  }

  private told(line: ReportLine, text: string): void {
    this.timeline.add(line.time - this.zeroMs, line.core, {
      kind: 'failed',
      text,
      key: `failed ${String(line['op'])}`,
    });
  }

  private ended(what: string, result: string, fromMs: number, toMs: number): void {
    this.rate.add(toMs - this.zeroMs, result === 'ok');
    if (result !== 'ok' && this.failures.length < FAILURES_KEPT) this.failures.push({ what, result, fromMs, toMs });
  }

  private keep(line: ReportLine): void {
    if (line.event === 'view_installed') {
      if (this.views.has(line['view'])) return;
      this.views.add(line['view']);
    }
    if (this.evidence.length < EVIDENCE_KEPT) this.evidence.push(line);
  }

  private domain(line: ReportLine): void {
    if (this.domains.size >= DOMAINS_KEPT) return;
    const { domain, program, cause, status } = line;
    const row = { domain: String(domain), program: String(program), cause: String(cause) };
    const exited = cause === 'exited' && typeof status === 'number';
    this.domains.set(row.domain, { at_ms: line.time - this.zeroMs, ...row, status: exited ? status : null });
  }
}

/** The expectations, and anything else that broke. An inconclusive run claims nothing. */
function expectedRows({ expect }: Asked, broken: Ending['broken'], why: string | null): readonly ExpectedRow[] {
  const names = [...new Set([...expect, ...broken.map(({ name }) => name)])];
  return names.map((name) => {
    const texts = broken.filter((row) => row.name === name).map(({ text }) => text);
    return { name, held: texts.length === 0 && why === null, broken: texts };
  });
}
