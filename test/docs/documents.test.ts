import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from '@jest/globals';
import { documentShell, runBlock, type Shell, testedBlocks } from '../support/documents.ts';

/** Documents keep their word: blocks marked `sh test` are run in order, and links lead somewhere. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const documents = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];
const read = (document: string): string => readFileSync(join(root, document), 'utf8');
const jqIsHere = spawnSync('jq', ['--version'], { stdio: 'ignore' }).status === 0;
if (!jqIsHere) process.stderr.write('documents test: jq is not installed; blocks that use it are left out\n');

describe.each(documents.filter((document) => testedBlocks(read(document)).length > 0))(
  'the commands of %s',
  (document) => {
    let shell: Shell | null = null;

    afterEach(() => {
      if (shell === null) return;
      spawnSync('mkctl', ['down'], { cwd: shell.directory, env: shell.environment, stdio: 'ignore' });
      rmSync(shell.directory, { recursive: true, force: true });
    });

    test('work in the order in which they stand, and print what the document expects', async () => {
      shell = documentShell(mkdtempSync(join(tmpdir(), 'mk-docs-')), root);
      const unexpected: string[] = [];
      for (const block of testedBlocks(read(document))) {
        if (!jqIsHere && /^\s*(\w+=\$\()?jq /m.test(block.script)) continue;
        const output = await runBlock(block, shell);
        if (block.expected?.test(output) === false)
          unexpected.push(`line ${block.line}: no ${String(block.expected)} in\n${output}`);
      }
      expect(unexpected).toEqual([]);
      // A reader works in the checkout, where git ignores runs/ and nothing else that a document may write.
      expect(readdirSync(shell.directory).filter((name) => !['bin', 'state', 'runs'].includes(name))).toEqual([]);
    });
  },
);

test('every link between documents leads somewhere', () => {
  const broken = documents.flatMap((document) => {
    const targets = [...read(document).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, target]) => target!);
    const local = targets.filter((target) => !/^[a-z]+:/.test(target));
    return local
      .filter((target) => !existsSync(join(root, dirname(document), target)))
      .map((target) => `${document} → ${target}`);
  });
  expect(broken).toEqual([]);
});
