import { known } from '@mk/monitor-proto/assert';
import { MILLISECOND, type Nanos, SECOND } from '@mk/monitor-proto/ids';
import { createPrng, type Prng } from '@mk/monitor-proto/prng';
import { keysOf } from '@mk/monitor-proto/tables';
import { visible } from './one-line.ts';
import { shellWord } from './shell-line.ts';

/** Relative frequency of each kind of fault; unnamed kinds keep their usual one. */
export type ChaosWeights = { readonly [K in ChaosKind]?: number };

export interface ChaosOptions {
  readonly seed: number | string;
  readonly cores: number;
  /** How long faults are injected, counted from the end of boot; then everything is healed. */
  readonly forNs: Nanos;
  readonly weights?: ChaosWeights;
}

interface Entry {
  readonly atMs: number;
  readonly text: string;
}

/** What a fault is drawn from. It is over within `longestMs`. */
interface Draw {
  readonly prng: Prng;
  readonly cores: number;
  readonly atMs: number;
  readonly longestMs: number;
}
type Maker = (draw: Draw) => {
  readonly entries: readonly Entry[];
  readonly down?: readonly number[];
  readonly ms: number;
};

/** Mean pause between two faults. */
const PAUSE_MS = 1200;
/** No fault begins this close to the end, so that restarted cores have joined before everything is healed. */
const QUIET_MS = 1500;
const LONGEST_MS = 6000;

const MAKERS = {
  crash: (draw) => {
    const core = draw.prng.nextInt(draw.cores);
    const ms = spell(draw, 3000);
    const entries = [
      at(draw, `crash: { core: ${core} }`),
      { atMs: draw.atMs + ms, text: `restart: { core: ${core} }` },
    ];
    return { entries, down: [core], ms };
  },
  hang: (draw) => {
    const core = draw.prng.nextInt(draw.cores);
    const ms = spell(draw, 4000);
    return { entries: [at(draw, `hang: { core: ${core}, for: ${ms}ms }`)], down: [core], ms };
  },
  slow: (draw) => {
    const core = draw.prng.nextInt(draw.cores);
    const ms = spell(draw, LONGEST_MS);
    const factor = 2 + draw.prng.nextInt(19);
    return { entries: [at(draw, `slow: { core: ${core}, factor: ${factor}, for: ${ms}ms }`)], ms };
  },
  partition: (draw) => {
    const side = someOf(draw);
    const ms = spell(draw, LONGEST_MS);
    return { entries: [at(draw, `partition: { groups: [[${side.join(', ')}], rest], for: ${ms}ms }`)], ms };
  },
  one_way: (draw) => {
    const [from, to] = pairOf(draw);
    const ms = spell(draw, LONGEST_MS);
    return { entries: [at(draw, `partition: { groups: [[${from}], [${to}]], one_way: true, for: ${ms}ms }`)], ms };
  },
  isolate: (draw) => {
    const core = draw.prng.nextInt(draw.cores);
    const ms = spell(draw, 4000);
    return { entries: [at(draw, `isolate: { core: ${core}, for: ${ms}ms }`)], down: [core], ms };
  },
  loss: (draw) => {
    const [from, to] = pairOf(draw);
    const ms = spell(draw, LONGEST_MS);
    const loss = 1 + draw.prng.nextInt(40);
    return { entries: [at(draw, `link: { from: ${from}, to: ${to}, both: true, loss: ${loss}%, for: ${ms}ms }`)], ms };
  },
  bad_network: (draw) => {
    const ms = spell(draw, LONGEST_MS);
    const { prng } = draw;
    const settings = `delay: ${1 + prng.nextInt(20)}ms, jitter: ${prng.nextInt(10)}ms, loss: ${prng.nextInt(10)}%`;
    return { entries: [at(draw, `link: { from: all, to: all, both: true, ${settings}, for: ${ms}ms }`)], ms };
  },
  reset: (draw) => {
    const [from, to] = pairOf(draw);
    const ms = spell(draw, LONGEST_MS);
    const age = 50 + draw.prng.nextInt(500);
    return {
      entries: [at(draw, `link: { from: ${from}, to: ${to}, both: true, reset_after: ${age}ms, for: ${ms}ms }`)],
      ms,
    };
  },
  skb_loss: (draw) => {
    const ms = spell(draw, 3000);
    return { entries: [at(draw, `skb_loss: { for: ${ms}ms }`)], ms };
  },
} as const satisfies Record<string, Maker>;

export type ChaosKind = keyof typeof MAKERS;
export const CHAOS_KINDS: readonly ChaosKind[] = keysOf(MAKERS);

const WEIGHTS: Readonly<Record<ChaosKind, number>> = {
  crash: 3,
  hang: 2,
  slow: 1,
  partition: 2,
  one_way: 2,
  isolate: 1,
  loss: 2,
  bad_network: 1,
  reset: 1,
  skb_loss: 1,
};

/**
 * Makes up a fault plan from a seed, as the text of a plan file: the same options give the same text, byte for byte.
 * Faults overlap, but fewer than half of the cores are crashed, hung or isolated at once, so a majority remains. Every
 * fault ends by itself, every crashed core is restarted, and everything is healed at `forNs`. Random capability
 * operations run meanwhile.
 */
export function chaosPlan(options: ChaosOptions): string {
  const { seed, cores, forNs } = options;
  const seconds = Math.max(1, Math.round(forNs / SECOND));
  const entries = entriesOf(options).sort((a, b) => a.atMs - b.atMs);
  return [
    `# mkctl chaos ${visible(chaosWords(options))} (${cores} cores)`,
    `seed: ${/^\d+$/.test(String(seed)) ? seed : JSON.stringify(seed)}`,
    `cores: ${cores}`,
    `workload: { program: churn, args: [--seconds, ${seconds}, --seed, ${createPrng(seed).split('churn').nextUint32()}] }`,
    'faults:',
    ...entries.map(({ atMs, text }) => `  - { at: ${atMs}ms, ${text} }`),
    `  - { at: ${Math.round(forNs / MILLISECOND)}ms, heal: all }`,
    'expect: [workload, invariants, converge]',
    '',
  ].join('\n');
}

function entriesOf({ seed, cores, forNs, weights = {} }: ChaosOptions): Entry[] {
  const prng = createPrng(seed).split('chaos');
  const rows = CHAOS_KINDS.map((kind) => [kind, cores > 1 ? (weights[kind] ?? WEIGHTS[kind]) : 0] as const);
  const total = rows.reduce((sum, [, weight]) => sum + weight, 0);
  const lastMs = forNs / MILLISECOND - QUIET_MS;
  const entries: Entry[] = [];
  const down: { readonly core: number; readonly untilMs: number }[] = [];
  let skbBackMs = 0;
  for (let atMs = pause(prng); atMs < lastMs - 100 && total > 0; atMs += pause(prng)) {
    const kind = pick(prng, rows, total);
    const made: ReturnType<Maker> = MAKERS[kind]({ prng, cores, atMs, longestMs: lastMs - atMs });
    const absent = made.down ?? [];
    const downNow = new Set(down.filter(({ untilMs }) => untilMs > atMs).map(({ core }) => core));
    if (absent.some((core) => downNow.has(core)) || 2 * (downNow.size + absent.length) >= Math.max(cores, 3)) continue;
    if (kind === 'skb_loss' && atMs < skbBackMs) continue;
    if (kind === 'skb_loss') skbBackMs = atMs + made.ms + 2 * PAUSE_MS;
    entries.push(...made.entries);
    // A core that has just restarted does not count as present at once.
    for (const core of absent) down.push({ core, untilMs: atMs + made.ms + PAUSE_MS });
  }
  return entries;
}

/** The `mkctl chaos` options that make this plan. */
export function chaosWords({ seed, forNs, weights }: ChaosOptions): string {
  const given = Object.entries(weights ?? {}).map(([kind, weight]) => `${kind}=${weight}`);
  return `--seed ${shellWord(String(seed))} --for ${durationWord(forNs)}${given.length === 0 ? '' : ` --weights ${given.join(',')}`}`;
}

/** A duration as an option spells it. */
function durationWord(ns: Nanos): string {
  return ns % SECOND === 0 ? `${ns / SECOND}s` : `${ns / MILLISECOND}ms`;
}

function at({ atMs }: Draw, text: string): Entry {
  return { atMs, text };
}

function pause(prng: Prng): number {
  return 200 + prng.nextInt(2 * (PAUSE_MS - 200));
}

function spell({ prng, longestMs }: Draw, mostMs: number): number {
  return Math.round(Math.min(longestMs, 100 + prng.nextInt(mostMs)));
}

/** At least one core, but not all of them. */
function someOf({ prng, cores }: Draw): readonly number[] {
  const all = Array.from({ length: cores }, (_, core) => core);
  const side = all.filter(() => prng.nextInt(2) === 0);
  return side.length === 0 || side.length === cores ? [prng.nextInt(cores)] : side;
}

function pairOf({ prng, cores }: Draw): readonly [number, number] {
  const from = prng.nextInt(cores);
  return [from, (from + 1 + prng.nextInt(cores - 1)) % cores];
}

function pick<K>(prng: Prng, rows: readonly (readonly [K, number])[], total: number): K {
  let rest = prng.nextFloat() * total;
  for (const [kind, weight] of rows) if ((rest -= weight) < 0) return kind;
  return known(rows.findLast(([, weight]) => weight > 0))[0];
}
