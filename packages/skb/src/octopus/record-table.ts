/** The records, indexed by name, natural order, sequence and owner. Pure. */
import type { Meter } from '@mk/monitor-proto/octopus/meter';
import { sequenceOf, type SequenceName } from '@mk/monitor-proto/octopus/names';
import {
  type Attributes,
  costOf,
  matchesQuery,
  matchesSlowly,
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

/**
 * A query under way, over several turns if need be; it takes in changes meanwhile, so that the answer is true at one
 * moment.
 */
interface Scan {
  readonly query: ParsedRecord;
  readonly keyPrefix: string;
  readonly first: Placed;
  /** Where to continue. */
  next: Placed;
  /** The end was reached. */
  whole: boolean;
  /** Steps taken so far. */
  steps: number;
  readonly found: Map<string, StoredRecord>;
  /** Names behind `next` that have changed: to be examined again. */
  readonly again: Set<string>;
}

/** Matching records in natural order, up to one more than an answer holds; or the search costs too much. */
export type Found = readonly StoredRecord[] | 'too_costly';

const FIRST = { name: '', key: '' } as const;

export class RecordTable {
  private readonly byName = new Map<string, StoredRecord>();
  private readonly ordered = new OrderedNames<StoredRecord>();
  private readonly transient = new Map<string, Set<StoredRecord>>();
  private readonly scans = new Set<Scan>();
  private textChars = 0;

  get size(): number {
    return this.byName.size;
  }

  /** Characters of all records together, as written out. */
  get chars(): number {
    return this.textChars;
  }

  get(name: string): StoredRecord | undefined {
    return this.byName.get(name);
  }

  all(): Iterable<StoredRecord> {
    return this.byName.values();
  }

  keep(name: string, attributes: Attributes, text: string, owner: string | undefined): StoredRecord {
    const before = this.byName.get(name);
    if (before !== undefined) this.letGo(before);
    const { key, sequence } = before ?? { key: orderKey(name), sequence: sequenceOf(name) };
    const record: StoredRecord = { name, key, attributes, text, owner, sequence };
    this.byName.set(name, record);
    this.textChars += text.length;
    if (before === undefined) this.ordered.add(record);
    else this.ordered.replace(record);
    if (owner !== undefined) this.transient.set(owner, (this.transient.get(owner) ?? new Set()).add(record));
    for (const scan of this.scans)
      if (order(record, scan.next) < 0 && order(record, scan.first) >= 0) scan.again.add(name);
    return record;
  }

  forget(name: string): void {
    const record = this.byName.get(name);
    if (record === undefined) return;
    this.byName.delete(name);
    this.ordered.remove(record);
    this.letGo(record);
  }

  /** Frees what a deleted or replaced record occupied. */
  private letGo(record: StoredRecord): void {
    this.textChars -= record.text.length;
    for (const scan of this.scans) scan.found.delete(record.name);
    if (record.owner === undefined) return;
    const owned = this.transient.get(record.owner);
    owned?.delete(record);
    if (owned?.size === 0) this.transient.delete(record.owner);
  }

  /** Owners of transient records. */
  owners(): readonly string[] {
    return [...this.transient.keys()];
  }

  /** An owner's records, in the order they were set. */
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

  /** Yields when the turn is over; returns the records of that moment, after the name `after` if one is given. */
  *find(query: ParsedRecord, one: boolean, meter: Meter, after = ''): Generator<void, Found> {
    const follower = { name: `${after}\0`, key: orderKey(after) };
    if (query.name.kind === 'is') {
      const found = yield* this.findOne(query, query.name.name, meter);
      return after === '' ? found : found.filter((row) => order(row, follower) > 0);
    }
    const keyPrefix = keyPrefixOf(query.name);
    const begin = keyPrefix === '' ? FIRST : { name: '', key: keyPrefix };
    const first = after !== '' && order(follower, begin) > 0 ? follower : begin;
    const scan: Scan = {
      query,
      keyPrefix,
      first,
      next: first,
      whole: false,
      steps: 0,
      found: new Map(),
      again: new Set(),
    };
    this.scans.add(scan);
    try {
      for (;;) {
        const before = meter.steps;
        const done = this.advance(scan, one, meter);
        scan.steps += meter.steps - before;
        if (typeof done === 'object') yield* this.examineSlowly(scan, done, meter);
        if (done === true) return [...scan.found.values()].sort(order);
        if (scan.steps > OCTOPUS_LIMITS.querySteps) return 'too_costly';
        if (done === false) yield;
      }
    } finally {
      this.scans.delete(scan);
    }
  }

  /** Examines a row that may take more than one turn. A change meanwhile causes another examination. */
  private *examineSlowly(scan: Scan, row: StoredRecord, meter: Meter): Generator<void, void> {
    const work = matchesSlowly(scan.query, row.name, row.attributes, meter);
    for (;;) {
      const before = meter.steps;
      const step = work.next();
      scan.steps += meter.steps - before;
      if (step.done !== true) yield;
      else if (step.value && this.byName.get(row.name) === row) scan.found.set(row.name, row);
      if (step.done === true) return;
    }
  }

  /** The record of that name, if it still matches at the end. */
  private *findOne(query: ParsedRecord, name: string, meter: Meter): Generator<void, readonly StoredRecord[]> {
    for (;;) {
      const held = this.byName.get(name);
      if (held === undefined) return [];
      const matches = yield* matchesSlowly(query, name, held.attributes, meter);
      if (this.byName.get(name) === held) return matches ? [held] : [];
    }
  }

  /** False: the turn ended before the answer was known. A row: it comes next, and may take long. */
  private advance(scan: Scan, one: boolean, meter: Meter): boolean | StoredRecord {
    for (const name of scan.again) {
      if (meter.full) return false;
      scan.again.delete(name);
      const row = this.byName.get(name);
      if (row !== undefined && isCostly(scan, row)) return row;
      if (row !== undefined) examine(scan, row, meter);
    }
    while (!scan.whole && !(one && scan.found.size > 0) && scan.found.size <= OCTOPUS_LIMITS.maxNames) {
      const passed = this.pass(scan, one, meter);
      if (passed !== true) return passed;
    }
    return true;
  }

  /** Moves on through the rows; false: the turn is over; a row: it may take long. */
  private pass(scan: Scan, one: boolean, meter: Meter): boolean | StoredRecord {
    for (const row of this.ordered.from(scan.next)) {
      if (!row.key.startsWith(scan.keyPrefix)) break;
      if (meter.full) return false;
      scan.next = { key: row.key, name: `${row.name}\0` };
      if (isCostly(scan, row)) return row;
      examine(scan, row, meter);
      if (scan.found.size > (one ? 0 : OCTOPUS_LIMITS.maxNames)) return true;
    }
    scan.whole = true;
    return true;
  }
}

/** Whether one turn may not suffice for a row. */
function isCostly(scan: Scan, row: StoredRecord): boolean {
  return scan.query.constraints.length > 0 && costOf(scan.query, row.attributes) > OCTOPUS_LIMITS.turnSteps / 4;
}

function examine(scan: Scan, row: StoredRecord, meter: Meter): void {
  meter.steps += OCTOPUS_LIMITS.recordSteps;
  if (matchesQuery(scan.query, row.name, row.attributes, meter)) scan.found.set(row.name, row);
}

/** The prefix of the order keys of a name's sequential records; few other keys have it. */
function sequenceKey(base: string): string {
  return `${orderKey(`${base}_`)}0`;
}

/** The prefix of the order key of every name that can match. */
function keyPrefixOf(query: NameQuery): string {
  if (query.kind === 'sequence') return sequenceKey(query.base);
  // A number at the end of the prefix may continue in the name.
  return query.kind === 'matches' ? orderKey(query.pattern.prefix.replace(/\d+$/, '')) : '';
}
