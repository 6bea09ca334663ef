import type { CoreId } from '@mk/monitor-proto/ids';
import type { CoreRow } from '@mk/monitor-proto/knowledge/core-row';

/** The cores that are up, ascending. */
export function coresUp(rows: readonly CoreRow[]): readonly CoreId[] {
  return rows
    .filter(({ up }) => up)
    .map(({ core }) => core)
    .sort((a, b) => a - b);
}
