import type { Cores } from './audit.ts';

/** One domain on each core, for measurements and load. */
export interface DomainRow {
  readonly core: number;
  readonly domain: number;
}

/** Makes a domain on every core that is up. */
export async function domainEverywhere(cluster: Cores, options: { readonly cnodes: number; readonly memory: number }): Promise<readonly DomainRow[]> {
  const cores = (await cluster.cores()).filter(({ up }) => up).map(({ core }) => core);
  return Promise.all(
    cores.map(async (core) => {
      const { domain } = (await cluster.core(core, 'domain_create', options)) as { domain: number };
      return { core, domain };
    }),
  );
}

/** Domains as the cores' verbs take them: core, domain, core, domain, … */
export function flatPeers(rows: readonly DomainRow[]): readonly number[] {
  return rows.flatMap(({ core, domain }) => [core, domain]);
}
