import { known } from '@mk/monitor-proto/assert';
import type { Nanos } from '@mk/monitor-proto/ids';
import type { HealTarget } from '@mk/monitor-proto/link/rule-state';
import type { RogueBehaviour } from '@mk/monitor-proto/rogue-behaviours';
import { checkFaultRule } from '@mk/monitor-proto/link/fault-rule';
import type { FaultRule } from '@mk/monitor-proto/link/fault-rule';
import { toHealTarget, toRule } from './fault-plan-rules.ts';
import { PLAN } from './fault-plan-schema.ts';
import type { FaultEntry, PlanFile } from './fault-plan-schema.ts';
import { refuse, type Result, succeed } from '@mk/monitor-proto/result';
import { parseStrict } from './strict.ts';

/** A normalised fault plan: times in nanoseconds since the end of boot, faults in order of time. */
export interface FaultPlan {
  readonly seed: number | string | null;
  /** Name or path of a machine description. */
  readonly machine: string | null;
  readonly cores: number | null;
  readonly latencyNs: Nanos | null;
  readonly jitterNs: Nanos | null;
  /** How long a core may act without word from a majority. */
  readonly leaseNs: Nanos | null;
  readonly workload: Workload | null;
  readonly faults: readonly PlannedFault[];
  readonly expect: readonly Expectation[];
}

/** A program that runs during the faults; `on`: the cores that it starts on. */
export interface Workload {
  readonly program: string;
  readonly args: readonly string[];
  readonly on: readonly number[] | null;
}

/** What must hold in the end: every invariant; the cluster whole again; the workload ended well. */
export type Expectation = 'invariants' | 'converge' | 'workload';

export interface PlannedFault {
  readonly atNs: Nanos;
  readonly action: FaultAction;
}

/** A rule for the fault engine, or something done to processes. `forNs` null: it lasts until it is healed. */
export type FaultAction =
  | { readonly type: 'rule'; readonly rule: FaultRule }
  | { readonly type: 'heal'; readonly target: HealTarget }
  | ({ readonly type: 'crash' } & OnCores)
  | ({ readonly type: 'restart' } & OnCores)
  | ({ readonly type: 'hang' } & OnCores & Lasting)
  | ({ readonly type: 'slow'; readonly factor: number } & OnCores & Lasting)
  | ({ readonly type: 'rogue'; readonly behaviour: RogueBehaviour } & OnCores & Lasting)
  | ({ readonly type: 'skb_loss' } & Lasting);

interface OnCores {
  readonly cores: readonly number[];
}

interface Lasting {
  readonly forNs: Nanos | null;
}

/**
 * Reads a fault plan, the same file for real processes and the simulator. The error is one line that starts with `what`
 * and names the place, and for an unknown key suggests the nearest known one.
 */
export function parseFaultPlan(text: string, what = 'fault plan'): Result<FaultPlan, string> {
  const parsed = parseStrict(splitEntries(text), PLAN, what);
  if (!parsed.ok) return parsed;
  const faults = plannedFaults(parsed.value.faults);
  return faults.ok ? succeed(normalise(parsed.value, faults.value)) : refuse(`${what}: ${faults.error}`);
}

/** `- at: 2s   crash: { core: 5 }` on one line reads well but is not YAML, so such lines are split. */
function splitEntries(text: string): string {
  return text.replace(/^([ \t]*)- (at:[ \t]*\S+)[ \t]+([a-z_]+:.*)$/gm, '$1- $2\n$1  $3');
}

function plannedFaults(entries: readonly FaultEntry[]): Result<readonly PlannedFault[], string> {
  const faults: PlannedFault[] = [];
  for (const [index, entry] of entries.entries()) {
    const action = toAction(entry, index);
    if (typeof action === 'string') return refuse(`faults[${index}]: ${action}`);
    faults.push({ atNs: entry.at, action });
  }
  return succeed(faults.sort((a, b) => a.atNs - b.atNs));
}

function normalise(file: PlanFile, faults: readonly PlannedFault[]): FaultPlan {
  const { workload } = file;
  const { program, args, on } = workload ?? { program: '', args: [], on: undefined };
  return {
    seed: file.seed ?? null,
    machine: file.machine ?? null,
    cores: file.cores ?? null,
    latencyNs: file.latency ?? null,
    jitterNs: file.jitter ?? null,
    leaseNs: file.lease ?? null,
    workload: workload === undefined ? null : { program, args, on: on ?? null },
    faults,
    expect: file.expect,
  };
}

const KINDS = [
  'partition',
  'isolate',
  'link',
  'crash',
  'restart',
  'hang',
  'slow',
  'rogue',
  'skb_loss',
  'heal',
] as const;
const AT_ONCE = 'for has no meaning here; crash, restart and heal happen at once';

/** An entry's single action, or what is wrong with the entry. */
function toAction(entry: FaultEntry, index: number): FaultAction | string {
  const kinds = KINDS.filter((kind) => entry[kind] !== undefined);
  if (kinds.length !== 1) {
    const found = kinds.length === 0 ? 'no fault' : `${kinds.length} faults (${kinds.join(', ')})`;
    return `${found}; write one of ${KINDS.join(', ')} with each at`;
  }
  const inner = entry[known(kinds[0])];
  const innerFor = typeof inner === 'object' && 'for' in inner ? inner.for : undefined;
  if (entry.for !== undefined && innerFor !== undefined) return 'for is given twice';
  const forNs = innerFor ?? entry.for ?? null;
  if (forNs === 0) return 'for must be more than 0';
  return processAction(entry, forNs) ?? networkAction(entry, forNs, index);
}

function processAction(entry: FaultEntry, forNs: Nanos | null): FaultAction | string | null {
  const { crash, restart, hang, slow, rogue, skb_loss: skbLoss } = entry;
  if (forNs !== null && (crash ?? restart ?? entry.heal) !== undefined) return AT_ONCE;
  if (crash !== undefined) return { type: 'crash', cores: crash.core };
  if (restart !== undefined) return { type: 'restart', cores: restart.core };
  if (hang !== undefined) return { type: 'hang', cores: hang.core, forNs };
  if (slow !== undefined) return { type: 'slow', cores: slow.core, factor: slow.factor, forNs };
  if (rogue !== undefined) return { type: 'rogue', cores: rogue.core, behaviour: rogue.behaviour, forNs };
  return skbLoss === undefined ? null : { type: 'skb_loss', forNs };
}

function networkAction(entry: FaultEntry, forNs: Nanos | null, index: number): FaultAction | string {
  if (entry.heal !== undefined) return { type: 'heal', target: toHealTarget(entry.heal) };
  const rule = toRule(entry, `plan-${index}`, forNs);
  const checked = typeof rule === 'string' ? rule : checkFaultRule(rule);
  return typeof checked === 'string' ? checked : { type: 'rule', rule: checked };
}
