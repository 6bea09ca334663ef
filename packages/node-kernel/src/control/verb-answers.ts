import type { DomainStatus } from '@mk/libmk/dispatcher/domain-status';
import type { CoreId, DomainId, Nanos } from '@mk/monitor-proto/ids';
import type { Solution } from '@mk/monitor-proto/knowledge/query';
import type { LogLevel } from '@mk/monitor-proto/log-events';
import type { OctopusNotification, OctopusReply } from '@mk/monitor-proto/octopus/requests';
import type { CoreSnapshot } from '../capability/audit/audit-snapshot.ts';
import type { RogueBehaviour } from '@mk/monitor-proto/rogue-behaviours';
import type { OffenceRow } from '../monitor/conduct/offences.ts';
import type { PlanKind } from '../monitor/agreement/plan.ts';
import type { ShootdownReport } from '../monitor/memory/shootdown-report.ts';
import type { CoreView } from '../monitor/views/core-view.ts';
import type { View } from '../monitor/views/view.ts';
import type { TimeSummary } from '../monitor/statistics.ts';

/**
 * The answers of a control port's verbs. The services that serve them (`Verbs`) and their callers are compiled against
 * these rows, so nobody guesses an answer's form. A verb without a row answers `unknown`.
 */
export interface CoreAnswers {
  readonly audit_snapshot: CoreSnapshot & { readonly busy: boolean };
  readonly bench_revoke: RevokeSummary;
  readonly caps: readonly CapabilityRow[];
  readonly churn: ChurnReport;
  readonly clock: ClockOffset;
  readonly cspace: readonly CspaceRow[];
  readonly dispatchers: readonly DispatcherRow[];
  readonly domain_create: { readonly domain: DomainId };
  readonly domain_spawn: { readonly domain: string };
  readonly domain_wait: DomainStatus;
  readonly domains: readonly DomainRow[];
  readonly flood: FloodResult;
  readonly links: readonly LinkRow[];
  readonly log_level: LogLevel | 'off';
  readonly memory: MemoryReport;
  readonly octopus: OctopusReply;
  readonly offences: OffenceReport;
  readonly octopus_told: OctopusNotification | null;
  readonly ping: TimeSummary & { readonly core: CoreId; readonly bytes: number };
  readonly query: {
    readonly solutions: readonly Solution[];
    readonly more: boolean;
    readonly error: { readonly name: string; readonly text: string } | null;
  };
  readonly rogue: RogueState;
  readonly round: RoundSummary;
  readonly unmap_plan: UnmapReport;
  readonly view: CoreView;
  readonly view_force: View;
}

/**
 * The plan by which a core shoots translations down, the number of rounds it has led, and the latest of them, oldest
 * first.
 */
interface UnmapReport {
  readonly plan: PlanKind | 'auto';
  readonly rounds: number;
  readonly last: readonly ShootdownReport[];
}

/** The offences that a core has caught its peers at, and how many of their requests are held or were dropped. */
export interface OffenceReport {
  readonly offences: readonly (Pick<OffenceRow, 'peer' | 'offence' | 'count' | 'proof' | 'text'> & {
    readonly first_s_ago: number;
    readonly last_s_ago: number;
  })[];
  readonly held: number;
  readonly dropped: number;
}

/** How a core misbehaves on command, and the number of such messages sent. */
export interface RogueState {
  readonly rogue: readonly RogueBehaviour[];
  readonly rogue_sent: number;
}

/** A verb's row, or `unknown`. */
export type AnswerOf<Rows, V extends string> = V extends keyof Rows ? Rows[V] : unknown;

/** The progress of a churn; its numbers grow while it runs. */
export interface ChurnReport {
  operations: number;
  ok: number;
  readonly kinds: Record<string, number>;
  readonly errors: Record<string, number>;
  /** The oracle's objections: none on a sound cluster. */
  readonly wrong: string[];
  elapsedNs: Nanos;
}

/** A peer's clock relative to ours. */
export interface ClockOffset {
  /** Add it to our time to get the peer's; nanoseconds. */
  readonly offsetNs: Nanos;
  /** The exchange's round trip: the offset is exact to half of it. */
  readonly roundTripNs: Nanos;
}

/** The receiver's counts of a flood, and how long the sender waited for them. */
export interface FloodResult {
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
  readonly elapsedNs: Nanos;
  /** How often the channel answered BUSY. */
  readonly busy: number;
}

/** A series of agreement rounds; times in nanoseconds. */
export interface RoundSummary extends TimeSummary {
  readonly plan: string;
  readonly phases: number;
  readonly cores: number;
  readonly messages: number;
}

/** Revokes compared with empty two-phase rounds; times in nanoseconds. */
export interface RevokeSummary {
  readonly cores: number;
  readonly messages: number;
  readonly plan_messages: number;
  readonly revoke: TimeSummary;
  readonly round: TimeSummary;
}

/** A row of `caps`: one of the core's slots. */
export interface CapabilityRow {
  readonly slot: number;
  readonly capability: string;
  readonly rights: number;
  readonly owner: CoreId;
  readonly locked: boolean;
  readonly in_delete: boolean;
  readonly relations: number;
}

/** One address of a domain's cspace. */
interface CspaceRow {
  readonly address: number;
  readonly capability: string;
  readonly owner: CoreId;
}

/** A row of a core's table of dispatchers. */
export interface DispatcherRow {
  readonly dispatcher: number;
  readonly domain: string;
  readonly program: string;
  readonly class: object;
  readonly state: string;
  readonly state_ms: number;
  readonly age_ns: Nanos;
  readonly run_ns: Nanos;
  readonly turns: number;
  readonly calls: number;
  readonly queued: number;
}

/** A domain, as its home core shows it. */
interface DomainRow extends DomainStatus {
  readonly program: string;
  readonly args: readonly string[];
  readonly ran_ms: number;
}

/** A core's memory server; bytes. */
interface MemoryReport {
  readonly brought: number;
  readonly free: number;
  readonly free_own: number;
  readonly largest_free: number;
  readonly lent: number;
  readonly lent_to: readonly { readonly to: CoreId; readonly bytes: number }[];
  readonly stolen: number;
  readonly steals: number;
}

/** A core's channel to one peer. */
export interface LinkRow {
  readonly peer: CoreId | string;
  readonly up: boolean;
  readonly bound: boolean;
  readonly suspected: boolean;
  readonly silent_ms: number;
  readonly unacknowledged: number;
}
