// `npm test`: installs, builds, runs jest. Passes its arguments to jest: `npm test -- urpc`.
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { install, root, run } from './install.mjs';

install();
run('node', ['scripts/build.mjs']);
run('node', ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js', ...process.argv.slice(2)], {
  cwd: root.includes('?') ? copyWithoutQuery() : root,
});

/** Jest takes a `?` in a module's path as the start of a query, so from such a folder the tests run in a copy. */
function copyWithoutQuery() {
  // Ctrl-C ends jest first, then this process, once the copy is deleted.
  process.on('SIGINT', () => undefined);
  const copy = mkdtempSync(join(tmpdir(), 'mk-tests-'));
  process.on('exit', () => rmSync(copy, { recursive: true, force: true }));
  cpSync(root, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}
