import type { Argv as Cli } from 'yargs';

/** An option as the tables declare it. */
export interface OptionModel {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly describe: string;
  readonly takesValue: boolean;
  readonly choices: readonly string[];
}

/** A program or one of its commands, as the tables declare it: the source of completion and man pages. */
export interface CommandModel {
  readonly name: string;
  /** In yargs's form: `link <a> <b>`. */
  readonly usage: string;
  readonly describe: string;
  readonly options: readonly OptionModel[];
  readonly positionals: readonly OptionModel[];
  readonly examples: readonly (readonly [command: string, what: string])[];
  readonly commands: readonly CommandModel[];
  readonly epilogue: string;
}

interface Spec {
  readonly type?: string;
  readonly alias?: string | readonly string[];
  readonly describe?: string;
  readonly choices?: readonly string[];
  readonly hidden?: boolean;
}

type Builder = ((cli: Cli) => unknown) | Readonly<Record<string, Spec>> | undefined;

interface Module {
  readonly command?: string | readonly string[];
  readonly describe?: string | false;
  readonly builder?: Builder;
}

/** Runs a configuration against a recorder instead of yargs: the model is whatever it declares. */
export function modelOf(name: string, configure: (cli: Cli) => unknown): CommandModel {
  return record(name, name, '', configure);
}

function record(name: string, usage: string, describe: string, builder: Builder): CommandModel {
  const options: OptionModel[] = [];
  const positionals: OptionModel[] = [];
  const examples: [string, string][] = [];
  const commands: CommandModel[] = [];
  let epilogue = '';
  let about = describe;
  const addOption = (option: string, spec: Spec): void => {
    if (spec.hidden !== true) options.push(optionOf(option, spec));
  };
  const addCommand = (words: string, what: string | false | undefined, inner: Builder): void => {
    // `$0` is the program itself: its options are the program's.
    if (words === '$0') declare(inner);
    else if (what !== false) commands.push(record(words.split(' ')[0] ?? words, words, what ?? '', inner));
  };
  const recorder: Readonly<Record<string, (...args: never[]) => unknown>> = {
    option: (option: string | Readonly<Record<string, Spec>>, spec: Spec) => {
      if (typeof option === 'string') addOption(option, spec);
      else for (const [each, own] of Object.entries(option)) addOption(each, own);
    },
    positional: (word: string, spec: Spec) => void positionals.push(optionOf(word, spec)),
    example: (command: string, what: string) => void examples.push([command, what]),
    epilogue: (text: string) => void (epilogue = text),
    usage: (text: string) => void (about = text.split('\n').slice(1).join('\n').trim() || about),
    command: (words: string | readonly Module[] | Module, what?: string | false, inner?: Builder) => {
      if (typeof words === 'string') return addCommand(words, what, inner);
      for (const module of isList(words) ? words : [words])
        addCommand([module.command ?? ''].flat()[0] ?? '', module.describe, module.builder);
    },
  };
  const cli: Cli = new Proxy({} as Cli, {
    get:
      (_target, method) =>
      (...args: never[]) => {
        recorder[String(method)]?.(...args);
        return cli;
      },
  });
  const declare = (inner: Builder): void => {
    if (typeof inner === 'function') inner(cli);
    else if (inner !== undefined) for (const [option, spec] of Object.entries(inner)) addOption(option, spec);
  };
  declare(builder);
  return { name, usage, describe: about, options, positionals, examples, commands, epilogue };
}

function isList(words: readonly Module[] | Module): words is readonly Module[] {
  return Array.isArray(words);
}

function optionOf(name: string, { type, alias = [], describe = '', choices = [] }: Spec): OptionModel {
  return { name, aliases: [alias].flat(), describe, takesValue: type !== 'boolean', choices: choices.map(String) };
}
