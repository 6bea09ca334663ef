import type { CoreId } from '@mk/monitor-proto/ids';
import type { CoreRow } from '@mk/monitor-proto/knowledge/core-row';
import type { LOG_THRESHOLDS } from '@mk/monitor-proto/log-events';
import type { RttRow } from '../facts/cluster-facts.ts';
import type { TreeNode } from '../topology/multicast-tree.ts';

/** The answers of the SKB's control verbs: VERBS and its callers are compiled against these rows. */
export interface SkbAnswers {
  readonly waiting: { readonly silent: readonly CoreId[] };
  readonly log_level: (typeof LOG_THRESHOLDS)[number];
  readonly status: {
    readonly cluster: string;
    readonly members: number;
    readonly expected: number;
    readonly links: number;
    readonly meshComplete: boolean;
    readonly measuring: boolean;
    /** The version of the dissemination plans. */
    readonly plan: number;
    readonly records: number;
    /** Null: the engine is not ready. */
    readonly engineReadyMs: number | null;
    readonly counters: object;
  };
  readonly cores: readonly CoreRow[];
  readonly rtt: readonly RttRow[];
  readonly measure: { readonly trips: readonly RttRow[]; readonly silent: readonly CoreId[] };
  /** A text, or the tree itself where `form` is json. */
  readonly tree: string | TreeNode;
}
