import type * as esbuild from 'esbuild';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { codeOf } from '@mk/monitor-proto/thrown';
import { ControlError } from './control-call.ts';

/** A program, ready for a core. */
export interface ProgramText {
  readonly name: string;
  /** The file with all its imports, as one script for a dispatcher's bare context. */
  readonly text: string;
}

export interface BundleOptions {
  /**
   * The folder from which `@mk/libmk` is resolved, this library’s own by default: wherever a program lies, it gets its
   * bundler's library.
   */
  readonly libraryFrom?: string;
  /** Extra conditions of package exports. */
  readonly conditions?: readonly string[];
  /** Shows paths in messages as a person here would write them. */
  readonly shown?: (path: string) => string;
}

/** This file's folder, or that of the bundle that contains it. */
const HERE = dirname(fileURLToPath(import.meta.url));
/** Marks the plugin's own resolve requests. */
const RESOLVED = Symbol('resolved');

/** Whether a word names a file rather than a shipped program. */
export function isProgramFile(word: string): boolean {
  return /[\\/]/.test(word) || /\.[cm]?[jt]s$/.test(word);
}

/**
 * Bundles a TypeScript or JavaScript file that exports `main`: the result of `program(…)`, or a function of `mk`.
 * Throws ControlError NO_SUCH_PROGRAM, with the file's own line if it does not compile.
 */
export async function bundleFile(
  file: string,
  { libraryFrom = HERE, conditions = [], shown = (path) => path }: BundleOptions = {},
): Promise<ProgramText> {
  const path = resolve(file);
  if (!existsSync(path)) throw new ControlError('NO_SUCH_PROGRAM', `there is no file ${file}`);
  const { build } = bundler();
  const name = basename(path).replace(/\.[^.]+$/, '');
  try {
    const { outputFiles } = await build({
      stdin: { contents: entry(path, name), resolveDir: libraryFrom, loader: 'ts' },
      bundle: true,
      write: false,
      platform: 'neutral',
      format: 'iife',
      target: 'es2022',
      conditions: [...conditions],
      mainFields: ['module', 'main'],
      plugins: [ownLibrary(libraryFrom)],
      sourcemap: 'inline',
      sourcesContent: false,
      absWorkingDir: '/',
      logLevel: 'silent',
    });
    return { name, text: outputFiles.map(({ text }) => text).join('') };
  } catch (error) {
    throw new ControlError('NO_SUCH_PROGRAM', firstError(error, shown, path));
  }
}

/**
 * The text of a shipped program, from the folder `programs` beside this library; null if there is none of that name.
 */
export function shippedText(name: string): string | null {
  if (!/^[a-z][a-z0-9-]*$/.test(name)) return null;
  for (const folder of [HERE, dirname(HERE)]) {
    try {
      return readFileSync(join(folder, 'programs', `${name}.js`), 'utf8');
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }
  return null;
}

/** One library per program, that of its kernel: two would not recognise each other’s errors and interfaces. */
function ownLibrary(libraryFrom: string): esbuild.Plugin {
  return {
    name: 'own-library',
    setup: (build) =>
      build.onResolve({ filter: /^@mk\// }, ({ path, kind, pluginData }) =>
        pluginData === RESOLVED
          ? undefined
          : build.resolve(path, { kind, resolveDir: libraryFrom, pluginData: RESOLVED }),
      ),
  };
}

/**
 * Loaded when a file is bundled; nothing else needs it. (`import()` does not work in a program compiled from its code
 * cache.)
 */
function bundler(): typeof esbuild {
  for (const from of [import.meta.url, join(process.cwd(), 'package.json')]) {
    try {
      return createRequire(from)('esbuild') as typeof esbuild;
    } catch {
      // perhaps beside the caller's program
    }
  }
  throw new ControlError(
    'NO_SUCH_PROGRAM',
    'esbuild, which bundles a program into one script, is not installed: npm install esbuild (in a checkout: npm ci)',
  );
}

function entry(path: string, name: string): string {
  const start = `import { start } from '@mk/libmk/program/program';`;
  return `${start}\nimport { main } from ${JSON.stringify(path)};\nstart(main, ${JSON.stringify(name)});\n`;
}

/** esbuild's first error, as `file:line: text`. */
function firstError(error: unknown, shown: (path: string) => string, path: string): string {
  const { errors } = error as { readonly errors?: readonly EsbuildMessage[] };
  const [first] = errors ?? [];
  if (first === undefined) return error instanceof Error ? error.message : String(error);
  const { location, text } = first;
  if (/^No matching export in .* for import "main"$/.test(text))
    return `${shown(path)} exports no main: export a function of mk, or the result of program(…)`;
  return location === null ? text : `${shown(location.file)}:${location.line}: ${inOurWords(text)}`;
}

/** Rewords esbuild's errors for imports that no program can have, and says what to do instead. */
function inOurWords(text: string): string {
  const [, module] = /^Could not resolve "(.+)"$/.exec(text) ?? [];
  if (module !== undefined && isBuiltin(module))
    return `${module} belongs to the host, which a program cannot see: use mk instead`;
  if (text.startsWith('Top-level await')) return 'a program has no top-level await: await in the main function';
  return text;
}

interface EsbuildMessage {
  readonly text: string;
  readonly location: { readonly file: string; readonly line: number } | null;
}
