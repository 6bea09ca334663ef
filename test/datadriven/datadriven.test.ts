import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parseCases, rewrite } from './datadriven.ts';
import { Interpreter } from './interpreter.ts';

const folder = join(process.cwd(), 'test', 'datadriven');
/** `MK_REWRITE=1 npm test -- datadriven` accepts the current output. Read the difference before you commit it. */
const rewriting = (process.env['MK_REWRITE'] ?? '') !== '';

describe('traces', () => {
  test.each(readdirSync(folder).filter((name) => name.endsWith('.txt') && !name.startsWith('capabilities-')))(
    '%s',
    (name) => {
      const path = join(folder, name);
      const cases = parseCases(readFileSync(path, 'utf8'));
      expect(cases.length).toBeGreaterThan(0);
      const interpreter = new Interpreter();
      const printed = cases.map(({ commands }) => interpreter.run(commands));
      if (rewriting) return writeFileSync(path, rewrite(cases, printed));
      cases.forEach(({ commands, line, expected }, i) =>
        expect({ at: `${name}:${line}`, commands, trace: printed[i]!.split('\n') }).toEqual({
          at: `${name}:${line}`,
          commands,
          trace: expected.split('\n'),
        }),
      );
    },
  );
});
