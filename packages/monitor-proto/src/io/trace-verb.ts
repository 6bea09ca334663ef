import { isWhole } from '../guards.ts';
import type { ControlReply, ControlRequest } from '../step.ts';
import { nowNs } from './clock.ts';
import { callAfter, type LongTimer } from './long-timer.ts';
import { Tracer } from './tracer.ts';

const MAX_ENTRIES = 1_000_000;
/** A trace that nobody fetches is dropped this long after its end. */
const FORGET_MS = 60_000;

/** Called when tracing begins (with the tracer) and ends (with null). */
export type TraceSwitch = (tracer: Tracer | null) => void;

/** The verb `trace` of every process: start, stop (answers with the notes), time (its clock, for aligning others). */
export class TraceVerb {
  private tracer: Tracer | null = null;
  private forget: LongTimer | null = null;

  constructor(private readonly toggle: TraceSwitch) {}

  /** Serves the verb; null for any other. */
  control({ verb, args }: ControlRequest): ControlReply | null {
    if (verb !== 'trace') return null;
    const { act, entries, for_ms: forMs } = args;
    if (act === 'time') return { ok: true, value: { now: nowNs() } };
    if (act === 'stop') return this.stop();
    if (act !== 'start') return bad('trace: act must be start, stop or time');
    if (!isWhole(entries, 1, MAX_ENTRIES)) return bad(`trace: entries must be a whole number from 1 to ${MAX_ENTRIES}`);
    if (!isWhole(forMs, 1, 86_400_000))
      return bad('trace: for_ms must be a whole number of milliseconds, at most a day');
    this.end();
    this.tracer = new Tracer(entries);
    this.forget = callAfter(forMs + FORGET_MS, () => this.end());
    this.toggle(this.tracer);
    return { ok: true, value: { now: nowNs() } };
  }

  end(): void {
    this.forget?.cancel();
    this.forget = null;
    this.tracer = null;
    this.toggle(null);
  }

  private stop(): ControlReply {
    const { tracer } = this;
    if (tracer === null) return bad('trace: no trace is running');
    this.end();
    return { ok: true, value: { ...tracer.notes(), now: nowNs() } };
  }
}

function bad(text: string): ControlReply {
  return { ok: false, error: 'BAD_REQUEST', text };
}
