// Installs the locked dependencies unless node_modules holds them already. Needs nothing but Node.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Ends in a slash. From `fileURLToPath`, because a URL's `pathname` stays encoded: folders may contain a space, `#` or
 * `é`.
 */
export const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = join(root, 'node_modules', '.mk-lock-hash');

/** Runs a command on this terminal; if it fails, ends this process with its status. */
export function run(command, args, { cwd = root } = {}) {
  const result = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (result.error) {
    process.stderr.write(`mk: cannot run ${command}: ${result.error.message}\n`);
    process.exit(2);
  }
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** `npm ci`, once per version of package-lock.json. */
export function install() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 20) {
    process.stderr.write(`mk needs Node 20 or newer; this is ${process.version}\n`);
    process.exit(2);
  }
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  process.stderr.write('mk: installing dependencies (npm ci)\n');
  run('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error']);
  writeFileSync(stamp, lock);
}
