import type { CoreId } from '@mk/monitor-proto/ids';

/** A registered core, as the SKB lists it. */
export interface CoreRow {
  readonly core: CoreId;
  readonly incarnation: number;
  readonly address: string;
  readonly up: boolean;
  readonly links: number;
  readonly package: number;
  /** What its host is called; '': it did not say. */
  readonly host: string;
}

/** The cores that are up, ascending. */
export function coresUp(rows: readonly CoreRow[]): readonly CoreId[] {
  return rows
    .filter(({ up }) => up)
    .map(({ core }) => core)
    .sort((a, b) => a - b);
}
