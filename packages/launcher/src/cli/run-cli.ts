import yargs, { type Argv } from 'yargs';
import { nearest } from '@mk/machine/nearest';
import { ControlError } from '../client/control-client.ts';
import { CommandError, UsageError } from './usage-error.ts';
import { VERSION } from './version.ts';

/** The yargs type of an option table that commands extend. */
export type Cli = Argv;

/**
 * Parses arguments and runs the command that they name. Resolves to the exit status: the command's own, 2 for a mistake
 * in the arguments. Mistakes are one line on stderr; only a bug of ours prints a stack trace.
 */
export async function runCli(name: string, configure: (cli: Cli) => Cli, argv: readonly string[]): Promise<number> {
  let status = 0;
  const cli = configure(yargs([...argv]))
    .scriptName(name)
    .version(VERSION)
    .help()
    .alias('help', 'h')
    .strict()
    .exitProcess(false)
    .wrap(Math.min(110, process.stdout.columns ?? 100))
    .parserConfiguration({ 'boolean-negation': false, 'strip-aliased': true, 'parse-numbers': false, 'parse-positional-numbers': false })
    .middleware((args) => refuseRepeats(args))
    .fail((message, error, instance) => {
      throw error ?? new UsageError(improve(message, argv, knownOptions(instance as Argv)));
    });
  try {
    const args = await cli.parseAsync();
    status = typeof args['exitStatus'] === 'number' ? args['exitStatus'] : Number(process.exitCode ?? 0);
  } catch (error) {
    status = report(name, error);
  }
  return status;
}

/** Says on stderr what went wrong; the exit status that it makes. */
export function report(name: string, error: unknown): number {
  if (error instanceof UsageError) {
    process.stderr.write(`${name}: ${error.message}\n`);
    return 2;
  }
  if (error instanceof CommandError) {
    process.stderr.write(`${name}: ${error.message}\n`);
    return error.exitCode;
  }
  if (error instanceof ControlError) {
    process.stderr.write(`${name}: ${error.message}\n`);
    return 2;
  }
  process.stderr.write(`${name}: internal error (please report it): ${error instanceof Error ? error.stack : String(error)}\n`);
  return 2;
}

/** yargs makes a list of an option that is given twice; where one value is wanted that is a mistake. */
function refuseRepeats(args: Readonly<Record<string, unknown>>): void {
  const lists: readonly string[] = Array.isArray(args['listOptions']) ? (args['listOptions'] as string[]) : [];
  for (const [name, value] of Object.entries(args)) {
    if (Array.isArray(value) && name !== '_' && !lists.includes(name) && !LIST_ARGUMENTS.includes(name)) {
      throw new UsageError(`--${name} is given ${value.length} times; give it once`);
    }
  }
}

/** Positional arguments that are lists by nature. */
const LIST_ARGUMENTS: readonly string[] = ['groups', 'cores', 'targets'];

function knownOptions(cli: Argv): string[] {
  const { key } = (cli as unknown as { getOptions(): { key: Record<string, unknown> } }).getOptions();
  return Object.keys(key).filter((option) => option.length > 1);
}

function improve(message: string | null | undefined, argv: readonly string[], options: readonly string[]): string {
  const text = (message ?? 'that is not understood').split('\n').filter(Boolean).join('; ');
  const unknown = /^Unknown arguments?: (.*)$/.exec(text)?.[1]?.split(', ') ?? [];
  if (unknown.length > 0) {
    // yargs names both spellings of an option; the one that was typed is the one to show.
    const typed = unknown.filter((word) => argv.some((part) => part === word || part.replace(/^--?/, '').split('=')[0] === word));
    const shown = typed.length > 0 ? typed : unknown;
    const parts = shown.map((word) => {
      const option = argv.some((part) => part.startsWith('-') && part.replace(/^--?/, '').split('=')[0] === word);
      const guess = option ? nearest(word, options) : null;
      return `unknown ${option ? `option --${word}` : `argument ${word}`}${guess === null ? '' : ` (did you mean --${guess}?)`}`;
    });
    return `${parts.join('; ')}; see --help`;
  }
  const missing = /^Not enough arguments following: (.*)$/.exec(text)?.[1];
  if (missing !== undefined) return `--${missing} needs a value; see --help`;
  return `${text.charAt(0).toLowerCase()}${text.slice(1)}; see --help`;
}
