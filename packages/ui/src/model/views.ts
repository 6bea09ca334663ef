import type { Millis, PageEventOf } from './page-events.ts';

/** The part of a core's answer to the verb `view` that the page shows. */
export interface CoreMembership {
  readonly core: number;
  /** 0: in none yet. */
  readonly view: number;
  readonly leader: number | null;
  readonly members: readonly { readonly core: number; readonly incarnation: number }[];
  readonly fenced: boolean;
  readonly lease_ms: number;
  readonly suspects: readonly number[];
  readonly newcomers: readonly number[];
  readonly history: readonly {
    readonly view: number;
    readonly leader: number;
    readonly members: number;
    readonly joined: readonly number[];
    readonly left: readonly number[];
    readonly lost: readonly number[];
    readonly age_ms: number;
  }[];
}

/** Past views reported. */
const MOST_PAST = 50;
/** Two readings of one view's age may differ by less than this. */
const AGE_STEP_MS = 500;

/** The views as the cores report them at the time `t`: the newest, its leader, and what each core says. */
export function viewsEvent(
  rows: readonly CoreMembership[],
  absent: readonly number[],
  t: Millis,
): PageEventOf<'views'> {
  const newest = rows.reduce<CoreMembership | null>((best, row) => (row.view > (best?.view ?? 0) ? row : best), null);
  const leader = rows.find(({ core }) => core === newest?.leader) ?? newest;
  return {
    type: 'views',
    t,
    view: newest?.view ?? 0,
    leader: newest?.leader ?? null,
    leaseMs: newest?.lease_ms ?? 0,
    members: (newest?.members ?? []).map(({ core, incarnation }) => [core, incarnation]),
    rows: rows.map(({ core, view, leader: followed, fenced, suspects, newcomers }) => ({
      core,
      view,
      leader: followed,
      fenced,
      suspects,
      newcomers,
    })),
    history: (leader?.history ?? []).slice(-MOST_PAST).map(({ age_ms: ageMs, ...past }) => ({
      ...past,
      at: Math.round((t - ageMs) / AGE_STEP_MS) * AGE_STEP_MS,
    })),
    absent,
  };
}
