import type { CoreId, DomainId } from '@mk/monitor-proto/ids';
import { type Cores, coresUp } from './cores.ts';

/** One domain on each core, for measurements and load. */
export interface DomainRow {
  readonly core: CoreId;
  readonly domain: DomainId;
}

interface DomainSize {
  readonly cnodes: number;
  readonly memory: number;
}

/** Makes a domain on every core that is up. */
export async function domainEverywhere(cluster: Cores, options: DomainSize): Promise<readonly DomainRow[]> {
  return domainsOn(cluster, await coresUp(cluster), options);
}

/** Makes a domain on each of these cores. */
export function domainsOn(
  cluster: Cores,
  cores: readonly number[],
  options: DomainSize,
): Promise<readonly DomainRow[]> {
  return Promise.all(
    cores.map(async (core) => {
      const { domain } = await cluster.core(core, 'domain_create', options);
      return { core, domain };
    }),
  );
}

/** Domains in the form that verbs of cores take: core, domain, core, domain, … */
export function flatPeers(rows: readonly DomainRow[]): readonly number[] {
  return rows.flatMap(({ core, domain }) => [core, domain]);
}
