import type { ClusterClient } from './cluster-client.ts';

/** What looks at or works on the cores needs of a cluster: one that mkctl reaches, one of this process, a simulated one. */
export type Cores = Pick<ClusterClient, 'cores' | 'core'>;

/** The cores that are up, ascending. */
export async function coresUp(cluster: Cores): Promise<readonly number[]> {
  return (await cluster.cores())
    .filter(({ up }) => up)
    .map(({ core }) => core)
    .sort((a, b) => a - b);
}
