import { spawnSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { builtProgram } from '../../../test/integration/built-programs.ts';

/** Completion scripts and manual pages printed by the built programs, in the shells themselves. */
const printed = (program: string, ...args: string[]): string => {
  const command = [program, ...args].join(' ');
  const text = texts.get(command) ?? run(program, args);
  texts.set(command, text);
  return text;
};
const texts = new Map<string, string>();

function run(program: string, args: readonly string[]): string {
  const { stdout, status } = spawnSync(process.execPath, [builtProgram(`${program}.cjs`), ...args], {
    encoding: 'utf8',
  });
  expect(status).toBe(0);
  return stdout;
}
const here = (tool: string): boolean => spawnSync(tool, ['--version'], { stdio: 'ignore' }).error === undefined;

/** What bash offers when Tab is pressed after these words. */
function offered(words: readonly string[]): readonly string[] {
  const [program = ''] = words;
  const script = `${printed(program, 'completion', 'bash')}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _${program.replaceAll('-', '_')}; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync('bash', ['-s', '--', ...words], { input: script, encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  return stdout.trim().split('\n');
}

test.each<[string[], string[]]>([
  [
    ['mkctl', 'lin'],
    ['links', 'link'],
  ],
  [
    ['mkctl', 'bench', 'r'],
    ['round', 'revoke'],
  ],
  [['mkctl', '--cluster', 'bench', 'bench', 'round', '--ph'], ['--phases']],
  [
    ['mkctl', 'completion', ''],
    ['bash', 'zsh', 'fish'],
  ],
  [['mkctl', 'top', '--o'], ['--once']],
  [
    ['mkctl', 'top', '--sort', 's'],
    ['state', 'suspects', 'silence'],
  ],
  [
    ['mkctl', 'logs', '--level', ''],
    ['debug', 'info', 'warn', 'error'],
  ],
  [['mk-launch', 'tou'], ['tour']],
  [['mk-launch', 'sim', '--shr'], ['--shrink']],
  [['mk-launch', 'sim', 'shoot'], ['shootdown']],
  [['mk-launch', '--mach'], ['--machine']],
])('bash: %j', (words, expected) => {
  expect(offered(words).toSorted()).toEqual(expected.toSorted());
});

test('options of the whole program are offered behind a command; behind an option that takes a value no option is', () => {
  expect(offered(['mkctl', 'ps', '--'])).toEqual(
    expect.arrayContaining(['--domains', '--cluster', '--json', '--help']),
  );
  expect(offered(['mkctl', 'logs', '--op', '--'])).toEqual(['']);
});

/** What fish offers when Tab is pressed behind this line. */
function offeredByFish(program: string, line: string): readonly string[] {
  const script = `${printed(program, 'completion', 'fish')}\ncomplete -C "${line}"\n`;
  const { stdout } = spawnSync('fish', ['--no-config', '-c', script], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((row) => row.split('\t')[0]!);
}

(here('fish') ? test : test.skip)('fish: commands, options, their values, and no files where none may be', () => {
  expect(offeredByFish('mkctl', 'mkctl bench r').toSorted()).toEqual(['revoke', 'round']);
  expect(offeredByFish('mkctl', 'mkctl top --so')).toEqual(['--sort']);
  expect(offeredByFish('mkctl', 'mkctl top --sort q')).toEqual(['queue']);
  expect(offeredByFish('mkctl', 'mkctl completion ').toSorted()).toEqual(['bash', 'fish', 'zsh']);
});

test('a value that is none of the few is refused in one sentence, by the words that were typed', () => {
  for (const [args, refusal] of [
    [['completion', 'tcsh'], 'mkctl: shell must be one of bash, zsh, fish, not "tcsh"\n'],
    [['logs', '--level=loud'], 'mkctl: --level must be one of debug, info, warn, error, not "loud"\n'],
  ] as const) {
    const { status, stderr } = spawnSync(process.execPath, [builtProgram('mkctl.cjs'), ...args], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([2, refusal]);
  }
});

test.each(['mkctl', 'mk-launch'])('%s for zsh and fish: scripts that those shells read', (program) => {
  const [zsh, fish] = [printed(program, 'completion', 'zsh'), printed(program, 'completion', 'fish')];
  expect(zsh).toMatch(new RegExp(`^#compdef ${program}\n`));
  expect(fish).toContain(`complete -c ${program} `);
  if (here('zsh')) expect(spawnSync('zsh', ['-n'], { input: zsh, encoding: 'utf8' }).stderr).toBe('');
  if (here('fish')) expect(spawnSync('fish', ['--no-execute', '-c', fish], { encoding: 'utf8' }).stderr).toBe('');
});

test.each(['mkctl', 'mk-launch'])(
  'the manual page of %s: every command and option, roff without a warning',
  (program) => {
    const page = printed(program, 'man');
    expect(page).toMatch(/^\.TH "[A-Z-]+" "1" "\d{4}-\d{2}-\d{2}" "mk /);
    for (const part of ['NAME', 'SYNOPSIS', 'OPTIONS', 'COMMANDS', 'EXIT STATUS'])
      expect(page).toContain(`.SH ${part}`);
    const help = printed(program, '--help');
    for (const [, command] of help.matchAll(new RegExp(`^  ${program} ([a-z]+)`, 'gm')))
      expect(page).toContain(`${command}`);
    if (here('groff'))
      expect(
        spawnSync('groff', ['-man', '-ww', '-z', '-Tutf8', '-Kutf8'], { input: page, encoding: 'utf8' }).stderr,
      ).toBe('');
  },
);

test('a shell that there is no script for is refused', () => {
  const { status, stderr } = spawnSync(process.execPath, [builtProgram('mkctl.cjs'), 'completion', 'tcsh'], {
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([2, expect.stringMatching(/bash.*zsh.*fish/)]);
});
