import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { CapabilityScript } from '../support/capability-script.ts';

/**
 * The races between capability operations, one file each: commands, `----`, their output. `MK_REWRITE=1 npm test --
 * datadriven` accepts the current output.
 */
const FOLDER = join(process.cwd(), 'test', 'datadriven');
const FILES = readdirSync(FOLDER).filter((file) => /^capabilities-.*\.txt$/.test(file));

describe('the races of capabilities', () => {
  test.each(FILES)('%s', (file) => {
    const path = join(FOLDER, file);
    const [commands = '', expected = ''] = readFileSync(path, 'utf8').split('----\n');
    const actual = `${new CapabilityScript().run(commands)}\n`;
    if ((process.env['MK_REWRITE'] ?? '') !== '') writeFileSync(path, `${commands}----\n${actual}`);
    else expect(actual).toBe(expected);
  });

  test('there is a file for each of the twelve', () => {
    const numbers = new Set(FILES.flatMap((file) => /^capabilities-(\d+)/.exec(file)?.[1] ?? []));
    expect(numbers.size).toBe(12);
  });
});
