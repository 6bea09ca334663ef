/** The records, found by name, in natural order, by sequence, by owner. Pure. */
import type { Meter } from '@mk/monitor-proto/octopus/meter';
import { sequenceOf, type SequenceName } from '@mk/monitor-proto/octopus/names';
import {
  type Attributes,
  matchesQuery,
  type NameQuery,
  orderKey,
  type ParsedRecord,
} from '@mk/monitor-proto/octopus/record';
import { OCTOPUS_LIMITS } from './limits.ts';
import { order, OrderedNames, type Placed } from './ordered-names.ts';

export interface StoredRecord extends Placed {
  readonly attributes: Attributes;
  readonly text: string;
  readonly owner: string | undefined;
  readonly sequence: SequenceName | undefined;
}

/** A query that is being answered, over several turns if need be; changes meanwhile are taken in, so that the answer is of one moment. */
interface Scan {
  readonly query: ParsedRecord;
  readonly keyPrefix: string;
  /** Where to go on. */
  next: Placed;
  /** The end was reached. */
  whole: boolean;
  readonly found: Map<string, StoredRecord>;
  /** Names that changed behind `next`: to be looked at anew. */
  readonly again: Set<string>;
}

/** Matching records in natural order, or that they are too many or take too long to find. */
export type Found = readonly StoredRecord[] | 'too_many' | 'too_costly';

const FIRST = { name: '', key: '' } as const;

export class RecordTable {
  private readonly byName = new Map<string, StoredRecord>();
  private readonly ordered = new OrderedNames<StoredRecord>();
  private readonly transient = new Map<string, Set<StoredRecord>>();
  private readonly scans = new Set<Scan>();

  get size(): number {
    return this.byName.size;
  }

  get(name: string): StoredRecord | undefined {
    return this.byName.get(name);
  }

  all(): Iterable<StoredRecord> {
    return this.byName.values();
  }

  keep(name: string, attributes: Attributes, text: string, owner: string | undefined): StoredRecord {
    this.forget(name);
    const record: StoredRecord = { name, key: orderKey(name), attributes, text, owner, sequence: sequenceOf(name) };
    this.byName.set(name, record);
    this.ordered.add(record);
    if (owner !== undefined) this.transient.set(owner, (this.transient.get(owner) ?? new Set()).add(record));
    for (const scan of this.scans) if (order(record, scan.next) < 0) scan.again.add(name);
    return record;
  }

  forget(name: string): void {
    const record = this.byName.get(name);
    if (record === undefined) return;
    this.byName.delete(name);
    this.ordered.remove(record);
    for (const scan of this.scans) scan.found.delete(name);
    if (record.owner === undefined) return;
    const owned = this.transient.get(record.owner);
    owned?.delete(record);
    if (owned?.size === 0) this.transient.delete(record.owner);
  }

  /** Who holds transient records. */
  owners(): readonly string[] {
    return [...this.transient.keys()];
  }

  /** In the order in which they were set. */
  ownedBy(owner: string): readonly StoredRecord[] {
    return [...(this.transient.get(owner) ?? [])];
  }

  /** The sequential record of that name with the lowest number. */
  firstOf(base: string): StoredRecord | undefined {
    const key = sequenceKey(base);
    for (const row of this.ordered.from({ name: '', key })) {
      if (!row.key.startsWith(key)) return undefined;
      if (row.sequence?.base === base) return row;
    }
    return undefined;
  }

  /** The record before that one in its sequence. */
  before({ name, key, sequence }: StoredRecord): StoredRecord | undefined {
    if (sequence === undefined) return undefined;
    const first = sequenceKey(sequence.base);
    for (const row of this.ordered.before({ name, key })) {
      if (!row.key.startsWith(first)) return undefined;
      if (row.sequence?.base === sequence.base) return row;
    }
    return undefined;
  }

  /** Yields when the turn is over; the answer is what is there when it returns. */
  *find(query: ParsedRecord, one: boolean, meter: Meter): Generator<void, Found> {
    const held = query.name.kind === 'is' ? this.byName.get(query.name.name) : undefined;
    if (query.name.kind === 'is')
      return held !== undefined && matchesQuery(query, held.name, held.attributes, meter) ? [held] : [];
    const keyPrefix = keyPrefixOf(query.name);
    const next = keyPrefix === '' ? FIRST : { name: '', key: keyPrefix };
    const scan: Scan = { query, keyPrefix, next, whole: false, found: new Map(), again: new Set() };
    this.scans.add(scan);
    try {
      for (let steps = 0; ;) {
        const before = meter.steps;
        const done = this.advance(scan, one, meter);
        steps += meter.steps - before;
        if (scan.found.size > OCTOPUS_LIMITS.maxNames) return 'too_many';
        if (done) return [...scan.found.values()].sort(order);
        if (steps > OCTOPUS_LIMITS.querySteps) return 'too_costly';
        yield;
      }
    } finally {
      this.scans.delete(scan);
    }
  }

  /** False: the turn is over before the answer is known. */
  private advance(scan: Scan, one: boolean, meter: Meter): boolean {
    for (const name of scan.again) {
      if (meter.full) return false;
      scan.again.delete(name);
      const row = this.byName.get(name);
      if (row !== undefined) examine(scan, row, meter);
    }
    while (!scan.whole && !(one && scan.found.size > 0) && scan.found.size <= OCTOPUS_LIMITS.maxNames)
      if (!this.pass(scan, one, meter)) return false;
    return true;
  }

  /** Goes on through the rows; false: the turn is over. */
  private pass(scan: Scan, one: boolean, meter: Meter): boolean {
    for (const row of this.ordered.from(scan.next)) {
      if (!row.key.startsWith(scan.keyPrefix)) break;
      if (meter.full) return false;
      scan.next = { key: row.key, name: `${row.name}\0` };
      examine(scan, row, meter);
      if (scan.found.size > (one ? 0 : OCTOPUS_LIMITS.maxNames)) return true;
    }
    scan.whole = true;
    return true;
  }
}

function examine(scan: Scan, row: StoredRecord, meter: Meter): void {
  meter.steps += OCTOPUS_LIMITS.recordSteps;
  if (matchesQuery(scan.query, row.name, row.attributes, meter)) scan.found.set(row.name, row);
}

/** What the order keys of all sequential records of a name begin with; few others do. */
function sequenceKey(base: string): string {
  return `${orderKey(`${base}_`)}0`;
}

/** What the order key of every name that can match begins with. */
function keyPrefixOf(query: NameQuery): string {
  if (query.kind === 'sequence') return sequenceKey(query.base);
  // A number at the end of the prefix may go on in the name.
  return query.kind === 'matches' ? orderKey(query.pattern.prefix.replace(/\d+$/, '')) : '';
}
