import type { ReportLine } from './report-line.ts';
import type { Asked, AskedFault } from './run-report.ts';

/** A fault as the logs report it. Times are the lines'. */
export interface BookedFault {
  readonly rule: string;
  text: string;
  readonly asked: AskedFault | null;
  readonly begun: number;
  /** Null: in force. */
  ended: number | null;
  frames: number;
  /** Processes that reported its beginning but not its end. */
  readonly open: Set<string>;
}

/**
 * Which faults began and ended when. Each process concerned logs both: a fault is in force from the first report of its
 * beginning to the last of its end.
 */
export class FaultBook {
  readonly faults: BookedFault[] = [];
  private readonly asked: { readonly rule: string; readonly fault: AskedFault; taken: boolean }[];

  constructor({ faults }: Pick<Asked, 'faults'>) {
    this.asked = faults.flatMap((fault) => fault.rules.map((rule) => ({ rule, fault, taken: false })));
  }

  /** Takes a line about a fault; returns whether it is a new beginning or end. */
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

  /** Processes that have yet to report the end of a fault that is over. */
  get untold(): readonly string[] {
    return this.faults.flatMap(({ ended, open }) => (ended === null ? [] : [...open]));
  }

  /** Requested and never begun. */
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
