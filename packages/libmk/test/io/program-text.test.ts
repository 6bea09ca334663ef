import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { bundleFile } from '@mk/libmk/io/program-text';

const folder = mkdtempSync(join(tmpdir(), 'mk-bundle-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a program outside of any package is bundled with this library, with nothing said of where that lies', async () => {
  const file = join(folder, 'hello.ts');
  writeFileSync(
    file,
    `import { program } from '@mk/libmk/program';\nexport const main = program({ name: 'hello' }, (mk) => mk.console.log('a greeting'));\n`,
  );
  const { name, text } = await bundleFile(file, { conditions: ['@mk/source'] });
  expect(name).toBe('hello');
  expect(text).toContain('a greeting');
  expect(text).not.toMatch(/\b(?:import|require)\b[^;\n]*@mk\/libmk/);
  await expect(bundleFile(join(folder, 'none.ts'))).rejects.toMatchObject({ error: 'NO_SUCH_PROGRAM' });
});
