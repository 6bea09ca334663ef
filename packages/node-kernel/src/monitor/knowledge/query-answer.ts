import type { QueryError, Solution } from '@mk/monitor-proto/knowledge/query';

/** All answers of a query, or why there are none. */
export interface QueryAnswer {
  readonly solutions: readonly Solution[];
  readonly more: boolean;
  readonly error: QueryError | null;
}
