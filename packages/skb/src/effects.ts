import type { Effect } from '@mk/monitor-proto/step';

/** What the SKB asks of its host beside what every state machine asks. */
export type SkbEffect =
  | Effect
  /** All expected cores are bound to one another; `elapsedMs` since the SKB began. */
  | { readonly type: 'mesh_complete'; readonly cores: number; readonly links: number; readonly elapsedMs: number };
