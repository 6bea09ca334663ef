import { z } from 'zod';
import type { CoreId } from '@mk/monitor-proto/ids';
import type { DomainStatus } from '../dispatcher/domain-status.ts';
import { type CallOptions, ControlError } from './control-call.ts';
import type { CoreRow } from '@mk/monitor-proto/knowledge/core-row';
import { coresUp } from './core-row.ts';

/** Access to a cluster's cores, however they are reached, for starting and inspecting domains. */
export interface AskCores {
  /** Calls a verb of a core's control port. */
  core(core: CoreId, verb: string, args?: object, options?: CallOptions): Promise<unknown>;
  cores(): Promise<readonly CoreRow[]>;
}

/** A domain as its home core lists it. */
export interface DomainRow extends DomainStatus {
  readonly program: string;
  readonly args: readonly string[];
  readonly ran_ms: number;
}

/** A dispatcher, as its core shows it. */
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

/** What a new domain is given. */
export interface DomainRequest {
  /** A name under which its home core knows the program's text. */
  readonly program: string;
  /** The core of its first dispatcher; by default its home. */
  readonly core?: CoreId;
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Best effort: its share of the core relative to other programs. */
  readonly weight?: number;
}

/** Bytes of a program’s text per request: a control request takes a mebibyte, and base64 adds a third. */
const PIECE_BYTES = 512 << 10;
/** The longest wait: a domain runs for as long as it likes. */
const WAIT_MS = 2 ** 31 - 1;

const STATUS: z.ZodType<DomainStatus> = z.object({
  domain: z.string(),
  finished: z.boolean(),
  cause: z.string(),
  status: z.number(),
  text: z.string(),
  parts: z.record(z.string(), z.string()),
});
const SPAWNED = z.object({ domain: z.string() });

/** Gives a core a program’s text under a name. */
export async function loadProgram(cluster: AskCores, core: CoreId, name: string, text: string): Promise<void> {
  const bytes = Buffer.from(text, 'utf8');
  for (let at = 0; at === 0 || at < bytes.length; at += PIECE_BYTES) {
    const piece = bytes.subarray(at, at + PIECE_BYTES).toString('base64');
    await cluster.core(core, 'program_load', { name, text: piece, at, total: bytes.length });
  }
}

/** Begins a domain whose home is this core; resolves with its name, `core.incarnation.n`. */
export async function spawnDomain(cluster: AskCores, home: CoreId, request: DomainRequest): Promise<string> {
  return SPAWNED.parse(await cluster.core(home, 'domain_spawn', request)).domain;
}

/** Waits until all dispatchers of a domain have stopped; with `nohang` resolves with its present status. */
export async function waitForDomain(
  cluster: AskCores,
  domain: string,
  { nohang = false, patient = false }: { readonly nohang?: boolean; readonly patient?: boolean } = {},
): Promise<DomainStatus> {
  const args = { domain, nohang: nohang ? 1 : 0 };
  return STATUS.parse(await cluster.core(homeOf(domain), 'domain_wait', args, { timeoutMs: WAIT_MS, patient }));
}

/** Tells every dispatcher of a domain to stop; `waitForDomain` resolves when they have. */
export async function killDomain(cluster: AskCores, domain: string): Promise<void> {
  await cluster.core(homeOf(domain), 'domain_kill', { domain });
}

/** The home core of a domain, by its name. */
export function homeOf(domain: string): CoreId {
  const [, core] = /^(\d{1,5})\.\d{1,9}\.\d{1,15}$/.exec(domain) ?? [];
  if (core === undefined)
    throw new ControlError(
      'BAD_REQUEST',
      `${JSON.stringify(domain)} names no domain: core.incarnation.number, as in 3.1.7`,
    );
  return Number(core);
}

/** The domains of all cores that are up, as their homes report them. */
export async function domainsOf(cluster: AskCores): Promise<readonly DomainRow[]> {
  return everywhere<DomainRow>(cluster, 'domains');
}

/** The dispatchers of all cores that are up. */
export async function dispatchersOf(cluster: AskCores): Promise<readonly DispatcherRow[]> {
  return everywhere<DispatcherRow>(cluster, 'dispatchers', true);
}

async function everywhere<T>(cluster: AskCores, verb: string, withCore = false): Promise<readonly T[]> {
  const lists = await Promise.all(
    coresUp(await cluster.cores()).map(async (core) => {
      const rows = (await cluster.core(core, verb)) as readonly T[];
      return withCore ? rows.map((row) => ({ core, ...row })) : rows;
    }),
  );
  return lists.flat();
}
