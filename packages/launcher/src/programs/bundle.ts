import { known } from '@mk/monitor-proto/assert';
import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { ControlError } from '@mk/libmk/io/control-call';
import { bundleFile, isProgramFile, type ProgramText } from '@mk/libmk/io/program-text';
import { EXIT_STATUS } from '@mk/libmk/program/exit-status';
import { programDirectory } from '../boot/programs.ts';
import { CommandError } from '../cli/usage-error.ts';
import { type Domains, shippedProgram } from './shipped.ts';

/** A program, ready for a core. */
export type BundledProgram = ProgramText;

/** Bundles a user's file with this checkout's libmk. Throws CommandError with the file's own line when it does not compile. */
async function bundleProgram(file: string): Promise<BundledProgram> {
  try {
    return await bundleFile(file, { libraryFrom: dirname(programDirectory()), conditions: ['@mk/source'], shown });
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    throw new CommandError(error.message.slice(`${error.error}: `.length), 2);
  }
}

interface NamedProgram extends BundledProgram {
  readonly domains: Domains;
  readonly asksForLines: boolean;
  /** The status by which it refuses its arguments; absent in a user's own program. */
  readonly wrongArguments?: number;
}

/** The program that a command names: a file, or one that ships. Throws CommandError. */
export async function programNamed(word: string): Promise<NamedProgram> {
  if (isProgramFile(word)) return { ...(await bundleProgram(word)), domains: 'named', asksForLines: false };
  const { name, domains, asksForLines } = shippedProgram(word);
  return {
    name,
    text: readFileSync(join(programDirectory(), 'programs', `${name}.js`), 'utf8'),
    domains,
    asksForLines,
    wrongArguments: EXIT_STATUS.usage,
  };
}

/** The text that a dispatcher's context evaluates before its program. */
export function contextText(): string {
  return readFileSync(join(programDirectory(), 'dispatcher-context.js'), 'utf8');
}

/**
 * Replaces places in a bundle's stack trace by places in its source files: `hello:4512:11` becomes `hello.ts:3:9`.
 * Drops the host's frames after the last such place.
 */
export function inSources(text: string, program: BundledProgram): string {
  const place = new RegExp(`(?<![\\w./-])${program.name.replace(/\W/g, '\\$&')}:(\\d+):(\\d+)`, 'g');
  const map = text.search(place) < 0 ? null : mapOf(program);
  if (map === null) return text;
  const trace = text.replace(/^\S+:\d+\n.*\n\s*\^+\n\n/, ''); // what Node puts before one: the line of the bundle
  const lines = trace.split('\n').filter((line) => !/^\s+at /.test(line) || line.search(place) >= 0);
  const told = lines.join('\n').replace(place, (found, line: string, column: string) => {
    const { originalSource, originalLine, originalColumn } = map.findEntry(
      Number(line) - 1,
      Number(column) - 1,
    ) as Entry;
    if (originalSource === undefined) return found;
    return `${shown(originalSource)}:${known(originalLine) + 1}:${known(originalColumn) + 1}`;
  });
  return withoutLibrary(told);
}

/**
 * Frames of libmk, and of what starts the program, are noise to its author. An error thrown by the engine may be our
 * fault, so those frames stay if there are no others.
 */
function withoutLibrary(text: string): string {
  const lines = text.split('\n').filter((line) => !/^\s+at .*<stdin>/.test(line));
  const own = lines.filter((line) => !/^\s+at .*[\\/]libmk[\\/](src|dist)[\\/]/.test(line));
  const ours = /(Type|Reference|Range|Syntax)Error: /.test(known(lines[0]));
  return own.some((line) => /^\s+at /.test(line)) || !ours ? own.join('\n') : lines.join('\n');
}

const MAPS = new WeakMap<BundledProgram, SourceMap | null>();

function mapOf(program: BundledProgram): SourceMap | null {
  const made = MAPS.get(program);
  if (made !== undefined) return made;
  const [, encoded] = /sourceMappingURL=data:application\/json;base64,(\S+)/.exec(program.text) ?? [];
  const payload = encoded === undefined ? null : Buffer.from(encoded, 'base64').toString('utf8');
  const map = payload === null ? null : new SourceMap(JSON.parse(payload) as SourceMapPayload);
  MAPS.set(program, map);
  return map;
}

/** esbuild's path, which starts at the root, as a person in this folder would write it. */
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
