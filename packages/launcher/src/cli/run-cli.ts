import { known } from '@mk/monitor-proto/assert';
import { isRecord, isText } from '@mk/monitor-proto/guards';
import { asError, codeOf } from '@mk/monitor-proto/thrown';
import yargs, { type Argv } from 'yargs';
import { nearest } from '@mk/machine/nearest';
import { type CommandModel, modelOf } from './command-model.ts';
import { completionScript, SHELLS } from './completion.ts';
import { manPage } from './man-page.ts';
import { markDashedWords, unmarkDashedWords } from './dashed-words.ts';
import { ControlError } from '@mk/libmk/io/control-call';
import { CommandError, UsageError } from './usage-error.ts';
import { VERSION } from '@mk/monitor-proto/version';

/** The type of a table of options that commands extend. */
export type Cli = Argv;

/** Makes a yargs builder of a declaring function: a parser adds to itself, and only its type changes with each call. */
export function declaring(declare: (cli: Cli) => unknown): (cli: Cli) => Cli {
  return (cli) => {
    declare(cli);
    return cli;
  };
}

/**
 * Parses arguments and runs the command that they name. Resolves with the exit status: the command's own, or 2 for a
 * mistake in the arguments. Mistakes are one line on stderr; only a bug of ours prints a stack trace.
 */
export async function runCli(name: string, configure: (cli: Cli) => Cli, argv: readonly string[]): Promise<number> {
  let status = 0;
  const cli: Argv = withOwnTexts(name, configure, configure(yargs(markDashedWords(argv), '/')))
    .scriptName(name)
    .version(VERSION)
    .help()
    .alias('help', 'h')
    .strict()
    .exitProcess(false)
    .locale('en') // the code below improves yargs's English messages
    .wrap(Math.min(110, process.stdout.columns ?? 100))
    .parserConfiguration({
      'boolean-negation': false,
      'strip-aliased': true,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
    .middleware((args) => unmarkDashedWords(args), true)
    .check((args) => refuseRepeats(args), true)
    .check(() => refuseValuesOfFlags(argv, flagsOf(cli)), true)
    .fail((message, error) => {
      // yargs reports its own errors as YErrors or texts; anything else was thrown by a command.
      if (error && error.name !== 'YError') throw error;
      throw new UsageError(improve(error?.message ?? message, argv, knownWords(cli)));
    });
  try {
    const args = await cli.parseAsync();
    status = typeof args['exitStatus'] === 'number' ? args['exitStatus'] : Number(process.exitCode ?? 0);
  } catch (error) {
    status = report(name, error, asksForJson(argv));
  }
  return status;
}

/** Whether the arguments need all of the program's options, so that none may be left out for speed. */
export function asksForTables([word]: readonly string[]): boolean {
  return word === 'completion' || word === 'man';
}

/** The commands and texts that every program has besides `--help`, from the same declarations. */
function withOwnTexts(name: string, configure: (cli: Cli) => Cli, cli: Cli): Cli {
  const model = (): CommandModel => modelOf(name, (recorder) => withOwnTexts(name, configure, configure(recorder)));
  const shell = declaring((sub) =>
    sub
      .positional('shell', { type: 'string', choices: SHELLS, describe: 'whose script' })
      .example(`source <($0 completion bash)`, 'in ~/.bashrc')
      .example(`$0 completion fish > ~/.config/fish/completions/${name}.fish`, 'for fish'),
  );
  return cli
    .command(
      'completion <shell>',
      'prints a completion script for bash, zsh or fish',
      shell,
      ({ shell: which }: Readonly<Record<string, unknown>>) => {
        const known = SHELLS.find((each) => each === which);
        if (known !== undefined) process.stdout.write(completionScript(known, model()));
      },
    )
    .command(
      'man',
      'prints the manual page',
      declaring((sub) => sub.example(`$0 man > ${name}.1 && man ./${name}.1`, 'reads it')),
      () => void process.stdout.write(manPage(model())),
    );
}

/** Whether these arguments ask for JSON. */
export function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end < 0 ? argv : argv.slice(0, end)).includes('--json');
}

/** Prints an error on stderr, in one line or as a JSON object; returns the exit status. */
export function report(name: string, error: unknown, json = false): number {
  const status = error instanceof CommandError ? error.exitCode : 2;
  const known = error instanceof UsageError || error instanceof CommandError || error instanceof ControlError;
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const text = known || isOfFile(error) ? asError(error).message : `internal error (please report it): ${detail}`;
  if (json) {
    const code = /^([A-Z][A-Z_]+): /.exec(text)?.[1] ?? (status === 2 ? 'BAD_REQUEST' : 'FAILED');
    process.stderr.write(
      `${JSON.stringify({ error: known || isOfFile(error) ? code : 'INTERNAL', text, exit_status: status })}\n`,
    );
  } else process.stderr.write(`${name}: ${text}\n`);
  return status;
}

/** Whether the file system refused something: the error says what and where, and it is not a bug of ours. */
function isOfFile(error: unknown): boolean {
  return codeOf(error) !== undefined && isRecord(error) && isText(error['path']) && isText(error['syscall']);
}

/** yargs turns a repeated option into a list; where one value is wanted that is a mistake. */
function refuseRepeats(args: Readonly<Record<string, unknown>>): true {
  for (const [name, value] of Object.entries(args)) {
    if (Array.isArray(value) && name !== '_' && !LIST_ARGUMENTS.includes(name)) {
      throw new UsageError(`--${name} is given ${value.length} times; give it once`);
    }
  }
  return true;
}

/** yargs reads any value of a flag but `true` as false: `--force=yes` would silently do the opposite. */
function refuseValuesOfFlags(argv: readonly string[], flags: readonly string[]): true {
  const end = argv.indexOf('--');
  for (const part of end < 0 ? argv : argv.slice(0, end)) {
    const [, dashes, name, value] = /^(--?)([\w-]+)=([^]*)$/.exec(part) ?? [];
    if (name === undefined || value === undefined || !flags.includes(name)) continue;
    if (value !== 'true' && value !== 'false')
      throw new UsageError(`${dashes}${name} takes no value; give it or leave it out`);
  }
  return true;
}

/** The options without a value, by all their names. */
function flagsOf(cli: Argv): readonly string[] {
  const { boolean, alias } = innerOf(cli).getOptions();
  return boolean.flatMap((name) => [name, ...(alias[name] ?? [])]);
}

/** Positional arguments that are lists by nature. */
const LIST_ARGUMENTS: readonly string[] = ['groups', 'args'];

/** What yargs knows of a program but does not declare in its types. */
function innerOf(cli: Argv): {
  getOptions(): {
    readonly key: Readonly<Record<string, unknown>>;
    readonly boolean: readonly string[];
    readonly alias: Readonly<Record<string, readonly string[]>>;
  };
  getInternalMethods(): { getCommandInstance(): { getCommands(): string[] } };
} {
  return cli as unknown as ReturnType<typeof innerOf>;
}

interface Words {
  readonly options: readonly string[];
  readonly commands: readonly string[];
}

/** Words that the user may have meant. */
function knownWords(cli: Argv): Words {
  const inner = innerOf(cli);
  const options = Object.keys(inner.getOptions().key).filter((option) => option.length > 1);
  return {
    options,
    commands: inner
      .getInternalMethods()
      .getCommandInstance()
      .getCommands()
      .filter((name) => name !== '$0'),
  };
}

const TOO_FEW = /^Not enough non-option arguments/;

function improve(message: string | null | undefined, argv: readonly string[], words: Words): string {
  const text = (message ?? 'that is not understood').split('\n').filter(Boolean).join('; ');
  const unknown = /^Unknown (?:arguments?|commands?): (.*)$/.exec(text)?.[1]?.split(', ') ?? [];
  if (unknown.length > 0) return `${explainUnknown(unknown, argv, words)}; see --help`;
  const [, argument, given, choices] =
    /^Invalid values:; *Argument: (.*), Given: (.*), Choices: (.*)$/.exec(text) ?? [];
  if (argument !== undefined) {
    const name = argv.some((part) => part.split('=')[0] === `--${argument}`) ? `--${argument}` : argument;
    return `${name} must be one of ${known(choices).replaceAll('"', '')}, not ${given}`;
  }
  const missing = /^Not enough arguments following: (.*)$/.exec(text)?.[1];
  if (missing !== undefined) return `--${missing} needs a value; see --help`;
  if (TOO_FEW.test(text))
    return `${argv.filter((part) => !part.startsWith('-')).join(' ')} needs more arguments; see --help`;
  return `${text.charAt(0).toLowerCase()}${text.slice(1)}; see --help`;
}

function explainUnknown(unknown: readonly string[], argv: readonly string[], { options, commands }: Words): string {
  const optionOf = (part: string): string | null =>
    part.startsWith('-') ? known(part.replace(/^--?/, '').split('=')[0]) : null;
  // yargs names both spellings of an option; show the one that was typed.
  const typed = unknown.filter((word) => argv.some((part) => part === word || optionOf(part) === word));
  return (typed.length > 0 ? typed : unknown)
    .map((word) => {
      const isOption = argv.some((part) => optionOf(part) === word);
      const guess = nearest(word, isOption ? options : commands);
      const kind = isOption ? 'option --' : argv[0] === word && commands.length > 0 ? 'command ' : 'argument ';
      return `unknown ${kind}${word}${guess === null ? '' : ` (did you mean ${isOption ? '--' : ''}${guess}?)`}`;
    })
    .join('; ');
}
