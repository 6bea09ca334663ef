/**
 * The report of a run under faults: one type for real processes and virtual time, rendered as text, JSON and a page.
 * Times are milliseconds since boot was complete.
 */
export interface RunReport {
  readonly version: 1;
  readonly world: World;
  readonly verdict: Verdict;
  /** Why the run is inconclusive; null if it is not. */
  readonly why: string | null;
  /** Wall time, ISO 8601. */
  readonly started_at: string;
  /** Duration of the run, by the world's own clock. */
  readonly took_ms: number;
  readonly asked: Asked;
  readonly expected: readonly ExpectedRow[];
  /** Requests to cores during the faults, by kind and outcome. */
  readonly requests: readonly EndedRow[];
  /** Operations whose end cores logged: rounds, capability operations. */
  readonly operations: readonly EndedRow[];
  readonly domains: readonly EndedDomain[];
  readonly faults: readonly FaultReport[];
  readonly timeline: readonly TimelineEntry[];
  /** Entries left out of the timeline for want of space. */
  readonly left_out: number;
  readonly rate: Rate;
  /** Further remarks, one line each. */
  readonly notes: readonly string[];
  /** With several seeds, a row for each; the rest of the report is about the first that broke, or else the first. */
  readonly runs: readonly SeedRow[];
}

export type World = 'processes' | 'virtual time';
export type Verdict = 'held' | 'broke' | 'unknown';

/** What was asked for. */
export interface Asked {
  /** Its name for people: `plan runs/a.yaml`. */
  readonly what: string;
  /** The command that repeats it. */
  readonly repeat: string;
  readonly seed: string;
  readonly machine: string;
  readonly cores: number;
  readonly workload: string | null;
  readonly expect: readonly string[];
  readonly faults: readonly AskedFault[];
}

export interface AskedFault {
  readonly at_ms: number;
  readonly text: string;
  /** Its rules' names in the logs; empty if it starts none (heal, restart). */
  readonly rules: readonly string[];
}

export interface ExpectedRow {
  readonly name: string;
  readonly held: boolean;
  readonly broken: readonly string[];
}

export interface EndedRow {
  readonly what: string;
  /** How often by outcome: `ok`, or the error's name. */
  readonly outcomes: Readonly<Record<string, number>>;
}

export interface EndedDomain {
  readonly at_ms: number;
  readonly domain: string;
  readonly program: string;
  readonly cause: string;
  readonly status: number | null;
}

/** A fault and its consequences. */
export interface FaultReport {
  readonly rule: string;
  readonly text: string;
  /** When the plan scheduled it; null: it was not in the plan. */
  readonly planned_ms: number | null;
  /** Null: it never came into force. */
  readonly began_ms: number | null;
  /** Null: it was in force to the end. */
  readonly ended_ms: number | null;
  /** Frames that it affected. */
  readonly frames: number;
  /** One line each: what happened while it was in force. */
  readonly did: readonly string[];
}

export interface TimelineEntry {
  readonly at_ms: number;
  readonly kind: EntryKind;
  /** `core 3`, `cores 0-2`, `skb`, `launcher`; '' : the whole cluster. */
  readonly who: string;
  readonly text: string;
}

export type EntryKind =
  'asked' | 'fault' | 'healed' | 'view' | 'member' | 'suspicion' | 'failed' | 'program' | 'warning' | 'broken';

/** What ended in each interval of `every_ms` milliseconds, from the beginning. */
export interface Rate {
  readonly every_ms: number;
  readonly ok: readonly number[];
  readonly failed: readonly number[];
}

export interface SeedRow {
  readonly seed: string;
  readonly verdict: Verdict;
  /** What broke first; empty: nothing. */
  readonly text: string;
}
