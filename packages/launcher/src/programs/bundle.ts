import type * as esbuild from 'esbuild';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire, SourceMap, type SourceMapPayload } from 'node:module';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { programDirectory } from '../boot/programs.ts';
import { CommandError } from '../cli/usage-error.ts';
import { type Domains, shippedProgram } from './shipped.ts';

/** A user's program, ready for a core. */
export interface BundledProgram {
  readonly name: string;
  /** The file with all that it imports, as one script for the bare context of a dispatcher. */
  readonly text: string;
}

/** Whether a word names a file rather than one of the programs that ship. */
export function isProgramFile(word: string): boolean {
  return /[\\/]/.test(word) || /\.[cm]?[jt]s$/.test(word);
}

/**
 * Bundles a TypeScript or JavaScript file that exports `main`: what `program(…)` made, or a function of `mk`. It imports
 * libmk as `@mk/libmk/…`. Throws CommandError with the file's own line when it does not compile.
 */
export async function bundleProgram(file: string): Promise<BundledProgram> {
  const path = resolve(file);
  if (!existsSync(path)) throw new CommandError(`there is no file ${file}`, 2);
  const { build } = bundler();
  const name = basename(path).replace(/\.[^.]+$/, '');
  const root = dirname(programDirectory());
  try {
    const { outputFiles } = await build({
      stdin: { contents: entry(path, name), resolveDir: root, loader: 'ts' },
      bundle: true,
      write: false,
      platform: 'neutral',
      format: 'iife',
      target: 'es2022',
      conditions: ['@mk/source'],
      mainFields: ['module', 'main'],
      nodePaths: [join(root, 'node_modules')],
      sourcemap: 'inline',
      sourcesContent: false,
      absWorkingDir: '/',
      logLevel: 'silent',
    });
    return { name, text: outputFiles[0]!.text };
  } catch (error) {
    throw new CommandError(firstError(error), 2);
  }
}

/** A program by the word that a command names it with: a file, or one that ships. Throws CommandError. */
export async function programNamed(word: string): Promise<BundledProgram & { readonly domains: Domains }> {
  if (isProgramFile(word)) return { ...(await bundleProgram(word)), domains: 'named' };
  const { name, domains } = shippedProgram(word);
  return { name, text: readFileSync(join(programDirectory(), 'programs', `${name}.js`), 'utf8'), domains };
}

/** What is evaluated in the context of a dispatcher before its program. */
export function contextText(): string {
  return readFileSync(join(programDirectory(), 'dispatcher-context.js'), 'utf8');
}

/**
 * A text with the places of a bundle's stack trace told as places of the files that it was made of: `hello:4512:11` becomes
 * `hello.ts:3:9`. Frames of the host behind the last such place are left out.
 */
export function inSources(text: string, { name, text: bundle }: BundledProgram): string {
  const [, encoded] = /sourceMappingURL=data:application\/json;base64,(\S+)/.exec(bundle) ?? [];
  if (encoded === undefined) return text;
  const map = new SourceMap(JSON.parse(Buffer.from(encoded, 'base64').toString('utf8')) as SourceMapPayload);
  const place = new RegExp(`\\b${name.replace(/\W/g, '\\$&')}:(\\d+):(\\d+)`, 'g');
  const lines = text.split('\n').filter((line) => !/^\s+at /.test(line) || line.search(place) >= 0);
  const told = lines.join('\n').replace(place, (found, line: string, column: string) => {
    const { originalSource, originalLine, originalColumn } = map.findEntry(
      Number(line) - 1,
      Number(column) - 1,
    ) as Entry;
    if (originalSource === undefined) return found;
    return `${shown(originalSource)}:${originalLine! + 1}:${originalColumn! + 1}`;
  });
  return withoutLibrary(told);
}

/** Frames of libmk say nothing about the program, as long as there are others. */
function withoutLibrary(text: string): string {
  const lines = text.split('\n');
  const own = lines.filter((line) => !/^\s+at .*[\\/]libmk[\\/](src|dist)[\\/]/.test(line));
  return own.some((line) => /^\s+at /.test(line)) ? own.join('\n') : text;
}

/** A path as esbuild has it, from the root, as a person at this place would write it. */
function shown(path: string): string {
  const absolute = resolve('/', path);
  const near = relative(process.cwd(), absolute);
  return near.startsWith('..') ? absolute : near;
}

interface Entry {
  readonly originalSource?: string;
  readonly originalLine?: number;
  readonly originalColumn?: number;
}

/** Loaded when a file is bundled: nothing else needs it. (`import()` does not work in a program that was compiled from its code cache.) */
function bundler(): typeof esbuild {
  try {
    return createRequire(import.meta.url)('esbuild') as typeof esbuild;
  } catch {
    throw new CommandError('esbuild, which bundles programs, is not installed here: run npm ci in the checkout', 2);
  }
}

function entry(path: string, name: string): string {
  const start = `import { start } from '@mk/libmk/program/program';`;
  return `${start}\nimport { main } from ${JSON.stringify(path)};\nstart(main, ${JSON.stringify(name)});\n`;
}

/** The first thing that esbuild names, as `file:line: text`. */
function firstError(error: unknown): string {
  const { errors } = error as { readonly errors?: readonly EsbuildMessage[] };
  const [first] = errors ?? [];
  if (first === undefined) return error instanceof Error ? error.message : String(error);
  const { location, text } = first;
  return location === null ? text : `${shown(location.file)}:${location.line}: ${text}`;
}

interface EsbuildMessage {
  readonly text: string;
  readonly location: { readonly file: string; readonly line: number } | null;
}
