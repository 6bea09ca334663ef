import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A block of commands that a document promises to work, and what its output must match. */
export interface TestedBlock {
  readonly line: number;
  readonly script: string;
  readonly expected: RegExp | null;
}

/** The blocks of a Markdown text marked ```sh test; a comment <!-- expect: REGEX --> may follow each. */
export function testedBlocks(markdown: string): readonly TestedBlock[] {
  const blocks = markdown.matchAll(/^```sh test\n([\s\S]*?)^```\n(?:<!-- expect: (.*) -->)?/gm);
  return [...blocks].map(({ index, 1: script = '', 2: expected }) => ({
    line: markdown.slice(0, index).split('\n').length,
    script,
    expected: expected === undefined ? null : new RegExp(expected, 'm'),
  }));
}

export interface Shell {
  readonly directory: string;
  readonly environment: NodeJS.ProcessEnv;
}

/**
 * A separate folder, in which `npx mk-launch` and `npx mkctl` are this checkout's programs and none of your clusters
 * are visible.
 */
export function documentShell(directory: string, root: string): Shell {
  const programs = join(directory, 'bin');
  mkdirSync(programs, { recursive: true });
  const write = (name: string, command: string): void => {
    writeFileSync(join(programs, name), `#!/bin/sh\nexec ${command} "$@"\n`);
    chmodSync(join(programs, name), 0o755);
  };
  for (const name of ['mk-launch', 'mkctl']) write(name, `node ${shellWord(join(root, 'dist', `${name}.cjs`))}`);
  write('npx', 'env');
  const environment = {
    ...process.env,
    PATH: `${programs}:${process.env['PATH']}`,
    MK_STATE_DIR: join(directory, 'state'),
    NO_COLOR: '1',
  };
  return { directory, environment };
}

/** Any text as one shell word. */
function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Runs a block; its output, or an error that shows it. */
export function runBlock({ script, line }: TestedBlock, { directory, environment }: Shell): Promise<string> {
  return new Promise((resolve, reject) => {
    const shell = spawn('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: directory,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [shell.stdout, shell.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    shell.on('error', reject);
    shell.on('close', (status) =>
      status === 0 ? resolve(output) : reject(new Error(`the block at line ${line} ended with ${status}:\n${output}`)),
    );
  });
}
