import { shellWord } from '@mk/machine/shell-line';
import type { ActionArgs } from './page-events.ts';

/** The page's actions: mkctl's commands of the same names, and which of their arguments have no dashes. */
const ACTIONS = {
  link: {
    positional: ['from', 'to'],
    options: ['delay', 'jitter', 'loss', 'duplicate', 'reorder', 'rate', 'for', 'one-way'],
  },
  partition: { positional: ['groups'], options: ['for', 'one-way'] },
  isolate: { positional: ['cores'], options: ['for'] },
  heal: { positional: ['from', 'to'], options: ['rule'] },
  crash: { positional: ['targets'], options: [] },
  restart: { positional: ['targets'], options: [] },
  hang: { positional: ['targets'], options: ['for'] },
  measure: { positional: [], options: [] },
  'log-level': { positional: ['level'], options: [] },
} as const satisfies Record<string, { readonly positional: readonly string[]; readonly options: readonly string[] }>;

export type ActionVerb = keyof typeof ACTIONS;

/** An action on the cluster. */
export interface Action {
  readonly verb: ActionVerb;
  readonly args: ActionArgs;
}

export function isActionVerb(verb: string): verb is ActionVerb {
  return Object.hasOwn(ACTIONS, verb);
}

/** What is wrong with an action, as far as that shows without the cluster; null: nothing. */
export function actionError(verb: string, args: ActionArgs): string | null {
  if (!isActionVerb(verb))
    return `no action is called ${verb.slice(0, 40)}; there are ${Object.keys(ACTIONS).join(', ')}`;
  const { positional, options } = ACTIONS[verb];
  const known: readonly string[] = [...positional, ...options];
  const unknown = Object.keys(args).find((name) => !known.includes(name));
  if (unknown !== undefined)
    return `${verb}: ${unknown.slice(0, 40)} is unknown; it takes ${known.join(', ') || 'no arguments'}`;
  const wrong = Object.entries(args).find(([, value]) => !isArgument(value));
  return wrong === undefined ? null : `${verb}: ${wrong[0]} is not text`;
}

/** The same as a command line: `mkctl partition 0-3 rest --for 10s`. */
export function commandLine({ verb, args }: Action, cluster = ''): string {
  const { positional, options }: { readonly positional: readonly string[]; readonly options: readonly string[] } =
    ACTIONS[verb];
  const words = positional.flatMap((name) => wordsOf(args[name]));
  const flags = options.flatMap((name) => {
    const value = args[name];
    if (value === undefined || value === false) return [];
    return value === true ? [`--${name}`] : [`--${name}`, ...wordsOf(value)];
  });
  const which = cluster === '' ? [] : ['--cluster', shellWord(cluster)];
  return ['mkctl', verb, ...words, ...flags, ...which].join(' ');
}

/** `0,1,2,5` as mkctl writes it: `0-2,5`. Ascending. */
export function coreSet(cores: Iterable<number>): string {
  const sorted = [...new Set(cores)].sort((a, b) => a - b);
  const runs: [number, number][] = [];
  for (const core of sorted) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === core - 1) last[1] = core;
    else runs.push([core, core]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

function wordsOf(value: ActionArgs[string] | undefined): readonly string[] {
  if (value === undefined || typeof value === 'boolean') return [];
  return (typeof value === 'string' ? [value] : value).map(shellWord);
}

function isArgument(value: unknown): boolean {
  return (
    typeof value === 'string' ||
    typeof value === 'boolean' ||
    (Array.isArray(value) && value.every((part) => typeof part === 'string'))
  );
}
