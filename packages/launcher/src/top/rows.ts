import { known } from '@mk/monitor-proto/assert';
import type { DispatcherFigures, Figures } from './figures.ts';

/** A process between two samples. Rates are null before the second, and while it does not answer. */
export interface TopRow {
  /** `core-3`, `skb`. */
  readonly process: string;
  readonly core: number | null;
  readonly state: string;
  /** Share of one CPU. */
  readonly cpuRatio: number | null;
  readonly receivedPerSecond: number | null;
  readonly sentPerSecond: number | null;
  readonly sentBytesPerSecond: number | null;
  readonly droppedPerSecond: number | null;
  readonly queued: number | null;
  readonly operations: number | null;
  readonly links: number | null;
  readonly suspects: number | null;
  readonly silentPeer: string | null;
  readonly silentSeconds: number | null;
  /** How late at most 99 of 100 timers fired between the samples; null if none did. */
  readonly lagP99Seconds: number | null;
  readonly residentBytes: number | null;
  /** Share of the time between the samples in which dispatchers had the core. */
  readonly runRatio: number | null;
  readonly dispatchers: readonly DispatcherRow[];
}

export interface DispatcherRow extends DispatcherFigures {
  readonly runRatio: number | null;
}

/** A process's figures at two samples; null: none. */
export interface TwoLooks {
  readonly process: string;
  readonly state: string;
  readonly before: Figures | null;
  readonly now: Figures | null;
}

const COLUMNS_OF_SILENCE = { silentPeer: null, silentSeconds: null } as const;

export function rowOf({ process, state, before, now }: TwoLooks): TopRow {
  const core = /^core-(\d+)$/.exec(process)?.[1];
  const base = { process, core: core === undefined ? null : Number(core), state };
  if (now === null) return { ...base, ...NOTHING };
  // A counter that has fallen belongs to a new process.
  const earlier = before !== null && before.cpuSeconds <= now.cpuSeconds ? before : null;
  const seconds = earlier === null ? 0 : (now.atMs - earlier.atMs) / 1000;
  const rate = (of: (figures: Figures) => number): number | null =>
    earlier === null || seconds <= 0 ? null : Math.max(0, (of(now) - of(earlier)) / seconds);
  const dispatchers = now.dispatchers.map((row) => withShare(row, earlier, seconds));
  return {
    ...base,
    cpuRatio: rate(({ cpuSeconds }) => cpuSeconds),
    receivedPerSecond: rate(({ received }) => received),
    sentPerSecond: rate(({ sent }) => sent),
    sentBytesPerSecond: rate(({ sentBytes }) => sentBytes),
    droppedPerSecond: rate(({ dropped }) => dropped),
    queued: now.queued,
    operations: now.operations,
    links: now.links,
    suspects: now.suspects,
    ...(now.silent === null ? COLUMNS_OF_SILENCE : { silentPeer: now.silent.peer, silentSeconds: now.silent.seconds }),
    lagP99Seconds: lagBetween(earlier, now),
    residentBytes: now.residentBytes,
    runRatio: seconds <= 0 ? null : dispatchers.reduce((sum, { runRatio }) => sum + (runRatio ?? 0), 0),
    dispatchers,
  };
}

const NOTHING = {
  cpuRatio: null,
  receivedPerSecond: null,
  sentPerSecond: null,
  sentBytesPerSecond: null,
  droppedPerSecond: null,
  queued: null,
  operations: null,
  links: null,
  suspects: null,
  ...COLUMNS_OF_SILENCE,
  lagP99Seconds: null,
  residentBytes: null,
  runRatio: null,
  dispatchers: [],
} as const;

function withShare(row: DispatcherFigures, earlier: Figures | null, seconds: number): DispatcherRow {
  const known = earlier?.dispatchers.find(
    ({ domain, dispatcher }) => domain === row.domain && dispatcher === row.dispatcher,
  );
  if (seconds <= 0) return { ...row, runRatio: null };
  return { ...row, runRatio: Math.max(0, row.runSeconds - (known?.runSeconds ?? 0)) / seconds };
}

/** The bound that 99 of 100 timers kept between two samples; beyond the last finite bound, that bound. */
function lagBetween(earlier: Figures | null, { lag }: Figures): number | null {
  const counts = lag.map(([bound, count], i) => [bound, count - (earlier?.lag[i]?.[1] ?? 0)] as const);
  const total = counts.at(-1)?.[1] ?? 0;
  if (total <= 0) return null;
  const [bound] = known(counts.find(([, count]) => count >= total * 0.99));
  return bound === Infinity ? known(counts.at(-2))[0] : bound;
}
