import type { DomainStatus as Status } from '@mk/libmk/dispatcher/domain-status';
import type { CoreId } from '@mk/monitor-proto/ids';
import { type Cores, coresUp } from './cores.ts';

/** A domain as its home core tells of it. */
export interface DomainStatus extends Status {
  readonly program: string;
  readonly args: readonly string[];
  readonly ran_ms: number;
}

/** A dispatcher as its core tells of it. */
export interface DispatcherRow {
  readonly core: CoreId;
  readonly dispatcher: number;
  readonly domain: string;
  readonly program: string;
  readonly state: string;
  readonly run_ns: number;
  readonly age_ns: number;
  readonly turns: number;
  readonly calls: number;
}

/** Bytes of a program’s text in one request: a control request takes a mebibyte, and base64 adds a third. */
const PIECE_BYTES = 512 << 10;

/** Gives a core a program’s text under a name. */
export async function loadProgram(cluster: Cores, core: CoreId, name: string, text: string): Promise<void> {
  const bytes = Buffer.from(text, 'utf8');
  for (let at = 0; at === 0 || at < bytes.length; at += PIECE_BYTES) {
    const piece = bytes.subarray(at, at + PIECE_BYTES).toString('base64');
    await cluster.core(core, 'program_load', { name, text: piece, at, total: bytes.length });
  }
}

/** The domains of all cores that are up, by their homes’ word. */
export async function domainsOf(cluster: Cores): Promise<readonly DomainStatus[]> {
  return everywhere<DomainStatus>(cluster, 'domains');
}

/** The dispatchers of all cores that are up. */
export async function dispatchersOf(cluster: Cores): Promise<readonly DispatcherRow[]> {
  return everywhere<DispatcherRow>(cluster, 'dispatchers', true);
}

async function everywhere<T>(cluster: Cores, verb: string, withCore = false): Promise<readonly T[]> {
  const cores = await coresUp(cluster);
  const lists = await Promise.all(
    cores.map(async (core) => {
      const rows = (await cluster.core(core, verb)) as readonly T[];
      return withCore ? rows.map((row) => ({ core, ...row })) : rows;
    }),
  );
  return lists.flat();
}
