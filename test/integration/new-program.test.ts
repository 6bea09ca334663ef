import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { builtProgram, ROOT } from './built-programs.ts';
import { ClusterPlace } from './running-cluster.ts';

/**
 * `mk-launch new`: from an empty folder, with no checkout above it, to a program that runs in both worlds and passes
 * type checks, and to a Node process that attaches to a running cluster. Everything is installed from the folder's own
 * package, without a registry.
 */

const place = new ClusterPlace();
afterAll(() => place.cleanUp());

const folder = join(place.state, 'my-program');
const env = { ...process.env, MK_STATE_DIR: place.state, NODE_OPTIONS: '', NO_COLOR: '1' };
const launch = builtProgram('mk-launch.cjs');
const run = (cwd: string, command: string, ...words: string[]) =>
  spawnSync(command, words, { cwd, env, encoding: 'utf8', timeout: 600_000 });
const node = (cwd: string, ...words: string[]) => run(cwd, process.execPath, ...words);

beforeAll(() => {
  expect(node(place.state, launch, 'new', 'my-program')).toMatchObject({
    status: 0,
    stdout: 'made my-program: cd my-program && npm test\n',
  });
});

test('a template’s own test runs it in the simulator, with nothing installed', () => {
  expect(readdirSync(folder).sort()).toEqual([
    '.gitignore',
    'README.md',
    'attach.js',
    'my-program.test.js',
    'my-program.ts',
    'package.json',
    'tsconfig.json',
    'vendor',
  ]);
  expect(node(folder, '--test')).toMatchObject({ status: 0, stderr: '' });
});

test('libmk installs from the folder without a registry; types check against it; attach.js runs a program on a cluster, and one of its own', async () => {
  const installed = run(
    folder,
    'npm',
    'install',
    '--offline',
    '--no-audit',
    '--no-fund',
    '--registry=http://127.0.0.1:9',
  );
  expect([installed.status, installed.stderr]).toEqual([0, '']);
  expect(readdirSync(join(folder, 'node_modules')).sort()).toEqual(['.package-lock.json', '@mk']);
  // Nothing in it leads back to the checkout.
  const library = join(folder, 'node_modules', '@mk', 'libmk');
  expect(JSON.parse(readFileSync(join(library, 'package.json'), 'utf8'))).toMatchObject({ name: '@mk/libmk' });
  const types = node(folder, join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.');
  expect(types).toMatchObject({ status: 0, stdout: '' });
  await place.boot('--cores', '2', '--name', 'two');
  expect(node(folder, 'attach.js', 'two')).toMatchObject({
    status: 0,
    stderr: '',
    stdout: 'ring 0.1.1 on two: exited\n',
  });
  symlinkSync(join(ROOT, 'node_modules', 'esbuild'), join(folder, 'node_modules', 'esbuild')); // as npm install esbuild
  const own = `import { connect } from '@mk/libmk';
    const mk = await connect('two');
    console.log((await (await mk.spawn('./my-program.ts')).wait()).cause);
    await mk.close();`;
  expect(node(folder, '--input-type=module', '-e', own)).toMatchObject({ status: 0, stderr: '', stdout: 'exited\n' });
  expect(node(folder, 'attach.js', 'three').stderr).toContain('no cluster named three runs here; these do: two');
});

test('it runs on processes, and a folder that is not empty or has an odd name is refused', () => {
  const done = node(folder, launch, '--cores', '2', 'run', './my-program.ts');
  expect(done).toMatchObject({ status: 0, stdout: '1/1.1.1  10 balls played\n' });
  expect(node(place.state, launch, 'new', 'my-program').stderr).toContain('exists and is not empty');
  expect(node(place.state, launch, 'new', 'My Program').stderr).toContain('lower-case letters');
});
