/** Reads the Prolog sources that ship. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Program } from '../protocol.ts';

/** Reads every `.pl` file of a folder, by name so that the order of loading is one. */
export function readPrograms(folder: string): readonly Program[] {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.pl'))
    .sort();
  return names.map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));
}
