import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { ROOT } from '../integration/built-programs.ts';

/** The reference of environment variables is complete: it lists every variable that the source reads. */

/** Set by one of our processes for another, not by people. */
const OWN = ['MK_CORE', 'MK_SKB', 'MK_SUPERVISE', 'MK_MAKE_CACHE_NAME', 'MK_LAUNCH'];
const READS = /\benv(?:\.|\[['"])([A-Z][A-Z0-9_]*)/g;

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|mjs)$/.test(name) && !name.includes('node_modules'))
    .map((name) => join(folder, name));
}

test('every variable that the source reads is in the reference', () => {
  const reference = readFileSync(join(ROOT, 'docs', 'reference', 'environment.md'), 'utf8');
  const known = new Set([...reference.matchAll(/^\| `([A-Z0-9_]+)`/gm)].map(([, name]) => name));
  const read = ['packages', 'scripts', 'test', 'benchmarks'].flatMap(sources).flatMap((file) =>
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(READS)]
      .map(([, name]) => name!)
      .filter((name) => name.startsWith('MK_') || file.startsWith('packages/launcher/src'))
      .filter((name) => !OWN.includes(name) && !known.has(name))
      .map((name) => `${name} in ${file}`),
  );
  expect(read).toEqual([]);
  expect(known.size).toBeGreaterThan(30);
});

test('every variable of the tests in the reference is read', () => {
  const table = readFileSync(join(ROOT, 'scripts', 'docs', 'test-variables.ts'), 'utf8');
  const documented = [...table.matchAll(/^ {2}(MK_\w+): /gm)].map(([, name]) => name!);
  const files = [...['packages', 'scripts', 'test', 'benchmarks'].flatMap(sources), join('.ci', 'run')];
  const texts = files
    .filter((file) => !file.endsWith('test-variables.ts'))
    .map((file) => readFileSync(join(ROOT, file), 'utf8'));
  expect(documented.length).toBeGreaterThan(15);
  expect(documented.filter((name) => !texts.some((text) => text.includes(name)))).toEqual([]);
});
