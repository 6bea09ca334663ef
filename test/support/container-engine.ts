import { spawnSync } from 'node:child_process';

/** Why the container tests cannot run here; null if they can. CI sets MK_REQUIRE_DOCKER to require them. */
export function engineMissing(): string | null {
  if (process.env['MK_REQUIRE_DOCKER'] === '1') return null;
  const engine = spawnSync('docker', ['info'], { stdio: 'ignore' });
  if (engine.error !== undefined) return 'docker is not installed';
  if (engine.status !== 0) return 'no container engine answers';
  return spawnSync('docker', ['compose', 'version'], { stdio: 'ignore' }).status === 0
    ? null
    : 'docker has no compose plugin';
}

const WITHIN_MS = 600_000;

/**
 * Resolves to the first result of `look` that is not null; throws with `what` if there is none within ten minutes. A
 * `look` that throws counts as null: the process it asks may be starting or ending.
 */
export async function eventually<T>(what: string, look: () => T | null): Promise<T> {
  for (const end = Date.now() + WITHIN_MS; ;) {
    let why = '';
    try {
      const found = look();
      if (found !== null) return found;
    } catch (error) {
      why = `: ${String(error)}`;
    }
    if (Date.now() > end) throw new Error(`after ${WITHIN_MS / 1000} s still not: ${what}${why}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
