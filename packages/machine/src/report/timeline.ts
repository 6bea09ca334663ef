import { TIMELINE_MOST } from './limits.ts';
import type { EntryKind, TimelineEntry } from './run-report.ts';
import type { Told } from './told-lines.ts';
import { namedCores } from '../counted.ts';

/** How long the same news from many cores is gathered, by the world's clock. */
const GATHER_MS = 250;
/** Kinds that every timeline includes, whatever its length. */
const ALWAYS: ReadonlySet<EntryKind> = new Set(['asked', 'fault', 'healed', 'view', 'broken']);

interface Gathered extends Pick<TimelineEntry, 'at_ms' | 'kind' | 'text'> {
  readonly cores: Set<number>;
  readonly others: Set<string>;
}

/** Gathers log lines into entries: the same news from many cores becomes one. */
export class Timeline {
  private readonly gathered: Gathered[] = [];
  private readonly last = new Map<string, Gathered>();
  private unkept = 0;

  add(atMs: number, core: number | string, { kind, text, key, everybody }: Told): void {
    const last = this.last.get(key);
    const again = last !== undefined && (everybody === true || Math.abs(atMs - last.at_ms) <= GATHER_MS);
    // No use in holding entries that will be left out.
    if (!again && !ALWAYS.has(kind) && this.gathered.length >= 4 * TIMELINE_MOST) {
      this.unkept += 1;
      return;
    }
    const entry = again ? last : { at_ms: atMs, kind, text, cores: new Set<number>(), others: new Set<string>() };
    if (!again) {
      this.gathered.push(entry);
      this.last.set(key, entry);
    }
    if (everybody === true) return;
    if (typeof core === 'number') entry.cores.add(core);
    else entry.others.add(core);
  }

  /** The entries in order of time, at most so many, and how many more there were. */
  entries(): { readonly shown: readonly TimelineEntry[]; readonly leftOut: number } {
    const all = this.gathered.toSorted((a, b) => a.at_ms - b.at_ms);
    const certain = all.filter(({ kind }) => ALWAYS.has(kind)).slice(0, TIMELINE_MOST);
    let room = TIMELINE_MOST - certain.length;
    const kept = new Set(certain);
    const shown = all.filter((entry) => kept.has(entry) || (!ALWAYS.has(entry.kind) && room-- > 0));
    return {
      shown: shown.map(({ at_ms, kind, text, cores, others }) => ({ at_ms, kind, who: whoOf(cores, others), text })),
      leftOut: this.unkept + all.length - shown.length,
    };
  }
}

function whoOf(cores: ReadonlySet<number>, others: ReadonlySet<string>): string {
  const named = cores.size === 0 ? [] : [namedCores([...cores])];
  return [...named, ...others].join(', ');
}
