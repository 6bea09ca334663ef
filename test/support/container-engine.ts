import { spawnSync } from 'node:child_process';

/** Why the container tests cannot run here, or null when they can. CI sets MK_REQUIRE_DOCKER: then they must. */
export function engineMissing(): string | null {
  if (process.env['MK_REQUIRE_DOCKER'] === '1') return null;
  const engine = spawnSync('docker', ['info'], { stdio: 'ignore' });
  if (engine.error !== undefined) return 'docker is not installed';
  if (engine.status !== 0) return 'no container engine answers';
  return spawnSync('docker', ['compose', 'version'], { stdio: 'ignore' }).status === 0
    ? null
    : 'docker has no compose plugin';
}

/** Resolves to what `look` gives, once it gives something other than null; throws with `what` when it has not in time. */
export async function eventually<T>(
  what: string,
  timeoutMs: number,
  look: () => T | null | Promise<T | null>,
): Promise<T> {
  for (const end = Date.now() + timeoutMs; ;) {
    const found = await look();
    if (found !== null) return found;
    if (Date.now() > end) throw new Error(`after ${timeoutMs / 1000} s still not: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
