import { codeOf } from '@mk/monitor-proto/thrown';
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { gunzipSync } from 'node:zlib';
import { lineSplitter } from '../supervisor/line-splitter.ts';

type OnLine = (line: string) => void;

/** A process's log, or an older part of it as logrotate names them: `core-0.jsonl.1`, `core-0.jsonl-20261130.gz`. */
const LOG_NAME = /^(.+)\.jsonl(?:[.-]\d+)?(\.gz)?$/;

/** The processes that have a log in a folder. */
export function processesLoggedIn(folder: string | null): readonly string[] {
  return [...new Set((folder === null ? [] : logNamesIn(folder)).map((name) => LOG_NAME.exec(name)?.[1] ?? ''))];
}

/**
 * The logs in a folder, read as far as they go each time: also while they are rotated, by renaming (a process goes on writing into the
 * renamed file) or by copying and truncating.
 */
export class LogFolder {
  /** By inode, since names change. */
  private readonly files = new Map<string, LogFile>();
  private isFirstTime = true;

  constructor(private readonly path: string) {}

  /** Calls `onLine` with what is new since the last time: each process's lines in the order of writing. */
  readNew(onLine: OnLine): void {
    for (const name of oldestFirst(this.path, logNamesIn(this.path))) {
      const path = join(this.path, name);
      if (!name.endsWith('.gz')) this.fileAt(path)?.readNew(path, onLine);
      else if (this.isFirstTime) readCompressed(path, onLine);
    }
    this.isFirstTime = false;
  }

  private fileAt(path: string): LogFile | null {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return null;
    const id = `${stat.dev}:${stat.ino}`;
    const file = this.files.get(id) ?? new LogFile();
    this.files.set(id, file);
    return file;
  }
}

/** Calls `onLine` with each line of a file. */
export function readLogFile(path: string, onLine: OnLine): void {
  if (path.endsWith('.gz')) readCompressed(path, onLine);
  else new LogFile().readNew(path, onLine);
}

/** One file, wherever it is called what. */
class LogFile {
  private position = 0;
  private decoder = new StringDecoder('utf8');
  private onLine: OnLine = () => undefined;
  private split = this.splitter();

  readNew(path: string, onLine: OnLine): void {
    this.onLine = onLine;
    const file = openIfThere(path);
    if (file === null) return;
    try {
      if (fstatSync(file).size < this.position) this.beginAgain();
      const buffer = Buffer.alloc(1 << 16);
      for (let bytes = this.read(file, buffer); bytes > 0; bytes = this.read(file, buffer)) {
        this.position += bytes;
        this.split(this.decoder.write(buffer.subarray(0, bytes)));
      }
    } finally {
      closeSync(file);
    }
  }

  private read(file: number, buffer: Buffer): number {
    return readSync(file, buffer, 0, buffer.length, this.position);
  }

  /** It was truncated. */
  private beginAgain(): void {
    this.position = 0;
    this.decoder = new StringDecoder('utf8');
    this.split = this.splitter();
  }

  private splitter(): (chunk: string) => void {
    return lineSplitter((line) => this.onLine(line));
  }
}

function logNamesIn(folder: string): readonly string[] {
  try {
    const names = readdirSync(folder).filter((name) => LOG_NAME.test(name));
    // While it is being compressed a part is there twice.
    return names.filter((name) => !name.endsWith('.gz') || !names.includes(name.slice(0, -'.gz'.length)));
  } catch {
    return [];
  }
}

/** A log's older parts come before it: they were written last earlier. */
function oldestFirst(folder: string, names: readonly string[]): readonly string[] {
  if (names.every((name) => name.endsWith('.jsonl'))) return names;
  const written = (name: string): number => statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const isPart = (name: string): number => Number(!name.endsWith('.jsonl'));
  const dated = names.map((name) => ({ name, part: isPart(name), at: written(name) }));
  return dated.toSorted((a, b) => b.part - a.part || a.at - b.at).map(({ name }) => name);
}

function openIfThere(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** One that is damaged, or just being written, is passed over. */
function readCompressed(path: string, onLine: OnLine): void {
  try {
    lineSplitter(onLine)(gunzipSync(readFileSync(path)).toString('utf8'));
  } catch {
    // its lines are lost
  }
}
