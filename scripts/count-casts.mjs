// Counts casts (`as T`, `<T>x`; not `as const`, nor `as` in imports) and non-null assertions (`x!`) in product code, by
// package. At each the compiler takes our word. The numbers may only fall: more than scripts/casts.json allows is an
// error; fewer must be recorded with `node scripts/count-casts.mjs --write`.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { root } from './install.mjs';

const TABLE = join(root, 'scripts', 'casts.json');

/** The casts and non-null assertions in a file's text. */
export function countIn(text) {
  const source = ts.createSourceFile('counted.ts', text, ts.ScriptTarget.Latest, true);
  const count = { casts: 0, assertions: 0 };
  const visit = (node) => {
    if ((ts.isAsExpression(node) || ts.isTypeAssertionExpression(node)) && !ts.isConstTypeReference(node.type))
      count.casts += 1;
    if (ts.isNonNullExpression(node)) count.assertions += 1;
    ts.forEachChild(node, visit);
  };
  visit(source);
  return count;
}

/** The current numbers, by package. */
function countAll() {
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', 'packages'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
    .split('\0')
    .filter((path) => /^packages\/[^/]+\/src\/.*\.ts$/.test(path));
  const counts = {};
  for (const path of files.toSorted()) {
    const found = countIn(read(path));
    const sum = (counts[path.split('/')[1]] ??= { casts: 0, assertions: 0 });
    sum.casts += found.casts;
    sum.assertions += found.assertions;
  }
  return counts;
}

function read(path) {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return ''; // deleted, but not yet committed
  }
}

/** The differences from the table, one line each; `isWorse` if any number rose. */
export function compare(counts, allowed) {
  const lines = [];
  let isWorse = false;
  for (const name of new Set([...Object.keys(counts), ...Object.keys(allowed)])) {
    for (const kind of ['casts', 'assertions']) {
      const [now, most] = [counts[name]?.[kind] ?? 0, allowed[name]?.[kind] ?? 0];
      if (now === most) continue;
      if (now > most) isWorse = true;
      const advice = now > most ? 'narrow the type instead of asserting it' : 'write it down: --write';
      lines.push(`packages/${name}: ${now} ${kind}, ${most} in scripts/casts.json; ${advice}`);
    }
  }
  return { lines, isWorse };
}

function sumOf(counts, kind) {
  return Object.values(counts).reduce((sum, row) => sum + row[kind], 0);
}

function main() {
  const counts = countAll();
  if (process.argv.includes('--write')) writeFileSync(TABLE, `${JSON.stringify(counts, null, 2)}\n`);
  const { lines, isWorse } = compare(counts, JSON.parse(readFileSync(TABLE, 'utf8')));
  for (const line of lines) process.stdout.write(`${line}\n`);
  process.stdout.write(`casts: ${sumOf(counts, 'casts')} casts, ${sumOf(counts, 'assertions')} non-null assertions\n`);
  process.exitCode = isWorse ? 1 : 0;
}

if (process.argv[1]?.endsWith('count-casts.mjs')) main();
