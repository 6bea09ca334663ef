import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { builtProgram } from './built-programs.ts';
import { ClusterPlace } from './running-cluster.ts';

/** `mk-launch new`: from an empty folder to a program that runs in both worlds, and whose types check. */

const place = new ClusterPlace();
afterAll(() => place.cleanUp());

test('a template’s own test runs it in the simulator; its types check; it runs on processes', () => {
  const env = { ...process.env, MK_STATE_DIR: place.state, NODE_OPTIONS: '' };
  const run = (cwd: string, ...words: string[]) =>
    spawnSync(process.execPath, words, { cwd, env, encoding: 'utf8', timeout: 240_000 });
  const launch = builtProgram('mk-launch.cjs');
  expect(run(place.state, launch, 'new', 'my-program')).toMatchObject({
    status: 0,
    stdout: 'made my-program: cd my-program && npm test\n',
  });
  const folder = join(place.state, 'my-program');
  expect(readdirSync(folder).sort()).toEqual([
    'README.md',
    'my-program.test.js',
    'my-program.ts',
    'package.json',
    'tsconfig.json',
  ]);
  expect(run(folder, '--test')).toMatchObject({ status: 0, stderr: '' });
  const types = run(folder, join(process.cwd(), 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.');
  expect(types).toMatchObject({ status: 0, stdout: '' });
  const done = run(folder, launch, '--cores', '2', 'run', './my-program.ts');
  expect(done).toMatchObject({ status: 0, stdout: '1/1.1.1  10 balls played\n' });
  expect(run(place.state, launch, 'new', 'my-program').stderr).toContain('is there and not empty');
  expect(run(place.state, launch, 'new', 'My Program').stderr).toContain('lower-case letters');
});
