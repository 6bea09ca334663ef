import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { findMachine } from '../catalogue.ts';
import type { MachineDescription } from '../description.ts';
import { parseHwloc } from '../hwloc.ts';
import { failure, success } from '../result.ts';
import type { Result } from '../result.ts';
import { parseMachineYaml } from '../yaml.ts';

/** A description of this size was not written by lstopo either. */
const MAX_FILE_BYTES = 32 << 20;

/**
 * Loads a machine: the name of a shipped one (a file of `machinesDirectory`), or the path of a YAML description or of
 * what `lstopo --of xml` writes. The error is one line that names the file and the place in it.
 */
export function loadMachine(nameOrPath: string, machinesDirectory: string): Result<MachineDescription> {
  const isPath = /[/\\]|\.(ya?ml|xml)$/i.test(nameOrPath);
  if (isPath) return loadFile(nameOrPath);
  const found = findMachine(nameOrPath);
  if (found.ok) return loadFile(join(machinesDirectory, `${found.value}.yaml`));
  return existsSync(nameOrPath) && statSync(nameOrPath).isFile() ? loadFile(nameOrPath) : found;
}

function loadFile(path: string): Result<MachineDescription> {
  const text = readText(path);
  if (!text.ok) return text;
  const isXml = /\.xml$/i.test(path) || /^\s*<(\?xml|!DOCTYPE|topology)/.test(text.value);
  return isXml ? parseHwloc(text.value, path, nameFor(path)) : parseMachineYaml(text.value, path);
}

/** A text file of at most 32 MiB, or one line that says why not. */
export function readText(path: string): Result<string> {
  try {
    const { size } = statSync(path);
    if (size > MAX_FILE_BYTES) return failure(`${path}: larger than ${MAX_FILE_BYTES >> 20} MiB`);
    return success(readFileSync(path, 'utf8'));
  } catch (error) {
    return failure(`${path}: ${READ_ERRORS[(error as NodeJS.ErrnoException).code ?? ''] ?? (error as Error).message}`);
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
