import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ROOT } from '../integration/built-programs.ts';
import { withoutWaiting } from '../integration/running-cluster.ts';

/** A checkout works in any folder: its path is a path, not an address, a pattern or a shell word. */

const NAMES = ['a space', 'é', 'h#sh', '100%25', 'wh?t', 'st*r', "br[a]ck(e)t{s}'"];
const folder = mkdtempSync(join(tmpdir(), 'mk-folders-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function checkout(name: string, ...parts: readonly string[]): string {
  const root = join(folder, name, 'mk');
  for (const part of parts) cpSync(join(ROOT, part), join(root, part), { recursive: true });
  return root;
}

test.each(NAMES)('a script in the folder %j finds its checkout', (name) => {
  const root = checkout(name, 'scripts', 'package-lock.json');
  const script = `import(${JSON.stringify(pathToFileURL(join(root, 'scripts', 'install.mjs')).href)}).then((m) => console.log(m.root))`;
  const { stdout } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  expect(stdout.trim()).toBe(`${root}/`);
});

describe('a checkout under all of these names at once', () => {
  let root = '';

  beforeAll(() => {
    root = checkout(NAMES.join('/'), 'scripts', 'package.json', 'tsconfig.json', 'packages');
    symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
    const { status, stderr } = spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: root, encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  });

  test('builds every program, with its code cache', () => {
    for (const file of ['core.cjs', 'skb.cjs', 'skb-engine.prc', 'core.cache', 'skb.cache', 'mk-launch.cache'])
      expect([file, existsSync(join(root, 'dist', file))]).toEqual([file, true]);
  });

  test('boots a cluster on a shipped machine and asks its SKB’s engine', () => {
    const env = { ...process.env, MK_STATE_DIR: join(root, 'a state') };
    const run = (program: string, ...args: readonly string[]): SpawnSyncReturns<string> => {
      const command = [join(root, 'dist', `${program}.cjs`), ...args];
      const ended = spawnSync(process.execPath, command, { env, encoding: 'utf8' });
      return { ...ended, stderr: withoutWaiting(ended.stderr) };
    };
    const up = run('mk-launch', '--cores', '2', '--machine', 'amd-2x2', '--detach');
    expect([up.status, up.stderr]).toEqual([0, '']);
    try {
      const asked = run('mkctl', 'skb', 'X is 1 + 2');
      expect([asked.stdout, asked.stderr]).toEqual(['{"X":3}\n', '']);
    } finally {
      expect(run('mkctl', 'down').status).toBe(0);
    }
  });
});
