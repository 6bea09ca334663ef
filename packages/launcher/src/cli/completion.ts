import type { CommandModel, OptionModel } from './command-model.ts';

/** Shells that a script can be made for. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

interface Place {
  /** The words of the command: '' for the program itself, `bench round`. */
  readonly path: string;
  readonly command: CommandModel;
}

/** A completion script: commands, options, and the values of limited options; files where a value may be one. */
export function completionScript(shell: Shell, model: CommandModel): string {
  const places = placesIn('', model);
  return { bash, zsh, fish }[shell](model, places);
}

function placesIn(path: string, command: CommandModel): readonly Place[] {
  const below = command.commands.flatMap((inner) => placesIn(`${path} ${inner.name}`.trim(), inner));
  return [{ path, command }, ...below];
}

const HELP: OptionModel = { name: 'help', aliases: ['h'], describe: 'what it takes', takesValue: false, choices: [] };
const VERSION: OptionModel = { ...HELP, name: 'version', aliases: [], describe: 'the version' };

/** A command takes its own options and the program’s. */
function optionsOf({ path, command }: Place, program: CommandModel): readonly OptionModel[] {
  const own = new Set(command.options.map(({ name }) => name));
  const global = program.commands.length > 0 && program.name === 'mkctl' ? program.options : [];
  return [...command.options, ...(path === '' ? [] : global.filter(({ name }) => !own.has(name))), HELP, VERSION];
}

function flags({ name, aliases }: OptionModel): readonly string[] {
  return [`--${name}`, ...aliases.map((alias) => (alias.length === 1 ? `-${alias}` : `--${alias}`))];
}

function firstChoices({ command }: Place): readonly string[] {
  return [...command.commands.map(({ name }) => name), ...(command.positionals[0]?.choices ?? [])];
}

function bash(program: CommandModel, places: readonly Place[]): string {
  const name = identifier(program.name);
  return `# bash completion of ${program.name}: source it, or put it into /etc/bash_completion.d
${bashTables(name, program, places)}
_${name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} path='' i word next
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $word == -* ]]; then
      [[ " $(_${name}_taking "$path") " == *" $word "* && $word != *=* ]] && ((i++))
      continue
    fi
    next="\${path:+$path }$word"
    [[ -n $(_${name}_options "$next") ]] && path=$next
  done
  COMPREPLY=()
  if [[ $prev == -* && " $(_${name}_taking "$path") " == *" $prev "* ]]; then
    COMPREPLY=($(compgen -W "$(_${name}_values "\${path:+$path }$prev")" -- "$cur"))
  elif [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$(_${name}_options "$path")" -- "$cur"))
  else
    COMPREPLY=($(compgen -W "$(_${name}_words "$path")" -- "$cur"))
  fi
}
complete -o default -F _${name} ${program.name}
`;
}

/** Shell functions that print the words possible at a place. */
function bashTables(name: string, program: CommandModel, places: readonly Place[]): string {
  const table = (what: string, rows: readonly (readonly [at: string, words: string])[]): string => {
    const cases = rows
      .filter(([, words]) => words !== '')
      .map(([at, words]) => `    ${quoted(at)}) echo ${quoted(words)} ;;`);
    return `_${name}_${what}() {\n  case "$1" in\n${cases.join('\n')}\n  esac\n}`;
  };
  const flagsOf = (place: Place, wanted: (option: OptionModel) => boolean): string =>
    optionsOf(place, program).filter(wanted).flatMap(flags).join(' ');
  const values = places.flatMap((place) =>
    optionsOf(place, program).flatMap((option) =>
      flags(option).map((flag) => [`${place.path} ${flag}`.trim(), option.choices.join(' ')] as const),
    ),
  );
  return [
    table(
      'words',
      places.map((place) => [place.path, firstChoices(place).join(' ')] as const),
    ),
    table(
      'options',
      places.map((place) => [place.path, flagsOf(place, () => true)] as const),
    ),
    table(
      'taking',
      places.map((place) => [place.path, flagsOf(place, ({ takesValue }) => takesValue)] as const),
    ),
    table('values', values),
  ].join('\n');
}

function zsh(program: CommandModel, places: readonly Place[]): string {
  const name = identifier(program.name);
  const described = (word: string, text: string): string => quoted(`${word.replaceAll(':', '\\:')}:${oneLine(text)}`);
  const branch = (place: Place): string => {
    const words = place.command.commands.map(({ name: word, describe }) => described(word, describe));
    const choices = (place.command.positionals[0]?.choices ?? []).map((choice) => described(choice, ''));
    const options = optionsOf(place, program).flatMap((option) =>
      flags(option).map((flag) => described(flag, option.describe)),
    );
    const values = optionsOf(place, program)
      .filter((option) => option.choices.length > 0)
      .map((option) => `${flags(option).join('|')}) values_here=(${option.choices.join(' ')}) ;;`);
    const here = [
      `words_here=(${[...words, ...choices].join(' ')})`,
      `options_here=(${options.join(' ')})`,
      ...(values.length === 0 ? [] : [`case "\${words[CURRENT-1]}" in ${values.join(' ')} esac`]),
    ];
    return `    ${quoted(place.path)}) ${here.join('; ')} ;;`;
  };
  return `#compdef ${program.name}
# zsh completion of ${program.name}: put it into a folder of $fpath as _${program.name}
_${name}() {
  local path_here='' word next i
  local -a words_here options_here values_here known
  known=(${places.map(({ path }) => quoted(path)).join(' ')})
  for ((i = 2; i < CURRENT; i++)); do
    word=\${words[i]}
    next="\${path_here:+$path_here }$word"
    (( \${known[(Ie)$next]} )) && path_here=$next
  done
  case "$path_here" in
${places.map(branch).join('\n')}
  esac
  if (( $#values_here )); then
    compadd -- $values_here
  elif [[ \${words[CURRENT]} == -* ]]; then
    _describe option options_here
  else
    (( $#words_here )) && _describe command words_here || _files
  fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _${name} "$@"; else compdef _${name} ${program.name}; fi
`;
}

function fish(program: CommandModel, places: readonly Place[]): string {
  const lines = places.flatMap((place) => {
    const words = place.path === '' ? [] : place.path.split(' ');
    const seen = words.map((word) => `__fish_seen_subcommand_from ${word}`);
    const names = place.command.commands.map(({ name }) => name);
    const atWord =
      words.length === 0
        ? '__fish_use_subcommand'
        : [...seen, `not __fish_seen_subcommand_from ${names.join(' ')}`].join('; and ');
    const commands = place.command.commands.map(
      ({ name, describe }) =>
        `complete -c ${program.name} -f -n ${quoted(atWord)} -a ${name} -d ${quoted(oneLine(describe))}`,
    );
    const choices = place.command.positionals[0]?.choices ?? [];
    if (choices.length > 0)
      commands.push(`complete -c ${program.name} -f -n ${quoted(seen.join('; and '))} -a ${quoted(choices.join(' '))}`);
    const condition = seen.length === 0 ? '' : ` -n ${quoted(seen.join('; and '))}`;
    const options = place.path === '' ? [...place.command.options, HELP, VERSION] : place.command.options;
    return [...commands, ...options.map((option) => `complete -c ${program.name}${condition} ${fishOption(option)}`)];
  });
  return `# fish completion of ${program.name}: put it into ~/.config/fish/completions/${program.name}.fish\n${lines.join('\n')}\n`;
}

function fishOption({ name, aliases, describe, takesValue, choices }: OptionModel): string {
  const short = aliases.filter((alias) => alias.length === 1).map((alias) => ` -s ${alias}`);
  const value = choices.length > 0 ? ` -x -a ${quoted(choices.join(' '))}` : takesValue ? ' -r' : '';
  return `-l ${name}${short.join('')}${value} -d ${quoted(oneLine(describe))}`;
}

function identifier(name: string): string {
  return name.replaceAll('-', '_');
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

/**
 * One word for any of the shells: fish takes \\' inside quotes, the others do not, so the apostrophe becomes a
 * typographic one.
 */
function quoted(text: string): string {
  return `'${text.replaceAll("'", '’')}'`;
}
