/**
 * This core's memory that other cores have borrowed.
 *
 *   LO1  a byte that is lent is this core's, lent once, and not free here meanwhile.
 *
 * What has been lent comes back when this core frees it, or is forgotten with its borrower.
 */
import type { CoreId, OperationId } from '@mk/monitor-proto/ids';
import type { Range } from '../model/capability.ts';
import { subtractRanges, totalBytes, unionRanges } from '../model/ranges.ts';

export interface Departing {
  readonly to: CoreId;
  readonly range: Range;
}

export class Loans {
  private readonly byBorrower = new Map<CoreId, readonly Range[]>();
  private readonly underWay = new Map<OperationId, Departing>();
  /** Counts changes, for checkers. */
  changes = 0;

  /** On their way to a borrower, which has yet to confirm: this core accounts for them. */
  get departing(): ReadonlyMap<OperationId, Departing> {
    return this.underWay;
  }

  /** Bytes by borrower, none of them free or on their way. */
  get lent(): readonly { readonly to: CoreId; readonly bytes: number }[] {
    return [...this.byBorrower].map(([to, ranges]) => ({ to, bytes: totalBytes(ranges) }));
  }

  of(borrower: CoreId): readonly Range[] {
    return this.byBorrower.get(borrower) ?? [];
  }

  depart(op: OperationId, to: CoreId, range: Range): void {
    this.changes += 1;
    this.underWay.set(op, { to, range });
  }

  /** The borrower has it. */
  taken(op: OperationId): void {
    const departing = this.underWay.get(op);
    if (departing === undefined) return;
    this.changes += 1;
    this.underWay.delete(op);
    const { to, range } = departing;
    this.byBorrower.set(to, unionRanges([...this.of(to), range]));
  }

  /** It could not be sent. */
  undo(op: OperationId): void {
    this.changes += 1;
    this.underWay.delete(op);
  }

  /** A range is free here again. */
  returned(range: Range): void {
    this.changes += 1;
    for (const [to, ranges] of this.byBorrower) {
      const left = subtractRanges(ranges, [range]);
      if (left.length === 0) this.byBorrower.delete(to);
      else this.byBorrower.set(to, left);
    }
  }

  /** A borrower is gone: what it had, or was on its way to it. */
  forget(borrower: CoreId): readonly Range[] {
    this.changes += 1;
    const ranges = [...this.of(borrower)];
    this.byBorrower.delete(borrower);
    for (const [op, { to, range }] of this.underWay) {
      if (to !== borrower) continue;
      this.underWay.delete(op);
      ranges.push(range);
    }
    return unionRanges(ranges);
  }
}
