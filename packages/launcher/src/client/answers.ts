import type { CoreId } from '@mk/monitor-proto/ids';
import type { LogLinesAnswer } from '@mk/monitor-proto/io/kept-lines';
import type { ActiveRule } from '@mk/monitor-proto/link/rule-state';
import type { CoreAnswers as KernelAnswers } from '@mk/node-kernel/control/verb-answers';
import type { SkbAnswers } from '@mk/skb/control/verb-answers';
import type { CertificateRow } from '../tls/certificate-desk.ts';
import type { PlanTold } from './plan-told.ts';
import type { FaultTarget } from './fault-targets.ts';

/** The answers of each kind of process to the verbs of its control port. */
export interface Answers {
  readonly core: CoreAnswers;
  readonly skb: SkbAnswers & ProcessAnswers;
  readonly supervisor: SupervisorAnswers;
}

/** The verbs that core and SKB answer before their state machines see them. */
interface ProcessAnswers {
  readonly log_lines: LogLinesAnswer;
}

/** The answers of every process with links about faults on them (`LinkFaults`). */
export interface LinkFaultAnswers {
  readonly fault_add: { readonly id: string };
  readonly fault_heal: { readonly healed: readonly string[] };
  readonly faults: readonly ActiveRule[];
}

/** A core's answers: those of its kernel's verbs, and those that only outsiders know. */
export interface CoreAnswers extends KernelAnswers, LinkFaultAnswers, ProcessAnswers {
  readonly cap_retype: { readonly address: number };
  readonly cap_revoke: { readonly cores: number; readonly messages: number };

  readonly pages: readonly PageRow[];
  readonly vspaces: readonly SpaceRow[];
}

/** The answers of the supervisor's verbs: SUPERVISOR_VERBS is compiled against these rows. */
export interface SupervisorAnswers {
  /** `launch`: the arguments of `mk-launch` that boot a cluster like this one. */
  readonly status: { readonly name: string; readonly launch: readonly string[] };
  readonly ps: readonly ProcessRow[];
  readonly crash: null;
  readonly restart: ProcessRow;
  readonly hang: null;
  readonly slow: null;
  readonly rogue: null;
  readonly add_cores: readonly CoreId[];
  readonly fault_add: { readonly id: string; readonly missing: readonly FaultTarget[] };
  readonly fault_heal: Healed;
  readonly faults: readonly ActiveRule[];
  readonly ui: { readonly url: string };
  readonly certs: readonly CertificateRow[];
  readonly plan_begin: null;
  readonly plan_told: PlanTold;
  readonly plan_stop: null;
  readonly shutdown: null;
}

/** A process as `mkctl ps` shows it. */
export interface ProcessRow {
  readonly name: string;
  readonly pid: number;
  readonly state: string;
  readonly incarnation: number;
  readonly address: string;
  readonly how: string;
}

/** The outcome of a heal: rules that ended, processes that woke, and processes that could not be told. */
export interface Healed {
  readonly healed: readonly string[];
  readonly woken: readonly string[];
  readonly missing: readonly FaultTarget[];
}

/** The mappings of one address space. */
export interface SpaceRow {
  readonly domain: string;
  readonly epoch: number;
  readonly mapped: readonly MappedRow[];
}

interface MappedRow {
  readonly virtual: number;
  readonly bytes: number;
  readonly page_bytes: number;
  readonly frame: number;
  readonly offset: number;
  readonly rights: readonly number[];
  readonly holders: readonly number[];
}

/** A page, as its home core keeps it. */
export interface PageRow {
  readonly page: number;
  readonly state: string;
  readonly owner: number | null;
  readonly sharers: readonly number[];
  readonly version: number;
  readonly queued: number;
  readonly lost: boolean;
  readonly statistics: Readonly<Record<string, number>>;
}
