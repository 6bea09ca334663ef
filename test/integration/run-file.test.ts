import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ClusterPlace } from './running-cluster.ts';

/** A user's own file, straight from `mkctl run`. */

const place = new ClusterPlace();
const file = (name: string, text: string): string => {
  const path = join(place.state, name);
  writeFileSync(path, text);
  return path;
};

beforeAll(async () => void (await place.boot('--cores', '3')), 120_000);
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
  ['no-main.js', 'export const other = 1;', 'No matching export'],
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
