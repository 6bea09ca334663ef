import type { CommandModel, OptionModel } from './command-model.ts';
import { VERSION, VERSION_DAY } from '@mk/monitor-proto/version';

/** A manual page (roff, the man macros) of a program: section 1. */
export function manPage(model: CommandModel): string {
  const [first = ''] = model.describe.split('. ');
  const lines = [
    `.TH "${model.name.toUpperCase()}" "1" "${VERSION_DAY}" "mk ${VERSION}" "mk manual"`,
    '.SH NAME',
    `${roff(model.name)} \\- ${roff(first.replace(/\.$/, ''))}`,
    '.SH SYNOPSIS',
    `.B ${roff(model.name)}`,
    model.commands.length > 0 ? '[\\fICOMMAND\\fR] [\\fIoptions\\fR]' : '[\\fIoptions\\fR]',
    '.SH DESCRIPTION',
    roff(model.describe),
    ...section('OPTIONS', model.options.flatMap(optionLines)),
    ...section(
      'COMMANDS',
      model.commands.flatMap((command) => commandLines(model.name, command)),
    ),
    ...section(
      'EXAMPLES',
      model.examples.flatMap(([command, what]) => exampleLines(model.name, command, what)),
    ),
    ...section('EXIT STATUS', model.epilogue === '' ? [] : [roff(model.epilogue.replace(/^Exit status: /, ''))]),
  ];
  return `${lines.join('\n')}\n`;
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`.SH ${title}`, ...lines];
}

function commandLines(prefix: string, command: CommandModel): readonly string[] {
  const path = `${prefix} ${command.usage}`;
  const inner = command.commands.flatMap((each) => commandLines(`${prefix} ${command.name}`, each));
  return [
    `.SS ${roff(path)}`,
    roff(command.describe),
    ...command.positionals.flatMap((word) => item(`\\fI${roff(word.name)}\\fR`, word)),
    ...command.options.flatMap(optionLines),
    ...command.examples.flatMap(([example, what]) => exampleLines(prefix.split(' ')[0] ?? prefix, example, what)),
    ...inner,
  ];
}

function optionLines(option: OptionModel): readonly string[] {
  const names = [
    `--${option.name}`,
    ...option.aliases.map((alias) => (alias.length === 1 ? `-${alias}` : `--${alias}`)),
  ];
  const value = option.takesValue ? ` \\fI${option.choices.join('|') || 'value'}\\fR` : '';
  return item(`${names.map((name) => `\\fB${roff(name)}\\fR`).join(', ')}${value}`, option);
}

function item(head: string, { describe }: OptionModel): readonly string[] {
  return ['.TP', head, roff(describe) || '\\&'];
}

function exampleLines(program: string, command: string, what: string): readonly string[] {
  return ['.PP', '.EX', roff(command.replaceAll('$0', program)), '.EE', roff(what)];
}

/** Escapes text for roff: a hyphen stays a hyphen, and no line becomes a request. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => (/^[.']/.test(line) ? `\\&${line}` : line))
    .join('\n.br\n');
}
