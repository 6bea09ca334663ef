/**
 * Unmap and protect: a one-phase round over the cores that may hold the translation, by a dissemination plan (Baumann
 * et al., SOSP 2009, §5.1). Unhook, invalidate, free, in this order: the tables have changed when a round begins, and
 * freed memory is zeroed at its home in its own transaction, which waits for all copies.
 *
 *   V2   when a round has ended no core of it can use the old translation;
 *   VS2  a round ends when each core has acted or is gone, however long that takes; only its callers are answered in
 *        time.
 */
import type { CoreId, Nanos } from '@mk/monitor-proto/ids';
import type { PageRange } from '../../memory/address-space.ts';
import type { Agreement } from '../agreement/agreement.ts';
import { decodeNumbers, encodeNumbers } from '../agreement/envelope.ts';
import type { PlanKind } from '../agreement/plan.ts';
import { untilActed, usualPlan } from '../agreement/until-acted.ts';
import type { MonitorContext } from '../context.ts';
import type { Operation } from '../operations.ts';
import type { ShootdownReport } from './shootdown-report.ts';

/** The translations that a round takes away. */
export interface Taken {
  readonly domain: string;
  readonly epoch: number;
  readonly ranges: readonly PageRange[];
}

/** Recorded when the requests have been sent. */
interface Begun {
  readonly takenNs: Nanos;
  sentNs: Nanos | null;
}

/** Domain names are `core.incarnation.n`; the payload is numbers. */
export function encodeTaken({ domain, epoch, ranges }: Taken): Uint8Array {
  return encodeNumbers([
    ...domain.split('.').map(Number),
    epoch,
    ...ranges.flatMap(({ first, count }) => [first, count]),
  ]);
}

/** Decodes a peer's payload; null: it is malformed. */
export function decodeTaken(bytes: Uint8Array): Taken | null {
  const numbers = decodeNumbers(bytes);
  if (numbers === null || numbers.length < 4 || numbers.length % 2 !== 0) return null;
  const [core, incarnation, n, epoch, ...flat] = numbers;
  const ranges: PageRange[] = [];
  for (let i = 0; i < flat.length; i += 2) ranges.push({ first: flat[i]!, count: flat[i + 1]! });
  if (ranges.some(({ first, count }) => first < 0 || count < 1)) return null;
  return { domain: `${core}.${incarnation}.${n}`, epoch: epoch!, ranges };
}

/** A caller that waits until everything taken away so far is unusable. */
interface Waiter {
  /** Null: the changes that it waits for have not been delivered yet. */
  open: Set<object> | null;
  readonly goOn: (now: Nanos) => void;
}

/** Translations that this core is withdrawing. */
export class Shootdowns {
  private readonly open = new Set<object>();
  /** Those of `open` begun since everything was last delivered. */
  private fresh = new Set<object>();
  private readonly waiters = new Set<Waiter>();
  /** The latest rounds, for display. */
  readonly last: ShootdownReport[] = [];
  rounds = 0;

  constructor(
    private readonly context: MonitorContext,
    private readonly agreement: Agreement,
    /** The plan; `auto`: with many cores the numa tree that the SKB pushed, otherwise one by one. */
    private readonly planKind: () => PlanKind | 'auto',
  ) {}

  get size(): number {
    return this.open.size;
  }

  /**
   * Begins a round over these cores, this one included; calls `told` when none of them can use the removed
   * translations.
   */
  begin(taken: Taken, holders: readonly CoreId[], told: () => void): void {
    const { operations, now, core } = this.context;
    const token = this.hold();
    const others = holders.filter((holder) => holder !== core);
    const op = operations.nextId();
    const begun: Begun = { takenNs: now, sentNs: null };
    this.rounds += 1;
    operations.start(
      op,
      this.run(op, taken, others, begun),
      now,
      () => {
        told();
        this.release(token);
      },
      true,
    );
    begun.sentNs ??= this.context.stopwatch();
  }

  /** Adds something else for callers to wait for, until `release`. */
  hold(): object {
    const token = {};
    this.open.add(token);
    this.fresh.add(token);
    return token;
  }

  release(token: object): void {
    this.open.delete(token);
    this.fresh.delete(token);
    for (const waiter of [...this.waiters]) {
      waiter.open?.delete(token);
      this.tryGoOn(waiter);
    }
  }

  /**
   * Calls `goOn` when everything taken away is unusable. `untold`: includes translations taken away in this step and
   * delivered at its end; otherwise those under way.
   */
  whenSettled(untold: boolean, goOn: (now: Nanos) => void): void {
    if (!untold && this.open.size === 0) return goOn(this.context.now);
    const waiter: Waiter = { open: untold ? null : new Set(this.open), goOn };
    this.waiters.add(waiter);
  }

  /** Every change so far has been delivered: callers now know what they wait for. */
  allTold(): void {
    for (const waiter of [...this.waiters]) {
      waiter.open ??= new Set(this.fresh);
      this.tryGoOn(waiter);
    }
    this.fresh = new Set();
  }

  private tryGoOn(waiter: Waiter): void {
    if (waiter.open?.size !== 0 || !this.waiters.delete(waiter)) return;
    waiter.goOn(this.context.now);
  }

  private *run(op: string, taken: Taken, cores: readonly CoreId[], begun: Begun): Operation<void> {
    const { context, agreement } = this;
    const chosen = this.planKind();
    const kind = chosen === 'auto' ? usualPlan(cores.length) : chosen;
    const spec = { op, action: 'unmap', payload: encodeTaken(taken), kind } as const;
    const { messages, data } = yield* untilActed(context, agreement, spec, cores);
    const quiesceNs = Math.max(0, ...data);
    const { takenNs } = begun;
    const sentNs = (begun.sentNs ??= context.stopwatch());
    const endedNs = Math.max(sentNs, context.now);
    const elapsedNs = endedNs - takenNs;
    this.last.push({ plan: kind, cores: cores.length + 1, messages, takenNs, sentNs, endedNs, quiesceNs, elapsedNs });
    if (this.last.length > LAST_KEPT) this.last.shift();
  }
}

const LAST_KEPT = 2048;
