import type { ClusterClient } from '../client/cluster-client.ts';

/** A probe: it measures the monitors themselves, which no dispatcher can do (decision 0120). */
export interface Program {
  readonly name: string;
  readonly doc: string;
  readonly fewestCores: number;
  /** Its own options, from `PROGRAM_OPTIONS`. */
  readonly takes: readonly ProgramOption[];
  /** Starts it on exactly these cores; resolves when it has ended on all. */
  run(start: ProgramStart): Promise<ProgramResult>;
}

/** A program's cores and arguments. */
interface ProgramStart {
  readonly cluster: ClusterClient;
  /** In order of placement: neighbours in the list talk most. */
  readonly cores: readonly number[];
  readonly options: ProgramOptions;
}

/** A program's result. */
interface ProgramResult {
  /** It kept its promise: exit status 0, else 1. */
  readonly ok: boolean;
  /** For people. */
  readonly lines: readonly string[];
  /** For machines. */
  readonly value: unknown;
}

/** Whole numbers that programs take, with their bounds and defaults. */
export const PROGRAM_OPTIONS = {
  rounds: { usual: 100, min: 1, max: 1_000_000, doc: 'how often the token goes round, a pair plays, or a client acts' },
  count: { usual: 10_000, min: 1, max: 100_000_000, doc: 'messages from each core' },
  bytes: { usual: 64, min: 0, max: 64 << 10, doc: 'payload of a message' },
  runs: { usual: 1000, min: 1, max: 10_000_000, doc: 'runs of each test' },
  operations: { usual: 60, min: 1, max: 1_000_000, doc: 'rounds of work on each core' },
  seconds: { usual: 10, min: 1, max: 86_400, doc: 'how long it runs' },
  seed: { usual: 1, min: 0, max: 2 ** 32 - 1, doc: 'seed of its random choices' },
} as const;

export type ProgramOption = keyof typeof PROGRAM_OPTIONS;
export type ProgramOptions = { readonly [T in ProgramOption]: number };

/** Longer than any single run of a program, all of which end by themselves. */
export const PROGRAM_MS = 30 * 60_000;
