import { known } from '@mk/monitor-proto/assert';
import { isOneOf } from '@mk/monitor-proto/guards';
import { type OptionRules, wrongCombination } from '@mk/machine/option-rules';
import { parseCores, parseDuration } from '@mk/machine/duration';
import { nearest } from '@mk/machine/nearest';
import { refuse, type Result, succeed } from '@mk/monitor-proto/result';
import { type Nanos, SECOND } from '@mk/monitor-proto/ids';
import { keysOf } from '@mk/monitor-proto/tables';
import { limit as bound } from '@mk/monitor-proto/limits';
import type { Selection } from '../trace/selection.ts';
import { NEMESIS_KINDS, type NemesisWeights } from '../nemesis/nemesis.ts';

/** The scenarios of `mk-launch sim`. */
export const SCENARIOS = {
  nemesis: 'faults from a seed',
  run: 'a program',
  shootdown: "the paper's table",
  unmap: "a page's, the whole call",
  share: 'shared memory against messages',
  disruption: 'what an unmap costs whom it interrupts',
} as const;
type ScenarioName = keyof typeof SCENARIOS;

/** The checked options of `mk-launch sim`. */
export interface SimRequest {
  readonly scenario: ScenarioName;
  /** The program of `run`: a file, or one that ships. */
  readonly program: string | null;
  readonly args: readonly string[];
  readonly on: readonly number[] | null;
  readonly limitNs: Nanos;
  /** `run`: faults from the seed. */
  readonly nemesis: boolean;
  readonly cores: number | null;
  readonly machine: string | null;
  readonly seed: number;
  readonly seedGiven: boolean;
  readonly seeds: number;
  /** Processes that share the seeds; `auto`: as many as there are CPUs. */
  readonly jobs: number | 'auto';
  readonly plan: string | null;
  /** The folder that keeps the plan's report; null: the usual one. */
  readonly runs: string | null;
  readonly replay: string | null;
  readonly faultsForNs: Nanos | null;
  readonly weights: NemesisWeights;
  readonly once: boolean;
  readonly shrink: boolean;
  readonly trace: string | null;
  /** The Chrome trace alone. */
  readonly traceEvents: string | null;
  /** The part of the run to draw. */
  readonly selection: Selection;
  /** The file for the page's recording. */
  readonly record: string | null;
  readonly out: string | null;
  readonly json: boolean;
}

/** How long a program may run after the last fault, by default. */
export const USUAL_LIMIT_NS: Nanos = 300 * SECOND;

/** Each is a process of some 100 MB. */
const JOBS_MOST = 256;

type Args = Readonly<Record<string, unknown>>;

/** A mistake in the options, in one line. */
export class OptionError extends Error {}

function selectionOf(text: (name: string) => string | null): Selection {
  const op = text('op');
  if (op !== null && !/^\d+\.\d+\.\d+$/.test(op))
    throw new OptionError(
      `--op: ${JSON.stringify(op)} is not an operation; they look like 3.1.42 (core.incarnation.number)`,
    );
  const time = (name: string, otherwise: Nanos): Nanos => {
    const given = text(name);
    return given === null ? otherwise : must(`--${name}`, parseDuration(given));
  };
  const selection = { op, fromNs: time('from', 0), toNs: time('to', Infinity) };
  if (selection.fromNs >= selection.toNs) throw new OptionError('--from must come before --to');
  return selection;
}

/** Parses a command line's options; throws OptionError. Numbers come as text: the launcher parses none. */
export function parseSimRequest(args: Args): SimRequest {
  const text = (name: string): string | null => (args[name] === undefined ? null : String(args[name]));
  const scenario = text('scenario') ?? 'nemesis';
  if (!isOneOf(keysOf(SCENARIOS), scenario)) {
    const known = keysOf(SCENARIOS).map((name) => `${name} (${SCENARIOS[name]})`);
    throw new OptionError(`unknown scenario ${scenario}; take ${known.slice(0, -1).join(', ')} or ${known.at(-1)}`);
  }
  const program = text('program');
  if ((scenario === 'run') !== (program !== null))
    throw new OptionError(
      scenario === 'run' ? 'run needs a program: a file, or one that ships' : `${scenario} takes no ${program}`,
    );
  refuseIgnored(scenario, args);
  const on = text('on');
  const limit = text('limit');
  const duration = text('for');
  const seed = text('seed');
  const selection = selectionOf(text);
  return {
    scenario,
    program,
    args: Array.isArray(args['args']) ? args['args'].map(String) : [],
    on: on === null ? null : [...must('--on', parseCores(on))].sort((a, b) => a - b),
    limitNs: limit === null ? USUAL_LIMIT_NS : must('--limit', parseDuration(limit)),
    nemesis: args['nemesis'] === true,
    cores: whole(args, 'cores', scenario === 'run' ? 1 : 2, bound('maxCores')),
    machine: text('machine'),
    seed: whole(args, 'seed', 0, Number.MAX_SAFE_INTEGER) ?? 1,
    seedGiven: seed !== null,
    seeds: whole(args, 'seeds', 1, 100_000_000) ?? 1,
    jobs: jobsOf(args, scenario),
    plan: text('plan'),
    runs: text('runs'),
    replay: text('replay'),
    faultsForNs: duration === null ? null : must('--for', parseDuration(duration)),
    weights: text('weights') === null ? {} : must('--weights', parseWeights(known(text('weights')))),
    once: args['once'] === true,
    shrink: args['shrink'] === true,
    trace: text('trace'),
    traceEvents: text('trace-events'),
    selection,
    record: text('record') ?? (args['ui'] === true ? recordingOf(args) : null),
    out: text('out'),
    json: args['json'] === true,
  };
}

/** Options of programs, of which seeds and plans know nothing. */
const OF_PROGRAMS = ['nemesis', 'on'] as const;
/** Options of seeds and faults, which figures do not have. */
const OF_SEEDS = [
  ...OF_PROGRAMS,
  'plan',
  'seed',
  'seeds',
  'limit',
  'for',
  'weights',
  'once',
  'shrink',
  'replay',
  'record',
  'ui',
  'trace',
  'trace-events',
];
const OF_SEVERAL: OptionRules = {
  needs: {
    runs: ['plan'],
    op: ['trace', 'trace-events'],
    from: ['trace', 'trace-events'],
    to: ['trace', 'trace-events'],
  },
  excludes: {
    replay: ['plan', 'seed', 'seeds', 'jobs', 'cores', 'machine', 'for', 'weights', 'limit', ...OF_PROGRAMS],
    plan: ['for', 'weights', 'nemesis'],
  },
};

/** Refuses options that would have no effect. */
function refuseIgnored(scenario: ScenarioName, args: Args): void {
  const given = new Set(Object.keys(args).filter((name) => args[name] !== undefined && args[name] !== false));
  const runs = scenario === 'nemesis' || scenario === 'run';
  const wrong = runs ? ignoredByRun(scenario, given) : ignoredByFigure(scenario, given);
  if (wrong !== null) throw new OptionError(wrong);
}

function ignoredByRun(scenario: ScenarioName, given: ReadonlySet<string>): string | null {
  const wrong = wrongCombination(given, OF_SEVERAL);
  if (wrong !== null) return wrong;
  if (given.has('out')) return '--out draws shootdown, unmap and share; --trace draws a run';
  const other = scenario === 'run' ? undefined : OF_PROGRAMS.find((name) => given.has(name));
  return other === undefined ? null : `--${other} goes with run PROGRAM`;
}

function ignoredByFigure(scenario: ScenarioName, given: ReadonlySet<string>): string | null {
  const other = OF_SEEDS.find((name) => given.has(name));
  if (other !== undefined) return `${scenario} takes no --${other}: it has no seeds and no faults; see --help`;
  if (scenario !== 'disruption' || !given.has('out')) return null;
  return 'disruption draws nothing; --out goes with shootdown, unmap and share';
}

function jobsOf(args: Args, scenario: SimRequest['scenario']): SimRequest['jobs'] {
  if (args['jobs'] === undefined) return 1;
  if (scenario !== 'nemesis' && scenario !== 'run')
    throw new OptionError(`--jobs shares seeds among processes; ${scenario} has none`);
  if (args['jobs'] === 'auto') return 'auto';
  if (!/^\d+$/.test(String(args['jobs'])))
    throw new OptionError(`--jobs must be a whole number or auto, not ${JSON.stringify(String(args['jobs']))}`);
  return whole(args, 'jobs', 1, JOBS_MOST) ?? 1;
}

/** Where the recording goes: the named file, or one named after the seed. */
export function recordingOf(args: Args): string {
  return String(args['record'] ?? `runs/sim-seed-${String(args['seed'] ?? 1)}.ndjson`);
}

export function must<T>(option: string, result: Result<T, string>): T {
  if (result.ok) return result.value;
  throw new OptionError(option === '' ? result.error : `${option}: ${result.error}`);
}

/** `crash=5,link=0`. */
function parseWeights(text: string): Result<NemesisWeights, string> {
  const weights: Record<string, number> = {};
  for (const part of text.split(',')) {
    const [kind = '', amount = ''] = part.split('=');
    const guess = nearest(kind, NEMESIS_KINDS);
    if (!isOneOf(NEMESIS_KINDS, kind))
      return refuse(
        `unknown fault ${JSON.stringify(kind)}${guess === null ? '' : ` (did you mean ${guess}?)`}; known: ${NEMESIS_KINDS.join(', ')}`,
      );
    if (!/^\d{1,6}(\.\d+)?$/.test(amount)) return refuse(`${kind} needs a weight of 0 or more, like ${kind}=3`);
    weights[kind] = Number(amount);
  }
  return succeed(weights);
}

function whole(args: Args, name: string, min: number, max: number): number | null {
  if (args[name] === undefined) return null;
  const text = String(args[name]).trim();
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new OptionError(`--${name} must be a whole number from ${min} to ${max}, not ${JSON.stringify(text)}`);
}
