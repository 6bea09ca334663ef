import type { ReportLine } from './report-line.ts';
import type { Asked, AskedFault } from './run-report.ts';

/** A fault as the logs tell of it. Times are those of the lines. */
export interface BookedFault {
  readonly rule: string;
  text: string;
  readonly asked: AskedFault | null;
  readonly begun: number;
  /** Null: in force. */
  ended: number | null;
  frames: number;
  /** Who said that it began and has not said that it ended. */
  readonly open: Set<string>;
}

/**
 * Which faults began and ended when. Each process that a rule concerns logs both: a fault is in force from the first that says
 * so to the last that says that it is over.
 */
export class FaultBook {
  readonly faults: BookedFault[] = [];
  private readonly asked: { readonly rule: string; readonly fault: AskedFault; taken: boolean }[];

  constructor({ faults }: Pick<Asked, 'faults'>) {
    this.asked = faults.flatMap((fault) => fault.rules.map((rule) => ({ rule, fault, taken: false })));
  }

  /** Takes a line about a fault; whether it is news: a beginning or an end that nobody had told of. */
  line(line: ReportLine): 'began' | 'ended' | null {
    const who = `${line.core} ${String(line['incarnation'] ?? '')}`;
    const rule = String(line['rule']);
    const last = this.faults.findLast((fault) => fault.rule === rule);
    if (line.event === 'fault_applied') return this.began(line, who, rule, last);
    if (last === undefined) return null;
    const news = last.ended === null;
    last.ended = Math.max(last.ended ?? line.time, line.time);
    last.frames += Number(line['affected'] ?? 0);
    last.open.delete(who);
    return news ? 'ended' : null;
  }

  /** Processes that have not said yet that a fault which is over is over. */
  get untold(): readonly string[] {
    return this.faults.flatMap(({ ended, open }) => (ended === null ? [] : [...open]));
  }

  /** Asked for and never begun. */
  get missing(): readonly { readonly rule: string; readonly fault: AskedFault }[] {
    return this.asked.filter(({ taken }) => !taken);
  }

  private began(line: ReportLine, who: string, rule: string, last: BookedFault | undefined): 'began' | null {
    if (last !== undefined && (last.ended === null || line.time <= last.ended)) {
      last.open.add(who);
      return null;
    }
    const asked = this.asked.find((row) => row.rule === rule && !row.taken);
    if (asked !== undefined) asked.taken = true;
    const alone = asked !== undefined && asked.fault.rules.length === 1;
    const text = alone ? asked.fault.text : String(line['text']);
    const begun = line.time;
    this.faults.push({ rule, text, asked: asked?.fault ?? null, begun, ended: null, frames: 0, open: new Set([who]) });
    return 'began';
  }
}
