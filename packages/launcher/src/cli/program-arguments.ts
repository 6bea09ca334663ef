import { known } from '@mk/monitor-proto/assert';
import { editDistance } from '@mk/machine/nearest';
import { UsageError } from './usage-error.ts';

/** Options of `mk-launch sim run` that may follow the program as well as precede it, and whether they take a value. */
const SIM_OPTIONS: Readonly<Record<string, boolean>> = {
  cores: true,
  machine: true,
  seed: true,
  seeds: true,
  jobs: true,
  plan: true,
  for: true,
  weights: true,
  trace: true,
  on: true,
  limit: true,
  once: false,
  shrink: false,
  nemesis: false,
  json: false,
  help: false,
};

/** Options of `mk-launch` before `run` that take no value. */
const SWITCHES = new Set(['--detach', '--json', '--help', '-h', '--version']);

/**
 * Separates a program's options from those of the command that runs it, by moving them behind a `--`. After `mk-launch
 * run PROGRAM` all options are the program's; after `mk-launch sim run PROGRAM` those that the simulator does not know,
 * and everything after `--`.
 */
export function withProgramArguments(given: readonly string[]): readonly string[] {
  const argv = withLitmus(given);
  const at = commandAt(argv);
  const simulated = argv[at] === 'sim';
  const run = simulated ? nextWord(argv, at + 1) : at;
  if (argv[run] !== 'run') return argv;
  const program = nextWord(argv, run + 1);
  const word = argv[program];
  if (word === undefined || word === '--') return argv;
  const before = argv.slice(0, program + 1);
  const behind = argv.slice(program + 1);
  if (!simulated) return [...before, '--', ...(behind[0] === '--' ? behind.slice(1) : behind)];
  const { own, others } = partOptions(behind);
  return [...before, ...own, '--', ...others];
}

/** `sim litmus …` is `sim run litmus …`. */
function withLitmus(argv: readonly string[]): readonly string[] {
  const at = commandAt(argv);
  if (argv[at] !== 'sim') return argv;
  const word = nextWord(argv, at + 1);
  return argv[word] === 'litmus' ? [...argv.slice(0, word), 'run', ...argv.slice(word)] : argv;
}

/** The index of the command's word; past the end if there is none. */
function commandAt(argv: readonly string[]): number {
  return nextWord(argv, 0);
}

/** The next word that is neither an option nor the value of one. */
function nextWord(argv: readonly string[], from: number): number {
  let at = from;
  for (; at < argv.length; at += 1) {
    const word = known(argv[at]);
    if (word === '--' || !word.startsWith('-')) break;
    const name = word.replace(/^--?/, '');
    if (!word.includes('=') && !SWITCHES.has(word) && SIM_OPTIONS[name] !== false) at += 1;
  }
  return at;
}

function partOptions(words: readonly string[]): {
  readonly own: readonly string[];
  readonly others: readonly string[];
} {
  const own: string[] = [];
  const others: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = known(words[at]);
    if (word === '--') return { own, others: [...others, ...words.slice(at + 1)] };
    const [name = ''] = word.replace(/^--/, '').split('=');
    if (!word.startsWith('--') || !Object.hasOwn(SIM_OPTIONS, name)) {
      if (word.startsWith('--')) refuseMisspelt(name);
      others.push(word);
      continue;
    }
    own.push(word);
    if (SIM_OPTIONS[name] === true && !word.includes('=') && at + 1 < words.length) own.push(known(words[(at += 1)]));
  }
  return { own, others };
}

/** An option that is nearly one of the simulator's is a typing error, not the program's. */
function refuseMisspelt(name: string): void {
  const guess = Object.keys(SIM_OPTIONS).find((own) => name.length > 3 && editDistance(name, own) === 1);
  if (guess !== undefined)
    throw new UsageError(`unknown option --${name} (did you mean --${guess}?); options of the program go behind --`);
}
