/**
 * The report of a run under faults: one type for real processes and for virtual time, rendered as text, JSON and a page.
 * Times are milliseconds since the faults began to count, which is when boot was complete.
 */
export interface RunReport {
  readonly version: 1;
  readonly world: World;
  readonly verdict: Verdict;
  /** Why nothing can be said; null: something can. */
  readonly why: string | null;
  /** Wall time, ISO 8601. */
  readonly started_at: string;
  /** How long it took from then on, by the world's own clock. */
  readonly took_ms: number;
  readonly asked: Asked;
  readonly expected: readonly ExpectedRow[];
  /** What was asked of cores while faults happened, by what and how it ended. */
  readonly requests: readonly EndedRow[];
  /** Operations that cores logged the end of: rounds, operations on capabilities. */
  readonly operations: readonly EndedRow[];
  readonly domains: readonly EndedDomain[];
  readonly faults: readonly FaultReport[];
  readonly timeline: readonly TimelineEntry[];
  /** Entries that the timeline has no place for. */
  readonly left_out: number;
  readonly rate: Rate;
  /** One line each: what else there is to know. */
  readonly notes: readonly string[];
  /** Of several seeds: all of them; what stands above is about the first that broke, else about the first. */
  readonly runs: readonly SeedRow[];
}

export type World = 'processes' | 'virtual time';
export type Verdict = 'held' | 'broke' | 'unknown';

/** What was asked for. */
export interface Asked {
  /** What people call it: `plan runs/a.yaml`. */
  readonly what: string;
  /** The command that does it again. */
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
  /** The names under which logs tell of it; empty: it begins none (heal, restart). */
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

/** A fault and what came of it. */
export interface FaultReport {
  readonly rule: string;
  readonly text: string;
  /** When the plan wanted it; null: no plan named it. */
  readonly planned_ms: number | null;
  /** Null: it never came into force. */
  readonly began_ms: number | null;
  /** Null: it was in force to the end. */
  readonly ended_ms: number | null;
  /** Frames that felt it. */
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

/** What ended in each interval of so many milliseconds, from the beginning on. */
export interface Rate {
  readonly every_ms: number;
  readonly ok: readonly number[];
  readonly failed: readonly number[];
}

export interface SeedRow {
  readonly seed: string;
  readonly verdict: Verdict;
  /** What broke first; '' : nothing. */
  readonly text: string;
}
