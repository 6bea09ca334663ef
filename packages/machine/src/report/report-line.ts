/** The part of a log line that reports read. `time`: milliseconds of the world's own clock. */
export interface ReportLine {
  readonly time: number;
  readonly event: string;
  readonly core: number | string;
  readonly [field: string]: unknown;
}

export function nameOf(core: number | string): string {
  return typeof core === 'number' ? `core ${core}` : core;
}

/** A list of cores in a line. */
export function coresOf(value: unknown): readonly number[] {
  return Array.isArray(value) ? value.filter((core) => typeof core === 'number') : [];
}
