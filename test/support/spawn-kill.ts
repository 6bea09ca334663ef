import { readdirSync, readFileSync } from 'node:fs';
import { type AskCores, killDomain, loadProgram, spawnDomain, waitForDomain } from '@mk/libmk/io/domains';

/** What a core's process holds, and what its kernel believes that it holds. */
export interface Holdings {
  /** RAM by state, as reported by the verb `memory`. */
  readonly memory: unknown;
  readonly capabilities: number;
  readonly dispatchers: number;
  readonly channels: unknown;
  readonly threads: number;
  readonly files: number;
  readonly residentMiB: number;
}

const KINDS = ['exit', 'wait', 'loop', 'at once'] as const;

/**
 * Spawns and ends this many domains, one after another, on these cores in turn: some exit, some are killed, also in an
 * endless turn or before they run.
 */
export async function spawnAndEnd(
  cluster: AskCores,
  cores: readonly number[],
  text: string,
  count: number,
): Promise<void> {
  for (const core of cores) await loadProgram(cluster, core, 'spawned', text);
  for (let n = 0; n < count; n += 1) {
    const kind = KINDS[n % KINDS.length] ?? 'exit';
    const home = cores[n % cores.length] ?? 0;
    const core = cores[(n >> 2) % cores.length] ?? 0;
    const domain = await spawnDomain(cluster, home, { program: 'spawned', core, args: [kind] });
    if (kind === 'wait' || kind === 'loop') await hasRun(cluster, core, domain);
    if (kind !== 'exit') await killDomain(cluster, domain);
    const { cause, status } = await waitForDomain(cluster, domain);
    if (cause !== (kind === 'exit' ? 'exited' : 'KILLED') || (kind === 'exit' && status !== 0))
      throw new Error(`${domain}, which was to ${kind}, ended with ${cause} ${status}`);
  }
}

/** Waits until a domain has had a turn, or is in one. */
async function hasRun(cluster: AskCores, core: number, domain: string): Promise<void> {
  for (;;) {
    const rows = (await cluster.core(core, 'dispatchers')) as readonly { domain: string; turns: number }[];
    if (rows.some((row) => row.domain === domain && row.turns > 0)) return;
  }
}

/** What a core currently holds. */
export async function holdingsOf(cluster: AskCores, core: number, pid: number): Promise<Holdings> {
  const count = async (verb: string): Promise<number> =>
    ((await cluster.core(core, verb)) as readonly unknown[]).length;
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  return {
    memory: await cluster.core(core, 'memory'),
    capabilities: await count('caps'),
    dispatchers: await count('dispatchers'),
    channels: await cluster.core(core, 'channels'),
    threads: field('Threads'),
    files: readdirSync(`/proc/${pid}/fd`).length,
    residentMiB: Math.round(field('VmRSS') / 1024),
  };
}

/** A spare worker for the next dispatcher is kept, or about to be made. */
const SPARE = { threads: 1, files: 4 } as const;

/**
 * Polls until holdings are as before, except for resident memory; returns the remaining differences when patience runs
 * out.
 */
export async function heldAsBefore(
  look: () => Promise<Holdings>,
  before: Holdings,
  tries = 600,
): Promise<{ readonly now: Holdings; readonly differs: readonly string[] }> {
  for (let left = tries; ; left -= 1) {
    const now = await look();
    const differs = [
      ...(['memory', 'capabilities', 'dispatchers', 'channels'] as const).filter(
        (name) => JSON.stringify(now[name]) !== JSON.stringify(before[name]),
      ),
      ...(['threads', 'files'] as const).filter((name) => now[name] > before[name] + SPARE[name]),
    ];
    if (differs.length === 0 || left === 0) return { now, differs };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
