import { keysOf } from '@mk/monitor-proto/tables';
import { known } from '@mk/monitor-proto/assert';
import { type CoreId, MILLISECOND, type Nanos, SECOND, SKB_PEER } from '@mk/monitor-proto/ids';
import type { FaultRule } from '@mk/monitor-proto/link/fault-rule';
import type { LinkOverrides } from '@mk/monitor-proto/link/link-settings';
import { createPrng, type Prng } from '@mk/monitor-proto/prng';
import { ROGUE_BEHAVIOUR_NAMES } from '@mk/monitor-proto/rogue-behaviours';
import { PLAN_KINDS } from '@mk/node-kernel/monitor/agreement/plan';
import type { SimFault, Scenario, TimedFault, TimedRequest } from '../engine/scenario.ts';

/** How often each kind of fault comes, relative to the others. */
export type NemesisWeights = { readonly [K in NemesisKind]?: number };

/** How a seed becomes a scenario; every option has a default. */
export interface NemesisOptions {
  readonly cores?: number;
  readonly machine?: string;
  readonly weights?: NemesisWeights;
  /** Faults per second of virtual time. */
  readonly faultsPerSecond?: number;
  readonly requestsPerSecond?: number;
  readonly faultsForNs?: Nanos;
  /** Half of the seeds get leases that run out while a core hangs or is cut off; without this none do. */
  readonly leases?: boolean;
}

const DEFAULTS = { machine: 'flat', faultsPerSecond: 2, requestsPerSecond: 6 } as const;
/** Most seeds are short; some outlast any deadline of the protocols. */
const SHORT: Nanos = 5 * SECOND;
const LONG: Nanos = 18 * SECOND;
/** Short against the faults, long against the silence of a sound link. */
const SHORT_LEASE_MS = 1500;

/** The scenario of a seed: a small machine, some faults, some load; all of it follows from the seed. */
export function scenarioOf(seed: number | string, options: NemesisOptions = {}): Scenario {
  const prng = createPrng(seed).split('scenario');
  const cores = options.cores ?? 2 + prng.split('cores').nextInt(5);
  const faultsForNs = options.faultsForNs ?? (prng.split('length').nextInt(6) === 0 ? LONG : SHORT);
  const faults = timedFaults(prng.split('faults'), cores, faultsForNs, options);
  const load = timedLoad(
    prng.split('load'),
    cores,
    faultsForNs,
    options.requestsPerSecond ?? DEFAULTS.requestsPerSecond,
  );
  const short = options.leases === true && prng.split('lease').nextInt(2) === 0;
  const machine = options.machine ?? DEFAULTS.machine;
  return { seed, cores, machine, faults, load, faultsForNs, ...(short && { leaseMs: SHORT_LEASE_MS }) };
}

function timedFaults(prng: Prng, cores: number, forNs: Nanos, options: NemesisOptions): readonly TimedFault[] {
  const weights: NemesisWeights = { ...WEIGHTS, ...options.weights };
  const rows = NEMESIS_KINDS.map((kind) => [kind, weights[kind] ?? 0] as const);
  const total = rows.reduce((sum, [, weight]) => sum + weight, 0);
  const count = Math.round(((options.faultsPerSecond ?? DEFAULTS.faultsPerSecond) * forNs) / SECOND);
  const faults: TimedFault[] = [];
  for (let n = 0; n < count && total > 0; n++) {
    const kind = pick(prng, rows, total);
    const atNs = prng.nextInt(forNs / 1000) * 1000;
    for (const { afterNs, action } of MAKERS[kind](prng, cores, `${kind}-${n}`))
      faults.push({ atNs: atNs + afterNs, action });
  }
  return faults.sort((a, b) => a.atNs - b.atNs);
}

function timedLoad(prng: Prng, cores: number, forNs: Nanos, perSecond: number): readonly TimedRequest[] {
  const count = Math.round((perSecond * forNs) / SECOND);
  const load = Array.from({ length: count }, (): TimedRequest => {
    const core = prng.nextInt(cores);
    const atNs = prng.nextInt(forNs / 1000) * 1000;
    return { atNs, core, ...known(REQUESTS[prng.nextInt(REQUESTS.length)])(prng, other(prng, cores, core)) };
  });
  return load.sort((a, b) => a.atNs - b.atNs);
}

type MakeRequest = (prng: Prng, peer: CoreId) => Pick<TimedRequest, 'verb' | 'args'>;
const round: MakeRequest = (prng) => ({
  verb: 'round',
  args: {
    plan: PLAN_KINDS[prng.nextInt(PLAN_KINDS.length)],
    phases: 1 + prng.nextInt(2),
    count: 1 + prng.nextInt(8),
    bytes: prng.nextInt(300),
  },
});
const REQUESTS: readonly MakeRequest[] = [
  round,
  round,
  round,
  (prng, core) => ({ verb: 'ping', args: { core, count: 1 + prng.nextInt(20), bytes: prng.nextInt(2000) } }),
  (prng, core) => ({ verb: 'flood', args: { core, count: 1 + prng.nextInt(600), bytes: prng.nextInt(200) } }),
  (prng, core) => ({ verb: 'clock', args: { core, count: 1 + prng.nextInt(4) } }),
];

interface Later {
  readonly afterNs: Nanos;
  readonly action: SimFault;
}
type Maker = (prng: Prng, cores: number, id: string) => readonly Later[];

/** A maker for each kind of fault; its own entry undoes the fault, or at the latest the end of faults. */
const MAKERS = {
  link: (prng, cores, id) => {
    const from = prng.nextInt(cores);
    const to = prng.nextInt(8) === 0 ? SKB_PEER : other(prng, cores, from);
    return [
      at0({
        type: 'rule',
        rule: {
          kind: 'link',
          id,
          from: [from],
          to: [to],
          both: prng.nextInt(2) === 0,
          settings: linkSettings(prng),
          for_ns: spell(prng),
        },
      }),
    ];
  },
  bad_network: (prng, _cores, id) => [
    at0({
      type: 'rule',
      rule: { kind: 'link', id, from: 'all', to: 'all', both: true, settings: linkSettings(prng), for_ns: spell(prng) },
    }),
  ],
  partition: (prng, cores, id) => {
    const side = Array.from({ length: cores }, (_, core) => core).filter(() => prng.nextInt(2) === 0);
    if (side.length === 0 || side.length === cores) return [];
    return [
      at0({
        type: 'rule',
        rule: { kind: 'partition', id, groups: [side, 'rest'], one_way: false, for_ns: spell(prng) },
      }),
    ];
  },
  one_way: (prng, cores, id) => {
    const from = prng.nextInt(cores);
    return [
      at0({
        type: 'rule',
        rule: {
          kind: 'partition',
          id,
          groups: [[from], [other(prng, cores, from)]],
          one_way: true,
          for_ns: spell(prng),
        },
      }),
    ];
  },
  isolate: (prng, cores, id) => [
    at0({ type: 'rule', rule: { kind: 'isolate', id, cores: [prng.nextInt(cores)], for_ns: spell(prng) } }),
  ],
  reset: (prng, cores) => {
    const from = prng.nextInt(cores);
    return [at0({ type: 'reset', from, to: prng.nextInt(4) === 0 ? SKB_PEER : other(prng, cores, from) })];
  },
  /** A core loses the SKB for a while: link broken, and no new one. */
  skb_cut: (prng, cores, id) => {
    const core = prng.nextInt(cores);
    const forNs = spell(prng);
    const rule: FaultRule = {
      kind: 'link',
      id,
      from: [core],
      to: [SKB_PEER],
      both: true,
      settings: { loss: 1 },
      for_ns: forNs,
    };
    return [at0({ type: 'rule', rule }), at0({ type: 'reset', from: core, to: SKB_PEER })];
  },
  skb_loss: (prng) => [at0({ type: 'skb_loss', forNs: spell(prng) })],
  crash: (prng, cores) => {
    const core = prng.nextInt(cores);
    return [
      at0({ type: 'crash', cores: [core] }),
      { afterNs: spell(prng), action: { type: 'restart', cores: [core] } },
    ];
  },
  hang: (prng, cores) => [at0({ type: 'hang', cores: [prng.nextInt(cores)], forNs: spell(prng) })],
  rogue: (prng, cores) => [
    at0({
      type: 'rogue',
      cores: [prng.nextInt(cores)],
      behaviour: known(ROGUE_BEHAVIOUR_NAMES[prng.nextInt(ROGUE_BEHAVIOUR_NAMES.length)]),
      forNs: spell(prng),
    }),
  ],
  slow: (prng, cores) => [
    at0({ type: 'slow', cores: [prng.nextInt(cores)], factor: 10 ** (1 + prng.nextInt(3)), forNs: spell(prng) }),
  ],
} as const satisfies Record<string, Maker>;

export type NemesisKind = keyof typeof MAKERS;
export const NEMESIS_KINDS: readonly NemesisKind[] = keysOf(MAKERS);

const WEIGHTS: NemesisWeights = {
  link: 5,
  bad_network: 2,
  partition: 2,
  one_way: 1,
  isolate: 1,
  reset: 3,
  skb_cut: 1,
  skb_loss: 1,
  crash: 2,
  hang: 1,
  slow: 1,
  rogue: 0, // nothing is promised about a misbehaving core: separate runs check the rest
};

function linkSettings(prng: Prng): LinkOverrides {
  const chosen: Record<string, unknown> = {};
  const some = (odds: number): boolean => prng.nextInt(100) < odds;
  if (some(50)) Object.assign(chosen, { delay_ns: prng.nextInt(200) * MILLISECOND });
  if (some(40))
    Object.assign(chosen, {
      jitter_ns: prng.nextInt(50) * MILLISECOND,
      distribution: ['uniform', 'normal', 'pareto'][prng.nextInt(3)],
    });
  if (some(40)) Object.assign(chosen, { loss: prng.nextInt(60) / 100 });
  if (some(15)) Object.assign(chosen, { burst: { enter: 0.1, leave: 0.3, good: 0, bad: 0.8 } });
  if (some(30)) Object.assign(chosen, { duplicate: prng.nextInt(50) / 100 });
  if (some(30)) Object.assign(chosen, { reorder: prng.nextInt(50) / 100 });
  if (some(10)) Object.assign(chosen, { rate_bytes_per_second: 10_000 + prng.nextInt(1_000_000) });
  if (some(10)) Object.assign(chosen, { reset_after_frames: 1 + prng.nextInt(30) });
  if (Object.keys(chosen).length === 0) return { loss: 0.2 };
  return chosen as LinkOverrides;
}

/** How long a fault lasts: mostly short, sometimes longer than an operation's deadline. */
function spell(prng: Prng): Nanos {
  const longest = prng.nextInt(8) === 0 ? 16_000 : 2_000;
  return (20 + prng.nextInt(longest)) * MILLISECOND;
}

function at0(action: SimFault): Later {
  return { afterNs: 0, action };
}

function other(prng: Prng, cores: number, core: CoreId): CoreId {
  return (core + 1 + prng.nextInt(cores - 1)) % cores;
}

function pick<K>(prng: Prng, rows: readonly (readonly [K, number])[], total: number): K {
  let at = prng.nextFloat() * total;
  for (const [kind, weight] of rows) if ((at -= weight) < 0) return kind;
  return known(rows.at(-1))[0];
}
