import { asError, codeOf } from '@mk/monitor-proto/thrown';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { findMachine } from '../catalogue.ts';
import type { MachineDescription } from '../description.ts';
import { parseHwloc } from '../hwloc.ts';
import { visible } from '../one-line.ts';
import { refuse, type Result, succeed } from '@mk/monitor-proto/result';
import { parseMachineYaml } from '../yaml.ts';

/** Even lstopo writes no description of this size. */
const MAX_FILE_BYTES = 32 << 20;

/**
 * Loads a machine: a shipped one by its name (a file of `machinesDirectory`), or the path of a YAML description or of
 * `lstopo --of xml` output. The error is one line that names the file and the place in it.
 */
export function loadMachine(nameOrPath: string, machinesDirectory: string): Result<MachineDescription, string> {
  const isPath = /[/\\]|\.(ya?ml|xml)$/i.test(nameOrPath);
  if (isPath) return loadFile(nameOrPath);
  const found = findMachine(nameOrPath);
  if (found.ok) return loadFile(join(machinesDirectory, `${found.value}.yaml`));
  return existsSync(nameOrPath) && statSync(nameOrPath).isFile() ? loadFile(nameOrPath) : found;
}

function loadFile(path: string): Result<MachineDescription, string> {
  const what = visible(path);
  const text = readText(path);
  if (!text.ok) return text;
  // No YAML description begins like this, whatever the file's name.
  const isXml = /\.xml$/i.test(path) || /^\s*</.test(text.value);
  return isXml ? parseHwloc(text.value, what, nameFor(path)) : parseMachineYaml(text.value, what);
}

/** Reads a text file of at most 32 MiB, in UTF-8 or in UTF-16 with a byte-order mark; the error is one line. */
export function readText(path: string): Result<string, string> {
  const what = visible(path);
  try {
    const stat = statSync(path);
    if (!stat.isFile() && !stat.isDirectory()) return refuse(`${what}: is not a file`);
    if (stat.size > MAX_FILE_BYTES) return refuse(`${what}: larger than ${MAX_FILE_BYTES >> 20} MiB`);
    const text = decode(readFileSync(path));
    return text.ok ? text : refuse(`${what}: ${text.error}`);
  } catch (error) {
    return refuse(`${what}: ${READ_ERRORS[codeOf(error) ?? ''] ?? visible(asError(error).message)}`);
  }
}

/** First bytes of files that are not text. */
const PACKED: readonly (readonly [name: string, head: readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['zip', [0x50, 0x4b, 0x03, 0x04]],
];

function decode(bytes: Buffer): Result<string, string> {
  const packed = PACKED.find(([, head]) => head.every((byte, at) => bytes[at] === byte));
  if (packed !== undefined) return refuse(`is compressed (${packed[0]}); unpack it first`);
  const mark = bytes.length < 2 ? 0 : bytes.readUInt16BE(0);
  if (mark === 0xfffe || mark === 0xfeff) return decodeUtf16(bytes, mark === 0xfffe ? 'utf-16le' : 'utf-16be');
  const zero = bytes.indexOf(0);
  if (zero >= 0)
    return refuse(`is not text: there is a zero byte at ${zero} (UTF-16 is read when it begins with its mark)`);
  return succeed(bytes.toString('utf8').replace(/^\ufeff/, ''));
}

function decodeUtf16(bytes: Buffer, encoding: 'utf-16le' | 'utf-16be'): Result<string, string> {
  try {
    return succeed(new TextDecoder(encoding, { fatal: true }).decode(bytes));
  } catch {
    return refuse(`begins with the mark of ${encoding.toUpperCase()} and is none`);
  }
}

const READ_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EISDIR: 'is a directory',
  EACCES: 'may not be read',
  ENOTDIR: 'no such file',
};

function nameFor(path: string): string {
  return basename(path)
    .replace(/\.xml$/i, '')
    .replace(/[^a-zA-Z0-9._-]/g, '-');
}
