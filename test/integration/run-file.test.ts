import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ClusterPlace } from './running-cluster.ts';

/** A user's own file, run directly by `mkctl run`. */

const place = new ClusterPlace();
const file = (name: string, text: string): string => {
  const path = join(place.state, name);
  writeFileSync(path, text);
  return path;
};

beforeAll(async () => void (await place.boot('--cores', '3')));
afterAll(() => place.cleanUp());

const HELLO = `import { program } from '@mk/libmk/program/program';
export const main = program({ name: 'hello' }, async (mk) => {
  for (const word of mk.args) mk.console.log(\`\${word} from core \${mk.self.core}\`);
  return 3;
});`;

test('prints what it prints, and ends with its status', async () => {
  const done = await place.mkctl('run', file('hello.ts', HELLO), '--', 'good', '--day');
  expect(done).toMatchObject({ status: 3, stdout: 'good from core 0\n--day from core 0\n' });
});

test('on several cores, each line with core and domain', async () => {
  const done = await place.mkctl('run', file('hello.ts', HELLO), '--on', '0,2', '--', 'good');
  expect(done.stdout.split('\n').sort().join('\n')).toMatch(
    /^\n0\/0\.1\.\d+ {2}good from core 0\n2\/2\.1\.\d+ {2}good from core 2$/,
  );
});

test('a plain function is a program; its error names the line of its own file', async () => {
  const text =
    '// a comment\nexport const main = async (mk: { args: string[] }): Promise<void> => {\n  throw new Error(`as ${mk.args[0]}`);\n};\n';
  const done = await place.mkctl('run', file('throws.ts', text), '--', 'feared');
  expect(done.status).toBe(1);
  expect(done.stderr).toMatch(/^throws \(0\.1\.\d+\) ended with UNCAUGHT: .*as feared\n {4}at .*throws\.ts:3:9/);
});

test.each([
  ['syntax.ts', 'export const main = (', 'syntax.ts:1'],
  ['no-main.js', 'export const other = 1;', 'no-main.js exports no main'],
  ['waits.ts', 'await 0; export const main = () => 0;', 'waits.ts:1: a program has no top-level await'],
  ['host.ts', "import 'node:fs'; export const main = () => 0;", 'node:fs'],
])('%s is refused in one line', async (name, text, what) => {
  const done = await place.mkctl('run', file(name, text));
  expect(done).toMatchObject({ status: 2, stdout: '' });
  expect(done.stderr).toContain(what);
  expect(done.stderr.trim().split('\n')).toHaveLength(1);
});

test('what is not there is named', async () => {
  expect((await place.mkctl('run', './nowhere.ts')).stderr).toBe('mkctl: there is no file ./nowhere.ts\n');
  const far = await place.mkctl('run', file('hello.ts', HELLO), '--on', '9');
  expect(far).toMatchObject({ status: 1, stderr: expect.stringContaining('core 9 is not up') });
});

test('what a program’s children print comes out as well, and console.error on stderr', async () => {
  const text = `export const main = async (mk) => {
    if (mk.args[0] === 'child') return void mk.console.log('the child says it');
    const child = await mk.processes.spawn(null, { core: 1, args: ['child'] });
    mk.console.error('the parent waits');
    return (await child.wait()).status;
  };`;
  const done = await place.mkctl('run', file('family.js', text));
  expect(done).toMatchObject({ status: 0, stdout: 'the child says it\n', stderr: 'the parent waits\n' });
});

test('mk-launch run boots, runs, prints with core and domain, ends with the program’s status and leaves nothing', async () => {
  const launched = (...args: string[]) => place.start('mk-launch.cjs', args).ended;
  const done = await launched('--cores', '2', 'run', file('hello.ts', HELLO), 'good', '--on', '9');
  expect(done).toMatchObject({ status: 3, stderr: '' });
  expect(done.stdout).toBe('0/0.1.1  good from core 0\n0/0.1.1  --on from core 0\n0/0.1.1  9 from core 0\n');
  const lines = 'console.log(`at load`);\nexport const main = () => console.log(`two\\nlines`);';
  const loaded = await launched('--cores', '1', 'run', file('lines.js', lines));
  expect(loaded).toMatchObject({ status: 0, stdout: '0/0.1.1  at load\n0/0.1.1  two\n0/0.1.1  lines\n', stderr: '' });
  const fails = 'console.log(`at load`);\nconst x = 1;\nthrow new Error(`x is ${x}`);\nexport const main = () => 0;';
  const failed = await launched('--cores', '1', 'run', file('fails.ts', fails));
  expect(failed).toMatchObject({ status: 1, stdout: '0/0.1.1  at load\n' });
  expect(failed.stderr).toMatch(/^fails \(0\.1\.1\) ended with UNCAUGHT: Error: x is 1\n {4}at .*fails\.ts:3:7\n$/);
  const broken = await launched('run', file('syntax.ts', 'export const main = ('), '--cores', '2');
  expect(broken).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining('syntax.ts:1') });
  expect(readdirSync(place.state).filter((name) => name.startsWith('run-'))).toEqual([]);
});

test('mk-launch sim run: the same file, the same words, on virtual time; an endless loop ends as on a core', async () => {
  const simulated = (...args: string[]) => place.start('mk-launch.cjs', ['sim', 'run', ...args]).ended;
  const done = await simulated(file('hello.ts', HELLO), 'good', '--day', '--seed', '3');
  expect(done).toMatchObject({ status: 1, stderr: '' });
  expect(done.stdout).toMatch(/^seed 3\n0\/0\.1\.1 {2}good from core 0\n0\/0\.1\.1 {2}--day from core 0\n/);
  expect(done.stdout).toContain(`repeat: mk-launch sim run ${join(place.state, 'hello.ts')} --seed 3 -- good --day\n`);
  const text = 'export const main = (mk) => { mk.console.log("never told"); for (;;); };';
  const loop = await simulated(file('loop.js', text), '--once');
  expect(loop.stdout).toMatch(
    /PR2 \(program\) at 5\d{3}\.\d{3} ms: loop \(0\.1\.1\) ended with OVERRUN: it kept the core/,
  );
  expect(loop.status).toBe(1);
});
