import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LOCK = join(ROOT, 'node_modules', '.mk-test-build');

/** The path of a program under dist/, built first if it is missing or older than the sources. */
export function builtProgram(name: string): string {
  ensureBuilt();
  return join(ROOT, 'dist', name);
}

let checked = false;

/** Builds at most once, even if several test processes ask at the same time. */
function ensureBuilt(): void {
  if (checked) return;
  const until = Date.now() + 600_000;
  while (isStale()) {
    if (takeLock()) {
      try {
        const { status, stderr } = spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: ROOT, encoding: 'utf8' });
        if (status !== 0) throw new Error(`the build failed: ${stderr}`);
      } finally {
        rmdirSync(LOCK);
      }
      break;
    }
    if (Date.now() > until) throw new Error(`somebody else's build does not end; remove ${LOCK}`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
  checked = true;
}

function takeLock(): boolean {
  try {
    mkdirSync(LOCK);
    return true;
  } catch {
    return false;
  }
}

function isStale(): boolean {
  const built = Math.min(
    ...['core.cjs', 'skb.cjs', 'mk-launch.cjs', 'mkctl.cjs'].map((name) => mtime(join(ROOT, 'dist', name))),
  );
  const packages = readdirSync(join(ROOT, 'packages')).map((name) => join(ROOT, 'packages', name, 'src'));
  return packages.some((folder) => newest(folder) > built);
}

function newest(folder: string): number {
  let latest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) latest = Math.max(latest, mtime(join(entry.parentPath, entry.name)));
  }
  return latest;
}

function mtime(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
