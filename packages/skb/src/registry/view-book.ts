import { known } from '@mk/monitor-proto/assert';
import type { CoreId, Incarnation } from '@mk/monitor-proto/ids';
import type { AgreedView } from './founding.ts';

/** A core's incarnation. */
export interface Instance {
  readonly core: CoreId;
  readonly incarnation: Incarnation;
}

interface KnownView {
  readonly number: number;
  readonly members: ReadonlyMap<CoreId, Incarnation>;
  readonly flat: readonly number[];
}

/** Views of one epoch, at most (node-kernel/src/monitor/views/view.ts). */
const EPOCH_VIEWS = 100_000;
/**
 * A life of the SKB that finds nobody in a view begins this many epochs after the previous one: operators have begun
 * fewer.
 */
const LIFE_EPOCHS = 10;
/** Numbers of views have 32 bits. */
export const MOST_LIVES = Math.floor(2 ** 32 / (LIFE_EPOCHS * EPOCH_VIEWS));

/**
 * What the registry knows of the cores' views. It only begins the first: names and addresses are its business,
 * membership is the cores'. A view counts here once a majority of its members has reported it, so that no single core's
 * word removes anybody.
 */
export class ViewBook {
  private current: KnownView | null = null;
  /** Each core's latest report. */
  private readonly reports = new Map<CoreId, { readonly incarnation: Incarnation; readonly view: KnownView }>();

  constructor(private readonly life: number) {}

  get number(): number {
    return this.current?.number ?? 0;
  }

  /** The view in force, for later lives of the SKB. */
  get agreed(): AgreedView {
    return { number: this.number, cores: this.current?.members.size ?? 0 };
  }

  /** The number of a first view: of the machine, or of its next epoch when nobody of an earlier one is left. */
  get firstNumber(): number {
    const next = this.current === null ? 0 : Math.floor(this.current.number / EPOCH_VIEWS) + 1;
    return Math.max(next, (this.life - 1) * LIFE_EPOCHS) * EPOCH_VIEWS + 1;
  }

  /** The view in force, flattened; null if none is known. */
  get flat(): readonly number[] | null {
    return this.current?.flat ?? null;
  }

  /** Whether the core is in the view that is in force, as far as the registry knows. */
  includes({ core, incarnation }: Instance): boolean {
    return this.current?.members.get(core) === incarnation;
  }

  /** Whether the core says that it is, or was, in a view. */
  isInSome({ core, incarnation }: Instance): boolean {
    return this.reports.get(core)?.incarnation === incarnation;
  }

  /** A core has installed a view; true if that makes it the view in force, and it was not before. */
  report(from: Instance, flat: readonly number[]): boolean {
    const view = viewOf(flat);
    if (view === null || view.members.get(from.core) !== from.incarnation) return false;
    this.reports.set(from.core, { incarnation: from.incarnation, view });
    if (view.number <= this.number) return false;
    let reported = 0;
    for (const [core, incarnation] of view.members) {
      const row = this.reports.get(core);
      if (row?.incarnation === incarnation && row.view.number === view.number) reported += 1;
    }
    if (reported <= view.members.size / 2) return false;
    this.current = view;
    return true;
  }

  /** Whether later views have left behind a core that was in one. */
  hasDropped(instance: Instance): boolean {
    const row = this.reports.get(instance.core);
    if (this.includes(instance) || row?.incarnation !== instance.incarnation) return false;
    return row.view.number < this.number;
  }

  forget({ core, incarnation }: Instance): void {
    if (this.reports.get(core)?.incarnation === incarnation) this.reports.delete(core);
  }
}

/** Decodes a flattened view: number, leader, how many members, core and incarnation of each. */
function viewOf(flat: readonly number[]): KnownView | null {
  const [number = 0, , count = 0] = flat;
  if (number < 1 || count < 1 || flat.length !== 3 + 2 * count) return null;
  const members = new Map<CoreId, Incarnation>();
  for (let i = 3; i < flat.length; i += 2) members.set(known(flat[i]), known(flat[i + 1]));
  return members.size === count ? { number, members, flat } : null;
}
