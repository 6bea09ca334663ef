import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { page } from './markdown.ts';

const PROGRAMS = ['mk-launch', 'mkctl', 'mk-node'];

/** The help of every program and of every command it lists. */
export function commandPage(root: string): string {
  const parts = PROGRAMS.filter((name) => existsSync(join(root, 'dist', `${name}.cjs`))).flatMap((name) => {
    const help = (path: readonly string[]): string => helpOf(root, name, path);
    return [
      `## ${name}\n`,
      fenced(help([])),
      ...commandsIn(name, help([])).flatMap((path) => sections(name, path, help)),
    ];
  });
  return page('Commands', 'the programs’ own `--help`', ...parts);
}

function sections(name: string, path: readonly string[], help: (path: readonly string[]) => string): string[] {
  const text = help(path);
  const below = commandsIn([name, ...path].join(' '), text).map((words) => [...path, ...words]);
  return [`### ${name} ${path.join(' ')}\n`, fenced(text), ...below.flatMap((deeper) => sections(name, deeper, help))];
}

/** The commands that a help text lists, without their arguments. */
function commandsIn(prefix: string, help: string): string[][] {
  const from = help.indexOf('\nCommands:\n');
  if (from < 0) return [];
  const block = help.slice(from + 1).split('\n\n')[0]!;
  const found = block
    .split('\n')
    .flatMap((line) => (line.startsWith(`  ${prefix} `) ? [line.slice(prefix.length + 3)] : []));
  return found
    .map((rest) => rest.split(' ')[0]!)
    .filter((word) => /^[a-z][a-z-]*$/.test(word))
    .map((word) => [word]);
}

function helpOf(root: string, name: string, path: readonly string[]): string {
  const env = { ...process.env, COLUMNS: '100', NO_COLOR: '1', LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8' };
  const { stdout, stderr, status } = spawnSync('node', [join(root, 'dist', `${name}.cjs`), ...path, '--help'], {
    encoding: 'utf8',
    env,
  });
  if (status !== 0) throw new Error(`${name} ${path.join(' ')} --help ended with ${status}: ${stderr}`);
  return stdout.trimEnd();
}

function fenced(text: string): string {
  return `\`\`\`text\n${text}\n\`\`\`\n`;
}
