// Bundles what runs in the bare context of a dispatcher: the context's own text, and programs with their library.
import { readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';
import { root } from './install.mjs';

const COMMON = {
  bundle: true,
  write: false,
  platform: 'neutral',
  format: 'iife',
  target: 'es2022',
  conditions: ['@mk/source'],
  mainFields: ['module', 'main'],
  logLevel: 'silent',
};

/**
 * The text evaluated first in a context. It captures the language's built-ins before a program can change them;
 * `mkTurn` is a constant of the script, so that the program cannot replace it.
 */
export async function contextText() {
  const entry = join(root, 'packages/libmk/src/dispatcher/context/context-main.ts');
  const text = await bundle({ ...entryOf(entry), minify: true });
  const names = readFileSync(join(root, 'packages/libmk/src/dispatcher/context/global-names.ts'), 'utf8');
  const [, taken] = /'(Object [^']*)'/.exec(names);
  return (
    `const mkTurn = (function () { "use strict"; const { ${taken.split(' ').join(', ')} } = globalThis;\n${text}\n` +
    'const turn = globalThis.mkTurn; delete globalThis.mkTurn; return turn; })();'
  );
}

/** A program file and all its imports as the one text that a core runs. */
export function programText(file) {
  return bundle({ ...entryOf(file), sourcemap: 'inline', sourcesContent: false });
}

/** The same for a file that exports its main as a plain function or as a program. */
export function startedProgramText(file) {
  const path = resolve(file);
  const name = basename(path).replace(/\.[^.]+$/, '');
  const contents = `import { start } from '@mk/libmk/program/program';\nimport { main } from ${JSON.stringify(`./${basename(path)}`)};\nstart(main, ${JSON.stringify(name)});\n`;
  return bundle({ stdin: { contents, loader: 'ts', resolveDir: dirname(path) } });
}

/** The same for a program given as text, which imports the project's packages by name. */
export function programTextOf(contents) {
  return bundle({ stdin: { contents, loader: 'ts', resolveDir: join(root, 'packages/sim') } });
}

/**
 * Relative to its folder: esbuild takes an entry with * for a pattern, and the checkout's folder name may contain one.
 */
function entryOf(file) {
  const path = resolve(file);
  return { absWorkingDir: dirname(path), entryPoints: [basename(path)] };
}

async function bundle(options) {
  const { outputFiles } = await build({ ...COMMON, ...options });
  return outputFiles[0].text;
}
